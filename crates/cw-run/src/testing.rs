//! A service in memory, for tests.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use retry_policy::{RequestError, RequestErrorKind};

use crate::cloudwatch_manager::{LogsService, PutRefused, Rejected, StreamName};
use crate::event::Event;
use crate::job::GroupSettings;
use crate::verdict::Operation;

pub(crate) fn refusal(status: u16, code: &str) -> RequestError {
    RequestErrorKind::Rejected {
        status,
        code: code.to_owned(),
        message: String::new(),
        retry_after: None,
    }
    .into()
}

type Rule = Box<dyn Fn(Operation, &[Event]) -> Option<RequestError> + Send>;

/// Groups, streams, events, and what the next requests meet.
#[derive(Default)]
pub(crate) struct FakeLogs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    groups: HashSet<String>,
    streams: BTreeMap<StreamName, Vec<String>>,
    requests: Vec<Operation>,
    tokens: Vec<Option<String>>,
    failures: VecDeque<PutRefused>,
    rejections: VecDeque<Rejected>,
    rule: Option<Rule>,
    /// How many requests to put events are on their way, and the most that were.
    on_their_way: (usize, usize),
}

impl FakeLogs {
    pub(crate) fn with(name: &StreamName) -> Self {
        let fake = Self::default();
        fake.lock().groups.insert(name.group.clone());
        fake.lock().streams.insert(name.clone(), Vec::new());
        fake
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A rule that panics does so while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request to put events meets this.
    pub(crate) fn fail_put(&self, refused: PutRefused) {
        self.lock().failures.push_back(refused);
    }

    /// The next request to put events is taken but for these.
    pub(crate) fn reject_of_put(&self, rejected: Rejected) {
        self.lock().rejections.push_back(rejected);
    }

    /// Every request is looked at by this first.
    pub(crate) fn rule(
        &self,
        rule: impl Fn(Operation, &[Event]) -> Option<RequestError> + Send + 'static,
    ) {
        self.lock().rule = Some(Box::new(rule));
    }

    pub(crate) fn tokens(&self) -> Vec<Option<String>> {
        self.lock().tokens.clone()
    }

    pub(crate) fn requests(&self) -> Vec<Operation> {
        self.lock().requests.clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.lock().on_their_way.1
    }

    async fn takes_a_while(&self) {
        {
            let (now, most) = &mut self.lock().on_their_way;
            *now += 1;
            *most = (*most).max(*now);
        }
        tokio::task::yield_now().await;
        self.lock().on_their_way.0 -= 1;
    }

    pub(crate) fn messages(&self, name: &StreamName) -> Vec<String> {
        self.lock().streams.get(name).cloned().unwrap_or_default()
    }

    fn ask(
        &self,
        operation: Operation,
        events: &[Event],
    ) -> Result<MutexGuard<'_, State>, RequestError> {
        let mut state = self.lock();
        state.requests.push(operation);
        match state.rule.as_ref().and_then(|rule| rule(operation, events)) {
            Some(failure) => Err(failure),
            None => Ok(state),
        }
    }
}

impl LogsService for FakeLogs {
    async fn ready(&self) -> Result<(), RequestError> {
        Ok(())
    }

    async fn create_group(&self, group: &str, _: &GroupSettings) -> Result<(), RequestError> {
        match self
            .ask(Operation::CreateGroup, &[])?
            .groups
            .insert(group.to_owned())
        {
            true => Ok(()),
            false => Err(refusal(400, "ResourceAlreadyExistsException")),
        }
    }

    async fn put_retention(&self, _: &str, _: i32) -> Result<(), RequestError> {
        self.ask(Operation::PutRetention, &[]).map(drop)
    }

    async fn create_stream(&self, group: &str, stream: &str) -> Result<(), RequestError> {
        let mut state = self.ask(Operation::CreateStream, &[])?;
        if !state.groups.contains(group) {
            return Err(refusal(400, "ResourceNotFoundException"));
        }
        let name = StreamName {
            group: group.to_owned(),
            stream: stream.to_owned(),
        };
        if state.streams.contains_key(&name) {
            return Err(refusal(400, "ResourceAlreadyExistsException"));
        }
        state.streams.insert(name, Vec::new());
        Ok(())
    }

    async fn stream_exists(&self, name: &StreamName) -> Result<bool, RequestError> {
        let state = self.ask(Operation::DescribeStreams, &[])?;
        Ok(state.streams.contains_key(name))
    }

    async fn put_events(
        &self,
        name: &StreamName,
        events: &[Event],
        token: Option<&str>,
    ) -> Result<Rejected, PutRefused> {
        self.takes_a_while().await;
        let mut state = self.ask(Operation::PutEvents, events)?;
        state.tokens.push(token.map(str::to_owned));
        if let Some(refused) = state.failures.pop_front() {
            return Err(refused);
        }
        if !state.streams.contains_key(name) {
            return Err(refusal(400, "ResourceNotFoundException").into());
        }
        let rejected = state.rejections.pop_front().unwrap_or_default();
        let Some(stream) = state.streams.get_mut(name) else {
            return Err(refusal(400, "ResourceNotFoundException").into());
        };
        let taken = rejected.too_old..rejected.too_new_from.unwrap_or(events.len());
        stream.extend(events[taken].iter().map(|event| event.message.clone()));
        Ok(rejected)
    }
}
