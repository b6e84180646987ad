//! What a test does with a container: it writes, it ends, it is in a state.

use std::sync::Arc;

use serde_json::Value;

use crate::container::{Container, State};
use crate::log::Stream;
use crate::state::SharedState;

/// A container of the engine, as the program in it and whoever operates the engine see it.
/// What is done to one that is gone has no effect.
#[derive(Clone, Debug)]
pub struct ContainerHandle {
    id: String,
    state: Arc<SharedState>,
}

impl ContainerHandle {
    pub(crate) fn new(id: String, state: Arc<SharedState>) -> Self {
        Self { id, state }
    }

    /// Its id: 64 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its state, unless it is gone.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let inner = self.state.lock();
        inner.containers.get(&self.id).map(|c| c.state)
    }

    /// Writes to its standard output. A line is logged when its line break was written.
    pub fn stdout(&self, bytes: impl AsRef<[u8]>) {
        self.write(Stream::Stdout, bytes);
    }

    /// Writes to its standard error.
    pub fn stderr(&self, bytes: impl AsRef<[u8]>) {
        self.write(Stream::Stderr, bytes);
    }

    fn write(&self, stream: Stream, bytes: impl AsRef<[u8]>) {
        let write = |inner: &mut crate::state::Inner| inner.write(&self.id, stream, bytes.as_ref());
        self.state.change(write);
    }

    /// Puts output into its log with a time of its own, in Unix nanoseconds: times that are
    /// equal, or go back, for example.
    pub fn log_at(&self, nanos: i64, stream: Stream, bytes: impl AsRef<[u8]>) {
        self.with(|container| container.log.write(stream, nanos, bytes.as_ref()));
    }

    /// Forgets all but the last entries of its log, as a rotation does.
    pub fn rotate(&self, keep: usize) {
        self.with(|container| container.log.rotate(keep));
    }

    /// Its program ends by itself with this code.
    pub fn exit(&self, code: i64) {
        self.state.change(|inner| inner.end(&self.id, code));
    }

    /// Its program starts again, as by a restart policy or `docker restart`.
    pub fn restart(&self) {
        self.state.change(|inner| {
            if inner
                .containers
                .get(&self.id)
                .is_some_and(|c| c.state.is_running())
            {
                inner.end(&self.id, 0);
            }
            if let Some(container) = inner.containers.get_mut(&self.id) {
                container.restarts += 1;
            }
        });
        self.state.start(&self.id);
    }

    /// Puts it into a state, those included that a real engine is in for an instant only. No
    /// event tells of it, and its log does not end.
    pub fn set_state(&self, state: State) {
        self.with(|container| container.state = state);
    }

    /// Its health check comes to this result, and an event says so.
    pub fn set_health(&self, health: &str) {
        self.with(|container| container.health = Some(health.to_owned()));
        let action = format!("health_status: {health}");
        self.state.change(|inner| inner.emit(&self.id, &action));
    }

    /// Answers this to `stats` from now on.
    pub fn set_stats(&self, recorded: Value) {
        self.with(|container| container.stats = Some(recorded));
    }

    /// Kills the programs that are executed in it until they are killed.
    pub fn kill_execs(&self) {
        self.state.change(|inner| inner.kill_execs(&self.id));
    }

    /// It is gone at once, as by `docker rm --force`.
    pub fn remove(&self) {
        self.state.change(|inner| {
            inner.emit(&self.id, "destroy");
            inner.containers.remove(&self.id);
        });
    }

    fn with(&self, change: impl FnOnce(&mut Container)) {
        self.state.change(|inner| {
            if let Some(container) = inner.containers.get_mut(&self.id) {
                change(container);
            }
        });
    }
}
