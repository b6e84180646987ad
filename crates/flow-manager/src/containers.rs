//! The containers: one operation at a time on each, different ones side by side, and what is
//! known of them from the engine's events.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use docker_client::{ContainerState as EngineState, Timestamp};
use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, Semaphore, watch};

use crate::failure::{ErrorCode, Failure};
use crate::flow::SocketCommunicationHandler;
use crate::model::{ContainerHealth, ContainerInfo, ContainerState, ContainerStatus};
use crate::policy::Policy;
use crate::time::Moment;

mod create;
mod engine;
mod identity;
mod lifecycle;
mod logs;
mod nesting;
mod recover;
mod registry;
mod status;
mod store;
mod turn;
mod update;
mod watch_engine;

pub use logs::{LOG_TAIL_MAX, LogExcerpt};
pub use store::{CreatedRecord, Record, Store, StoreError, Wish};

use engine::Engine;
use recover::Abandoned;
use registry::{Entry, Registry};
use turn::{Turn, Turns};

/// No engine takes so long to tell a state: what is known from later is from another clock.
const CLOCK_PUT_BACK: Duration = Duration::from_secs(300);

/// Who is told of the containers. It is called with the registry locked, so it must not wait,
/// nor ask anything of the manager.
pub trait ContainerObserver: Send + Sync + 'static {
    /// The state, the health or the connection of a container changed. Without a status it is
    /// gone.
    fn status_changed(
        &self,
        id: &str,
        name: &str,
        old: ContainerState,
        status: Option<&ContainerStatus>,
    );
    /// The engine is there, or it is not.
    fn engine_changed(&self, is_there: bool);
}

/// Makes, changes and watches containers. Clones are the same manager.
///
/// What an operation returns is a future, but its turn is taken when the method is called: two
/// operations on one container are done in the order of the calls, whenever they are polled.
#[derive(Clone)]
pub struct ContainerManager {
    inner: Arc<Inner>,
}

/// A manager that others keep alive.
#[derive(Clone)]
pub struct WeakContainerManager(Weak<Inner>);

impl WeakContainerManager {
    /// The manager, if it is there yet.
    #[must_use]
    pub fn upgrade(&self) -> Option<ContainerManager> {
        self.0.upgrade().map(|inner| ContainerManager { inner })
    }
}

impl fmt::Debug for WeakContainerManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakContainerManager")
            .finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    policy: Policy,
    store: Store,
    engine: Engine,
    sockets: SocketCommunicationHandler,
    observer: Arc<dyn ContainerObserver>,
    registry: Mutex<Registry>,
    /// Told after each change of the registry.
    changed: watch::Sender<()>,
    turns: Turns,
    /// The readings of statistics that are under way, by container.
    readings: Mutex<HashMap<String, status::WeakReading>>,
    log_readings: Semaphore,
    /// Held by updates while they have code in memory.
    updates: Semaphore,
    /// Held by operations; taken whole when there are to be none.
    gate: Arc<RwLock<()>>,
    /// Folders whose container may come into being yet, although nobody waits for it.
    abandoned: Mutex<Vec<Abandoned>>,
    /// Containers whose update is to be taken back.
    cut_off: Mutex<Vec<String>>,
    /// Told when one more folder is abandoned.
    has_abandoned: Notify,
}

impl fmt::Debug for ContainerManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerManager").finish_non_exhaustive()
    }
}

/// The time in which an operation has its container for itself.
struct Held {
    id: String,
    _turn: Turn,
    _gate: OwnedRwLockReadGuard<()>,
}

