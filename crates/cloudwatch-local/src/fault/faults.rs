//! Which faults the requests to come will meet.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::Fault;

type Rule<Request> = Arc<dyn Fn(&Request) -> Option<Fault> + Send + Sync>;

/// Which faults the requests to come will meet.
pub(crate) struct Faults<Request> {
    /// Each for any request, or for one of an operation.
    queue: VecDeque<(Option<String>, Fault)>,
    standing: Option<Fault>,
    rule: Option<Rule<Request>>,
    poison: Option<Rule<Request>>,
}

impl<Request> Default for Faults<Request> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            standing: None,
            rule: None,
            poison: None,
        }
    }
}

impl<Request> Faults<Request> {
    pub(crate) fn queue(
        &mut self,
        operation: Option<&str>,
        faults: impl IntoIterator<Item = Fault>,
    ) {
        let faults = faults.into_iter();
        let faults = faults.map(|fault| (operation.map(str::to_owned), fault));
        self.queue.extend(faults);
    }

    pub(crate) fn stand(&mut self, fault: Fault) {
        self.standing = Some(fault);
    }

    pub(crate) fn set_rule(&mut self, rule: Rule<Request>) {
        self.rule = Some(rule);
    }

    pub(crate) fn set_poison(&mut self, poison: Rule<Request>) {
        self.poison = Some(poison);
    }

    /// The fault of the next request: the first of the queue that is for its operation, else
    /// the standing one.
    pub(crate) fn take(&mut self, operation: &str) -> Option<Fault> {
        let is_its =
            |(of, _): &(Option<String>, Fault)| of.as_deref().is_none_or(|of| of == operation);
        let place = self.queue.iter().position(is_its);
        let queued = place.and_then(|place| self.queue.remove(place));
        queued
            .map(|(_, fault)| fault)
            .or_else(|| self.standing.clone())
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The fault that a good request meets for what it holds.
    pub(crate) fn of_content(&self, request: &Request) -> Option<Fault> {
        let rules = [&self.poison, &self.rule].into_iter().flatten();
        rules.into_iter().find_map(|rule| rule(request))
    }
}

impl<Request> fmt::Debug for Faults<Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("queue", &self.queue)
            .field("standing", &self.standing)
            .field("rule", &self.rule.is_some())
            .field("poison", &self.poison.is_some())
            .finish()
    }
}
