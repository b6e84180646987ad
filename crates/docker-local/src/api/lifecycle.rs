//! From start to removal.

use std::sync::Arc;

use super::{Call, conflict};
use crate::answer::Answer;
use crate::container::State;
use crate::exec::KILLED;
use crate::handle::ContainerHandle;
use crate::state::{Inner, SharedState};

/// The signals that end every program here.
const SIGNALS: [&str; 8] = ["KILL", "TERM", "INT", "QUIT", "HUP", "9", "15", "2"];

impl Call<'_> {
    fn in_state(&self, id: &str) -> State {
        self.state.lock().containers[id].state
    }

    fn not_running(what: &str, id: &str) -> Answer {
        conflict(&format!("{what}: Container {id} is not running"))
    }

    pub(super) fn start(&self, id: &str) -> Answer {
        match self.in_state(id) {
            State::Running | State::Restarting => Answer::empty(304),
            State::Paused => conflict("cannot start a paused container, try unpause instead"),
            State::Removing | State::Dead => {
                conflict("container is marked for removal and cannot be started")
            }
            State::Created | State::Exited => {
                self.state.start(id);
                Answer::empty(204)
            }
        }
    }

    /// Its programs obey at once.
    pub(super) fn stop(&self, id: &str, code: i64) -> Answer {
        if !self.in_state(id).is_running() {
            return Answer::empty(304);
        }
        self.state.change(|inner| {
            inner.end(id, code);
            inner.emit(id, "stop");
        });
        Answer::empty(204)
    }

    pub(super) fn restart(&self, id: &str) -> Answer {
        if matches!(self.in_state(id), State::Removing | State::Dead) {
            return conflict("container is marked for removal and cannot be started");
        }
        if self.in_state(id).is_running() {
            self.stop(id, 143);
        }
        self.state.start(id);
        self.state.change(|inner| inner.emit(id, "restart"));
        Answer::empty(204)
    }

    pub(super) fn kill(&self, id: &str) -> Answer {
        let name = self.request.query("signal").unwrap_or("KILL");
        let signal = name.strip_prefix("SIG").unwrap_or(name);
        if !SIGNALS.contains(&signal) && !["USR1", "USR2", "STOP", "CONT"].contains(&signal) {
            return Answer::error(400, &format!("Invalid signal: {name}"));
        }
        if !self.in_state(id).is_running() {
            return Self::not_running(&format!("Cannot kill container: {id}"), id);
        }
        self.state.change(|inner| {
            inner.emit(id, "kill");
            if SIGNALS.contains(&signal) {
                inner.end(id, KILLED);
            }
        });
        Answer::empty(204)
    }

    pub(super) fn pause(&self, id: &str) -> Answer {
        match self.in_state(id) {
            State::Running => self.switch(id, State::Paused, "pause"),
            State::Paused => conflict(&format!("Container {id} is already paused")),
            _ => conflict(&format!("Container {id} is not running")),
        }
    }

    pub(super) fn unpause(&self, id: &str) -> Answer {
        match self.in_state(id) {
            State::Paused => self.switch(id, State::Running, "unpause"),
            // It is a conflict of states and yet a 500.
            _ => Answer::error(500, &format!("Container {id} is not paused")),
        }
    }

    fn switch(&self, id: &str, to: State, event: &str) -> Answer {
        self.state.change(|inner| {
            if let Some(container) = inner.containers.get_mut(id) {
                container.state = to;
            }
            inner.emit(id, event);
        });
        Answer::empty(204)
    }

    pub(super) fn rename(&self, id: &str) -> Answer {
        let name = self.request.query("name").unwrap_or_default().to_owned();
        if name.is_empty() {
            return Answer::error(400, "Neither old nor new names may be empty");
        }
        self.state.change(|inner| {
            if let Some(taken) = inner.named(&name) {
                return conflict(&format!(
                    "Conflict. The container name \"/{name}\" is already in use by container \
                     \"{taken}\". You have to remove (or rename) that container to be able to \
                     reuse that name."
                ));
            }
            if let Some(container) = inner.containers.get_mut(id) {
                container.name = name;
            }
            inner.emit(id, "rename");
            Answer::empty(204)
        })
    }

    pub(super) fn remove(&self, id: &str) -> Answer {
        let state = self.in_state(id);
        if state == State::Removing {
            return conflict(&format!("removal of container {id} is already in progress"));
        }
        if state.is_running() && !self.request.flag("force") {
            let (kind, advice) = match state {
                State::Paused => ("paused", "Unpause and then stop the container"),
                _ => (state.name(), "Stop the container"),
            };
            return conflict(&format!(
                "You cannot remove a {kind} container {id}. {advice} before attempting removal \
                 or force remove"
            ));
        }
        self.state.change(|inner| {
            if state.is_running() {
                inner.end(id, KILLED);
            }
            inner.emit(id, "destroy");
            inner.containers.remove(id);
        });
        Answer::empty(204)
    }
}

impl SharedState {
    /// Starts a container that does not run, and its image's program.
    pub(crate) fn start(self: &Arc<Self>, id: &str) {
        let program = self.change(|inner| {
            let now = inner.now();
            let container = inner.containers.get_mut(id)?;
            container.state = State::Running;
            container.started = now;
            container.pid = 4242;
            let image = container.image.clone();
            inner.emit(id, "start");
            inner.images.get(&image).cloned().flatten()
        });
        if let Some(program) = program {
            program(&ContainerHandle::new(id.to_owned(), self.clone()));
        }
    }
}

impl Inner {
    /// The program of a container ends.
    pub(crate) fn end(&mut self, id: &str, code: i64) {
        let now = self.now();
        self.kill_execs(id);
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        container.state = State::Exited;
        container.exit_code = code;
        container.finished = now;
        container.pid = 0;
        container.log.end_run(now);
        self.emit(id, "die");
    }

    pub(crate) fn kill_execs(&mut self, id: &str) {
        let execs = self.execs.values_mut();
        for exec in execs.filter(|exec| exec.container == id && exec.started) {
            exec.killed = true;
        }
    }
}
