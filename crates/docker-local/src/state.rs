//! What the connections and the one who asks share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::container::Container;
use crate::events::Events;
use crate::exec::ExecState;
use crate::fault::Faults;
use crate::handle::ContainerHandle;
use crate::log::Stream;
use crate::request::ReceivedRequest;

/// What a container does when it is started.
pub(crate) type Program = Arc<dyn Fn(&ContainerHandle) + Send + Sync>;

#[derive(Debug)]
pub(crate) struct SharedState {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
    pub(crate) versions: Versions,
}

/// Which versions of the API are spoken, `1.41` for example.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    pub(crate) newest: String,
    pub(crate) oldest: String,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// By id.
    pub(crate) containers: BTreeMap<String, Container>,
    pub(crate) execs: BTreeMap<String, ExecState>,
    pub(crate) events: Events,
    /// Images with what their containers do.
    pub(crate) images: BTreeMap<String, Option<Program>>,
    /// Files in containers, by container id and path: tars as they came.
    pub(crate) archives: BTreeMap<(String, String), Bytes>,
    pub(crate) faults: Faults,
    pub(crate) requests: Vec<ReceivedRequest>,
    pub(crate) connections: usize,
    /// The programs that are executed: they go on when their connection ends.
    pub(crate) running: JoinSet<()>,
    ids: u64,
    clock: i64,
}

impl SharedState {
    pub(crate) fn new(versions: Versions) -> Self {
        Self {
            inner: Mutex::default(),
            changed: watch::Sender::new(()),
            versions,
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

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Returns once `done` holds.
    pub(crate) async fn until(&self, done: impl Fn(&Inner) -> bool) {
        let mut changes = self.changes();
        while !done(&self.lock()) {
            let changed = changes.changed().await;
            changed.expect("the sender lives as long as the state");
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.lock().now()
    }
}

impl Inner {
    /// The time in Unix nanoseconds: the machine's, but later each time.
    pub(crate) fn now(&mut self) -> i64 {
        #[allow(clippy::disallowed_methods)] // This is the engine's clock edge.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.map_or(0, |since| since.as_nanos());
        self.clock = i64::try_from(nanos).unwrap_or(0).max(self.clock + 1);
        self.clock
    }

    /// An id that looks like one of Docker's, not seen before.
    pub(crate) fn new_id(&mut self) -> String {
        self.ids += 1;
        // The ids of neighbours differ from the first digit on.
        let mixed = self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{mixed:016x}{:048x}", self.ids)
    }

    /// The id that is meant by an id, the beginning of one, or a name.
    pub(crate) fn resolve(&self, name: &str) -> Option<String> {
        if self.containers.contains_key(name) {
            return Some(name.to_owned());
        }
        let mut all = self.containers.iter();
        if let Some((id, _)) = all.find(|(_, container)| container.name == name) {
            return Some(id.clone());
        }
        let mut begun = self.containers.keys().filter(|id| id.starts_with(name));
        match (begun.next(), begun.next()) {
            (Some(id), None) if !name.is_empty() => Some(id.clone()),
            _ => None,
        }
    }

    /// Changes the state of a container and tells the events of that.
    pub(crate) fn write(&mut self, id: &str, stream: Stream, bytes: &[u8]) {
        let nanos = self.now();
        if let Some(container) = self.containers.get_mut(id) {
            let stream = if container.tty {
                Stream::Stdout
            } else {
                stream
            };
            container.log.write(stream, nanos, bytes);
        }
    }

    pub(crate) fn emit(&mut self, id: &str, action: &str) {
        let nanos = self.now();
        if let Some(container) = self.containers.get(id) {
            self.events.container(nanos, container, action);
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("containers", &self.containers)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
