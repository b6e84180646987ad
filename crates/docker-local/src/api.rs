//! What the engine answers by itself: which request goes where.

mod archive;
mod containers;
mod engine;
mod execs;
mod images;
mod inspect;
mod lifecycle;
mod wait;

use std::sync::Arc;

use serde_json::json;

use crate::answer::{Answer, Reply};
use crate::events;
use crate::filters::Filters;
use crate::output::{self, Query};
use crate::request::ReceivedRequest;
use crate::state::SharedState;

/// A request in its turn.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a Arc<SharedState>,
    pub(crate) request: &'a ReceivedRequest,
}

pub(crate) fn answer(state: &Arc<SharedState>, request: &ReceivedRequest) -> Reply {
    if let Some(refusal) = engine::check_version(state, request) {
        return refusal.into();
    }
    let call = Call { state, request };
    let segments = request.segments();
    let method = &*request.method;
    match (method, &*segments) {
        ("GET" | "HEAD", ["_ping"]) => Answer::bytes(200, "OK").into(),
        ("GET", ["version"]) => engine::version(state).into(),
        ("GET", ["info"]) => engine::info(state).into(),
        ("GET", ["events"]) => call.events(),
        ("GET", ["containers", "json"]) => call.list().into(),
        ("POST", ["containers", "create"]) => call.create().into(),
        ("POST", ["exec", id, "start"]) => call.start_exec(id),
        ("GET", ["exec", id, "json"]) => call.inspect_exec(id).into(),
        ("POST", ["exec", id, "resize"]) => call.inspect_exec(id).into(),
        ("POST", ["images", "create"]) => call.pull(),
        ("GET", ["images", "json"]) => call.images().into(),
        ("GET", ["images", name @ .., "json"]) => call.image(&name.join("/")).into(),
        (_, ["containers", name, rest @ ..]) => {
            // A statement of its own: what follows takes the lock too.
            let found = state.lock().resolve(name);
            match found {
                Some(id) => call.container(&id, rest),
                None => no_such_container(name).into(),
            }
        }
        _ => Answer::error(404, "page not found").into(),
    }
}

pub(crate) fn no_such_container(name: &str) -> Answer {
    Answer::error(404, &format!("No such container: {name}"))
}

impl Call<'_> {
    fn container(&self, id: &str, rest: &[&str]) -> Reply {
        match (&*self.request.method, rest) {
            ("GET", ["json"]) => self.inspect(id).into(),
            ("GET", ["logs"]) => self.logs(id),
            ("GET", ["stats"]) => self.stats(id),
            ("GET" | "PUT" | "HEAD", ["archive"]) => self.archive(id).into(),
            ("POST", ["exec"]) => self.create_exec(id).into(),
            ("POST", ["wait"]) => self.wait(id),
            ("POST", ["start"]) => self.start(id).into(),
            ("POST", ["stop"]) => self.stop(id, 143).into(),
            ("POST", ["restart"]) => self.restart(id).into(),
            ("POST", ["kill"]) => self.kill(id).into(),
            ("POST", ["pause"]) => self.pause(id).into(),
            ("POST", ["unpause"]) => self.unpause(id).into(),
            ("POST", ["rename"]) => self.rename(id).into(),
            ("DELETE", []) => self.remove(id).into(),
            _ => Answer::error(404, "page not found").into(),
        }
    }

    fn logs(&self, id: &str) -> Reply {
        let query = match Query::parse(self.request) {
            Ok(query) => query,
            Err((status, message)) => return Answer::error(status, &message).into(),
        };
        let (tty, driver) = {
            let inner = self.state.lock();
            let container = &inner.containers[id];
            (container.tty, container.log_driver)
        };
        if driver == crate::container::LogDriver::None {
            let message = "configured logging driver does not support reading";
            return Answer::error(501, message).into();
        }
        self.stream_type(tty, Reply::pieces(output::read(self.state, id, query)))
    }

    /// Since version 1.42 the type tells frames from a terminal's output.
    fn stream_type(&self, tty: bool, reply: Reply) -> Reply {
        let minor = |version: &str| version.split_once('.').and_then(|(_, m)| m.parse().ok());
        let version = self.request.version.as_ref();
        let version = version.unwrap_or(&self.state.versions.newest);
        if minor(version).is_none_or(|minor: u32| minor < 42) {
            return reply;
        }
        let kind = if tty { "raw" } else { "multiplexed" };
        reply.header(
            "Content-Type",
            &format!("application/vnd.docker.{kind}-stream"),
        )
    }

    fn events(&self) -> Reply {
        let Some(filters) = Filters::parse(self.request) else {
            return Answer::error(400, "invalid filter").into();
        };
        let events = events::subscribe(self.state, self.request, filters);
        Reply::pieces(events).header("Content-Type", "application/json")
    }
}

/// Something that the engine refuses for the state that a container is in.
pub(crate) fn conflict(message: &str) -> Answer {
    Answer::of(409, &json!({ "message": message }))
}
