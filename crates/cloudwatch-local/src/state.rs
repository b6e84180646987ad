//! What the connections and the one who asks share.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::credentials::Keyring;
use crate::fault::Faults;
use crate::host::Hosts;
use crate::journal::Journal;
use crate::logs::{LogStore, LogsRequest};
use crate::pace::Pace;
use crate::store::{ReceivedRequest, Store};

/// Tells the wall-clock time.
pub(crate) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

pub(crate) struct State {
    clock: Clock,
    /// Tells this endpoint from one that was there before it.
    pub(crate) started: SystemTime,
    /// Under which hosts it answers.
    pub(crate) hosts: Hosts,
    /// How fast it reads.
    pub(crate) pace: Pace,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) metrics: Api<Store, ReceivedRequest>,
    pub(crate) logs: Api<LogStore, LogsRequest>,
    pub(crate) connections: usize,
    pub(crate) keyring: Keyring,
    pub(crate) clock_offset: ClockOffset,
    /// The regions that requests may be signed for; all if empty.
    pub(crate) regions: Vec<String>,
}

/// What was accepted by one of the two APIs, what became of the requests to it, and which
/// faults they meet.
#[derive(Debug)]
pub(crate) struct Api<Store, Request> {
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults<Request>,
}

impl<Store, Request> Api<Store, Request> {
    pub(crate) fn new(store: Store, requests_kept: usize) -> Self {
        Self {
            store,
            journal: Journal::new(requests_kept),
            faults: Faults::default(),
        }
    }
}

/// How far the endpoint's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockOffset {
    pub(crate) ahead: Duration,
    pub(crate) behind: Duration,
}

impl State {
    pub(crate) fn new(clock: Clock, hosts: Hosts, inner: Inner) -> Self {
        Self {
            started: clock(),
            clock,
            hosts,
            pace: Pace::default(),
            inner: Mutex::new(inner),
            changed: watch::Sender::new(()),
        }
    }

    /// Looks at the state, or changes it without anyone waiting for that.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics with the lock held")
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    /// Returns once `done` holds.
    pub(crate) async fn until(&self, done: impl Fn(&Inner) -> bool) {
        let mut changes = self.changed.subscribe();
        while !done(&self.lock()) {
            changes
                .changed()
                .await
                .expect("the sender lives as long as the state");
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ClockOffset { ahead, behind } = self.lock().clock_offset;
        ((self.clock)() + ahead - behind).into()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
