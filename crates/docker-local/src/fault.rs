//! Misbehaviour on command: what happens instead of the engine's answer, or to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::Answer;
use crate::pattern::Pattern;
use crate::request::ReceivedRequest;

/// One way to misbehave.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) action: Action,
    pub(crate) delay: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The engine's own answer, with this done to its body.
    Proceed(Shape),
    Answer(Answer),
    Raw(Bytes),
    Hang,
}

/// What is done to a body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    /// How much of it goes out, and what follows then.
    pub(crate) limit: Option<(usize, AtLimit)>,
    /// It goes out in pieces of so many bytes, with a pause behind each.
    pub(crate) slow: Option<(usize, Duration)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AtLimit {
    Cut,
    End,
    Hang,
}

impl Fault {
    /// An error in the engine's own form, for example 409 or 500.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::answer(Answer::error(status, message))
    }

    /// Any answer in the place of the engine's; nothing is done.
    #[must_use]
    pub fn answer(answer: Answer) -> Self {
        Self::of(Action::Answer(answer))
    }

    /// The engine's answer as usual, but late.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::of(Action::Proceed(Shape::default())).after(delay)
    }

    /// No answer at all; nothing is done, and the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Action::Hang)
    }

    /// The connection is cut before anything is done.
    #[must_use]
    pub fn cut() -> Self {
        Self::raw("")
    }

    /// The request is done and answered, but the connection is cut behind so many bytes of
    /// the body (not of its HTTP chunks), as when the engine is killed.
    #[must_use]
    pub fn cut_body(bytes: usize) -> Self {
        Self::limited(bytes, AtLimit::Cut)
    }

    /// The same, but the body ends there as if it were whole.
    #[must_use]
    pub fn end_body(bytes: usize) -> Self {
        Self::limited(bytes, AtLimit::End)
    }

    /// The same, but nothing follows and the connection stays open, as when a machine is gone.
    #[must_use]
    pub fn hang_body(bytes: usize) -> Self {
        Self::limited(bytes, AtLimit::Hang)
    }

    /// The body goes out in pieces of so many bytes, with a pause behind each.
    ///
    /// # Panics
    /// If the pieces are to be empty.
    #[must_use]
    pub fn slow(piece: usize, pause: Duration) -> Self {
        assert!(piece > 0, "a piece has at least one byte");
        let slow = Some((piece, pause));
        Self::of(Action::Proceed(Shape { limit: None, slow }))
    }

    /// Bytes in the place of an HTTP response; then the connection is cut.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::of(Action::Raw(bytes.into()))
    }

    /// An answer that is not HTTP.
    #[must_use]
    pub fn garbage() -> Self {
        Self::raw(&b"\x16\x03\x01\x00\xa5garbage\x00\xff\r\n\r\n"[..])
    }

    /// Waits before doing what it does.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn limited(bytes: usize, then: AtLimit) -> Self {
        let limit = Some((bytes, then));
        Self::of(Action::Proceed(Shape { limit, slow: None }))
    }

    fn of(action: Action) -> Self {
        Self {
            action,
            delay: Duration::ZERO,
        }
    }
}

type Rule = Arc<dyn Fn(&ReceivedRequest) -> Option<Fault> + Send + Sync>;

/// Which faults the requests to come will meet.
#[derive(Default)]
pub(crate) struct Faults {
    queued: Vec<(Pattern, VecDeque<Fault>)>,
    standing: Vec<(Pattern, Fault)>,
    rule: Option<Rule>,
}

impl Faults {
    pub(crate) fn queue(&mut self, pattern: Pattern, faults: impl IntoIterator<Item = Fault>) {
        self.queued.push((pattern, faults.into_iter().collect()));
    }

    pub(crate) fn stand(&mut self, pattern: Pattern, fault: Fault) {
        self.standing.push((pattern, fault));
    }

    pub(crate) fn set_rule(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    pub(crate) fn left(&self) -> usize {
        self.queued.iter().map(|(_, faults)| faults.len()).sum()
    }

    /// The fault of this request: the next that is queued for it, else the rule's, else the
    /// one that stands, the newest first.
    pub(crate) fn take(&mut self, request: &ReceivedRequest) -> Option<Fault> {
        let meant = |pattern: &Pattern| pattern.matches(&request.method, &request.path);
        let mut queued = self.queued.iter_mut().filter(|(p, _)| meant(p));
        if let Some(fault) = queued.find_map(|(_, faults)| faults.pop_front()) {
            return Some(fault);
        }
        let rule = self.rule.as_ref().and_then(|rule| rule(request));
        rule.or_else(|| {
            let mut standing = self.standing.iter().rev();
            let found = standing.find(|(pattern, _)| meant(pattern));
            found.map(|(_, fault)| fault.clone())
        })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("queued", &self.queued)
            .field("standing", &self.standing)
            .field("rule", &self.rule.is_some())
            .finish()
    }
}
