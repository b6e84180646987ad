//! What the connections and the one who asks share.

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::credentials::Keyring;
use crate::fault::Faults;
use crate::host::Hosts;
use crate::store::{Keep, Store};

/// Tells the wall-clock time.
pub(crate) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

pub(crate) struct State {
    clock: Clock,
    /// Tells this endpoint from one that was there before it.
    pub(crate) started: SystemTime,
    /// Under which hosts it answers.
    pub(crate) hosts: Hosts,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) keyring: Keyring,
    pub(crate) faults: Faults,
    pub(crate) clock_offset: ClockOffset,
    /// The regions that requests may be signed for; all if empty.
    pub(crate) regions: Vec<String>,
}

/// How far the endpoint's clock is from the machine's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClockOffset {
    pub(crate) ahead: Duration,
    pub(crate) behind: Duration,
}

impl State {
    pub(crate) fn new(
        clock: Clock,
        hosts: Hosts,
        keep: Keep,
        keyring: Keyring,
        regions: Vec<String>,
    ) -> Self {
        Self {
            started: clock(),
            clock,
            hosts,
            inner: Mutex::new(Inner {
                store: Store::new(keep),
                keyring,
                faults: Faults::default(),
                clock_offset: ClockOffset::default(),
                regions,
            }),
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
