//! What a test asks of the endpoint about logs, and tells it to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::timeout;

use super::call::LogsRequest;
use super::received::{ReceivedBatch, ReceivedEvent};
use crate::fault::{Fault, Faults};
use crate::inspect::PATIENCE;
use crate::journal::{Attempt, RefusedRequest};
use crate::state::{Inner, State};

/// The logs of an endpoint, as [`CloudWatchLocal::logs`](crate::CloudWatchLocal::logs) gives
/// them: what was received, and faults for the requests to come.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    state: &'a State,
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// After how many days its events expire; never if none are named.
    pub retention_days: Option<i64>,
    /// The ARN of its key.
    pub kms_key: Option<String>,
    /// `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.
    pub class: String,
    /// Its tags, by key.
    pub tags: BTreeMap<String, String>,
    /// Its streams, by name.
    pub streams: Vec<LogStream>,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// How many events it holds.
    pub events: usize,
}

/// What was received.
impl<'a> Logs<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Self { state }
    }

    /// The events of a stream, in the order they arrived in. A stream that is not there has
    /// none.
    #[must_use]
    pub fn events(&self, group: &str, stream: &str) -> Vec<ReceivedEvent> {
        let inner = self.state.lock();
        let store = &inner.logs.store;
        let Ok(stream) = store.stream(group, stream) else {
            return Vec::new();
        };
        let mut numbers: Vec<_> = stream.keys.iter().map(|key| key.1).collect();
        numbers.sort_unstable();
        let numbers = numbers.into_iter();
        numbers.map(|number| store.event(number).clone()).collect()
    }

    /// The texts of [`events`](Self::events).
    #[must_use]
    pub fn messages(&self, group: &str, stream: &str) -> Vec<Arc<str>> {
        let events = self.events(group, stream).into_iter();
        events.map(|event| event.message).collect()
    }

    /// The events of all streams from a number on, in the order they arrived in, up to
    /// `limit`. Numbers begin with 1 and have no gaps but for what was deleted or dropped.
    #[must_use]
    pub fn arrived(&self, from: u64, limit: usize) -> Vec<ReceivedEvent> {
        let inner = self.state.lock();
        inner
            .logs
            .store
            .arrived(from)
            .take(limit)
            .cloned()
            .collect()
    }

    /// All groups, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<LogGroup> {
        let inner = self.state.lock();
        let groups = inner.logs.store.groups.values().map(|group| LogGroup {
            name: group.name.to_string(),
            retention_days: group.retention_days,
            kms_key: group.kms_key.clone(),
            class: group.class.to_owned(),
            tags: group.tags.clone(),
            streams: group
                .streams
                .values()
                .map(|stream| LogStream {
                    name: stream.name.to_string(),
                    events: stream.keys.len(),
                })
                .collect(),
        });
        groups.collect()
    }

    /// All accepted `PutLogEvents`, in the order they were accepted.
    #[must_use]
    pub fn batches(&self) -> Vec<Arc<ReceivedBatch>> {
        let inner = self.state.lock();
        inner.logs.store.batches.iter().cloned().collect()
    }

    /// All requests about logs, whatever became of them, in the order of arrival.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let inner = self.state.lock();
        inner.logs.journal.attempts().cloned().collect()
    }

    /// All requests about logs that were answered with an error of the service's form, by a
    /// rule or on command.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedRequest> {
        let inner = self.state.lock();
        inner.logs.journal.refused().cloned().collect()
    }

    /// How many events were accepted in all.
    #[must_use]
    pub fn events_accepted(&self) -> u64 {
        self.state.lock().logs.store.accepted()
    }

    /// How many events went because there were more than
    /// [`keep_logs`](crate::Builder::keep_logs) allows.
    #[must_use]
    pub fn events_dropped(&self) -> u64 {
        self.state.lock().logs.store.dropped
    }

    /// Returns once more than `known` events went so, with their number.
    pub async fn more_events_dropped(self, known: u64) -> u64 {
        let dropped = |inner: &Inner| inner.logs.store.dropped;
        self.state.until(|inner| dropped(inner) > known).await;
        self.events_dropped()
    }

    /// Waits until this many events were accepted in all.
    ///
    /// # Panics
    /// As all `…_at_least`: after 30 s, saying what did arrive. The tokio clock must run.
    pub async fn events_at_least(self, count: u64) {
        let accepted = |inner: &Inner| inner.logs.store.accepted();
        self.at_least(count, "accepted events", accepted).await;
    }

    /// Waits until this many requests about logs arrived in all, whatever became of them.
    ///
    /// # Panics
    /// After 30 s, saying what did arrive.
    pub async fn requests_at_least(self, count: u64) {
        let seen = |inner: &Inner| inner.logs.journal.attempts_seen() as u64;
        self.at_least(count, "requests about logs", seen).await;
    }

    /// Waits until this many requests about logs were refused in all.
    ///
    /// # Panics
    /// After 30 s, saying what did arrive.
    pub async fn refused_at_least(self, count: u64) {
        let refused = |inner: &Inner| inner.logs.journal.refused_seen() as u64;
        self.at_least(count, "refused requests about logs", refused)
            .await;
    }

    async fn at_least(self, count: u64, what: &str, seen: impl Fn(&Inner) -> u64) {
        let done = self.state.until(|inner| seen(inner) >= count);
        if timeout(PATIENCE, done).await.is_err() {
            let seen = seen(&self.state.lock());
            panic!(
                "waited {PATIENCE:?} for {count} {what}, got {seen}; attempts: {:?}; refused: {:?}",
                self.attempts(),
                self.refused()
            );
        }
    }
}

/// What it is told.
impl Logs<'_> {
    /// The next requests about logs meet these faults, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().logs.faults.queue(None, faults);
    }

    /// The next requests of one operation, for example `PutLogEvents`, meet these faults, one
    /// each.
    pub fn fail_next_of(&self, operation: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().logs.faults.queue(Some(operation), faults);
    }

    /// Every request about logs meets this fault, once those of the queue are used up.
    pub fn fail_always(&self, fault: Fault) {
        self.state.lock().logs.faults.stand(fault);
    }

    /// Good requests meet the fault that the rule gives them, if any. It is asked before it is
    /// known whether group and stream are there.
    pub fn fail_when(&self, rule: impl Fn(&LogsRequest) -> Option<Fault> + Send + Sync + 'static) {
        self.state.lock().logs.faults.set_rule(Arc::new(rule));
    }

    /// Refuses batches that hold an event whose text contains the marker, all or nothing, with
    /// `InvalidParameterException`. As with the service, no event is named.
    pub fn poison(&self, marker: &str) {
        let marker = marker.to_owned();
        let poison = move |request: &LogsRequest| {
            let mut events = request.events.iter();
            let is_bad = events.any(|event| event.message.contains(&marker));
            let message = "The request holds a log event that is invalid.";
            is_bad.then(|| Fault::error(400, "InvalidParameterException", message))
        };
        self.state.lock().logs.faults.set_poison(Arc::new(poison));
    }

    /// How many faults of the queue are yet to be met.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.state.lock().logs.faults.queued()
    }

    /// Ends all misbehaviour. Requests that hang go on hanging.
    pub fn heal(&self) {
        self.state.lock().logs.faults = Faults::default();
    }
}
