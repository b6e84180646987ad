//! Waiting for a container: the head of the answer comes at once, its body when it happened.

use futures_util::stream;
use serde_json::json;

use super::Call;
use crate::answer::{Answer, Reply};
use crate::container::State;
use crate::state::Inner;

#[derive(Clone, Copy)]
enum Condition {
    NotRunning,
    NextExit { run: usize },
    Removed,
}

impl Call<'_> {
    pub(super) fn wait(&self, id: &str) -> Reply {
        let inner = self.state.lock();
        let condition = match self.request.query("condition").unwrap_or("not-running") {
            "" | "not-running" => Condition::NotRunning,
            "next-exit" => Condition::NextExit {
                run: inner.containers[id].log.run(),
            },
            "removed" => Condition::Removed,
            other => return Answer::error(400, &format!("invalid condition: {other:?}")).into(),
        };
        drop(inner);
        let (state, id) = (self.state.clone(), id.to_owned());
        let done = async move {
            let mut code = 0;
            loop {
                let mut changes = state.changes();
                if condition.met(&state.lock(), &id, &mut code) {
                    break;
                }
                // The state, and with it the sender, lives as long as this.
                let _ = changes.changed().await;
            }
            format!("{}\n", json!({"Error": null, "StatusCode": code})).into()
        };
        Reply::pieces(stream::once(done)).header("Content-Type", "application/json")
    }
}

impl Condition {
    fn met(self, inner: &Inner, id: &str, code: &mut i64) -> bool {
        let Some(container) = inner.containers.get(id) else {
            return true;
        };
        *code = container.exit_code;
        match self {
            Self::NotRunning => container.state == State::Created || !container.state.is_running(),
            Self::NextExit { run } => container.log.run() > run,
            Self::Removed => false,
        }
    }
}