impl ContainerManager {
    /// Nothing is known yet: [`ContainerManager::recover`] reads the disk, and
    /// [`ContainerManager::watch`] asks the engine.
    pub fn new(
        policy: Policy,
        store: Store,
        docker_host: Option<String>,
        sockets: SocketCommunicationHandler,
        observer: Arc<dyn ContainerObserver>,
    ) -> Self {
        let inner = Inner {
            policy,
            store,
            engine: Engine::new(docker_host),
            sockets,
            observer,
            registry: Mutex::default(),
            changed: watch::Sender::new(()),
            turns: Turns::default(),
            readings: Mutex::default(),
            log_readings: Semaphore::new(logs::READINGS_MAX),
            updates: Semaphore::new(update::AT_ONCE),
            gate: Arc::default(),
            abandoned: Mutex::default(),
            cut_off: Mutex::default(),
            has_abandoned: Notify::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The same manager, for who must not keep it alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakContainerManager {
        WeakContainerManager(Arc::downgrade(&self.inner))
    }

    /// Whether the engine answers; without it, states are as it last told them.
    #[must_use]
    pub fn engine_is_there(&self) -> bool {
        self.inner.engine.is_there()
    }

    /// All containers of ours, the oldest first, from what the engine's events told.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::EngineUnavailable`]: what is known may be wrong.
    pub fn list_containers(&self) -> Result<Vec<ContainerInfo>, Failure> {
        self.inner.engine.client()?;
        let registry = self.inner.lock();
        Ok(registry
            .all()
            .into_iter()
            .map(|entry| self.inner.info(entry))
            .collect())
    }

    /// The id of the container with this id, unique beginning of 12 digits or more, or name.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::ContainerNotFound`].
    pub fn resolve(&self, name: &str) -> Result<String, Failure> {
        self.inner.lock().resolve(name)
    }

    /// How many containers are in each state.
    #[must_use]
    pub fn counts(&self) -> Vec<(ContainerState, usize)> {
        let registry = self.inner.lock();
        let all = registry.all();
        let count = |state| all.iter().filter(|entry| entry.state() == state).count();
        ContainerState::ALL
            .map(|state| (state, count(state)))
            .to_vec()
    }

    /// The flow of a container is connected that was not, or no longer, or by another
    /// connection: of that nobody is told.
    pub fn connection_changed(&self, id: &str) {
        let mut registry = self.inner.lock();
        if let Some(entry) = registry.get_mut(id) {
            let connected = self.inner.sockets.is_socket_connected(id);
            if std::mem::replace(&mut entry.connected, connected) != connected {
                self.inner.tell(entry, entry.state());
            }
        }
        drop(registry);
        self.inner.changed.send_replace(());
    }

    /// Takes no more operations, and waits for those under way; false if they took longer.
    pub async fn settle(&self, patience: Duration) -> bool {
        let gate = self.inner.gate.clone();
        match tokio::time::timeout(patience, gate.write_owned()).await {
            Ok(closed) => {
                // It is never opened again.
                std::mem::forget(closed);
                true
            }
            Err(_) => false,
        }
    }

    /// Runs an operation on a container when it is its turn, which is taken now.
    fn operate<T, F, Fut>(
        &self,
        name: &str,
        work: F,
    ) -> impl Future<Output = Result<T, Failure>> + Send + use<T, F, Fut>
    where
        F: FnOnce(Self, String) -> Fut + Send,
        Fut: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        let key = self.inner.lock().queue(name);
        let begun = self.inner.begin(&key);
        let (manager, name) = (self.clone(), name.to_owned());
        async move {
            let (gate, turn) = begun?;
            let held = manager.hold(gate, turn, &key, &name).await?;
            work(manager, held.id.clone()).await
        }
    }

    /// Waits for the turn. What was asked for before may have made the container, or removed it.
    /// One that waits in another queue is not the one that was meant: it got the name since.
    async fn hold(
        &self,
        gate: OwnedRwLockReadGuard<()>,
        mut turn: Turn,
        key: &str,
        name: &str,
    ) -> Result<Held, Failure> {
        turn.come().await;
        let id = self.resolve(name)?;
        if self.inner.lock().queue(&id) != key {
            return Err(Failure::no_container(name));
        }
        Ok(Held {
            id,
            _turn: turn,
            _gate: gate,
        })
    }
}

impl Inner {
    /// Takes a turn, unless flow-manager is stopping.
    fn begin(&self, key: &str) -> Result<(OwnedRwLockReadGuard<()>, Turn), Failure> {
        let gate = self.gate.clone().try_read_owned().map_err(|_| {
            Failure::new(
                ErrorCode::ShuttingDown,
                "flow-manager is stopping, connect again",
            )
        })?;
        Ok((gate, self.turns.take(key)?))
    }

    fn info(&self, entry: &Entry) -> ContainerInfo {
        let socket = self.store.folder(&entry.folder).socket(&entry.id);
        ContainerInfo {
            id: entry.id.clone(),
            name: entry.name.clone(),
            status: entry.state(),
            image: entry.config.image.clone(),
            created: entry.created,
            socket_path: socket.display().to_string(),
            ports: entry.config.ports.clone(),
            environment: entry.config.environment.clone(),
        }
    }

    fn status(&self, entry: &Entry) -> ContainerStatus {
        let state = entry.state();
        let started = entry.started.filter(|_| state.has_process());
        ContainerStatus {
            id: entry.id.clone(),
            state,
            health: entry.health,
            uptime: started.map(|started| Moment::now().seconds_since(started)),
            socket_connected: self.sockets.is_socket_connected(&entry.id),
            last_communication: self.sockets.last_communication(&entry.id),
            resource_usage: entry.fresh_usage(),
            stale: !self.engine.is_there(),
        }
    }

    fn tell(&self, entry: &Entry, old: ContainerState) {
        let status = self.status(entry);
        self.observer
            .status_changed(&entry.id, &entry.name, old, Some(&status));
    }

    /// Changes what is known of a container, and tells if its state or health is another.
    fn change<T>(&self, id: &str, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut registry = self.lock();
        let entry = registry.get_mut(id)?;
        let before = (entry.state(), entry.health);
        let result = change(entry);
        if (entry.state(), entry.health) != before {
            self.tell(entry, before.0);
        }
        drop(registry);
        self.changed.send_replace(());
        Some(result)
    }

    /// What the engine said of a container when it was asked at an instant. It is older than
    /// what is known if events came meanwhile; but much older it is only by a clock that was
    /// put back, and then it is the newest.
    fn learn(
        &self,
        id: &str,
        asked: Timestamp,
        state: EngineState,
        health: ContainerHealth,
        started: Option<Timestamp>,
    ) {
        self.change(id, |entry| {
            let ahead = entry.as_of.nanos().saturating_sub(asked.nanos());
            if ahead <= 0 || u128::from(ahead.unsigned_abs()) > CLOCK_PUT_BACK.as_nanos() {
                entry.as_of = asked;
                entry.state = state;
                entry.health = health;
                entry.started = started;
            }
        });
    }

    /// Runs what works on the disk where that may take its time.
    async fn on_disk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = self.clone();
        let worked = tokio::task::spawn_blocking(move || work(&inner)).await;
        worked.map_err(|error| {
            Failure::new(ErrorCode::Internal, "Work on the disk was given up").because(error)
        })
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_written(error: crate::flow::FolderError) -> Failure {
    let message = "The state cannot be written: is the disk full?";
    Failure::new(ErrorCode::StateNotWritten, message).because(error)
}

#[cfg(test)]
mod tests;
