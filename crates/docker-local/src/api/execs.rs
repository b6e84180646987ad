//! Executing programs.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Call, conflict};
use crate::answer::{Answer, Body, Reply};
use crate::container::State;
use crate::exec::{Exec, ExecRequest, ExecState, KILLED, Step};
use crate::log::{Stream, frame};
use crate::state::SharedState;

/// How much input or output waits for the other side, in pieces.
const WAITING: usize = 16;

impl Call<'_> {
    pub(super) fn create_exec(&self, container: &str) -> Answer {
        let request = ExecRequest::parse(self.request.json());
        if request.cmd.is_empty() {
            return Answer::error(400, "No exec command specified");
        }
        let mut inner = self.state.lock();
        let id = inner.new_id();
        let found = &inner.containers[container];
        match found.state {
            State::Running => {}
            State::Paused => {
                let advice = "unpause the container before exec";
                return conflict(&format!("Container {container} is paused, {advice}"));
            }
            State::Restarting => {
                let advice = "wait until the container is running";
                return conflict(&format!("Container {container} is restarting, {advice}"));
            }
            _ => return conflict(&format!("Container {container} is not running")),
        }
        let script = found.exec.clone();
        drop(inner);
        // A script may look at the engine.
        let script = match script {
            Some(script) => script(&request),
            None => Exec::not_found(&request.cmd[0]),
        };
        let exec = ExecState {
            container: container.to_owned(),
            request,
            script,
            started: false,
            killed: false,
            ended: None,
        };
        self.state
            .change(|inner| inner.execs.insert(id.clone(), exec));
        Answer::of(201, &json!({ "Id": id }))
    }

    pub(super) fn start_exec(&self, id: &str) -> Reply {
        let mut inner = self.state.lock();
        let Some(exec) = inner.execs.get_mut(id) else {
            return no_such_exec(id).into();
        };
        if exec.started {
            let message = format!("Error: Exec command {id} has already run");
            return conflict(&message).into();
        }
        exec.started = true;
        let detached = self.request.json()["Detach"] == true;
        let script = exec.script.clone();
        let (send_output, output) = mpsc::channel(WAITING);
        let (send_input, input) = mpsc::channel(WAITING);
        let running = Running {
            state: self.state.clone(),
            id: id.to_owned(),
            framed: !exec.request.tty,
            output: send_output,
            input,
        };
        inner.running.spawn(running.run(script));
        if detached {
            return Answer::bytes(200, "").into();
        }
        let pieces = stream::unfold(output, |mut output| async {
            let piece: Bytes = output.recv().await?;
            Some((piece, output))
        });
        let upgrade = self.request.upgrades();
        let reply = Reply {
            status: if upgrade { 101 } else { 200 },
            headers: Vec::new(),
            body: Body::Hijacked {
                pieces: pieces.boxed(),
                input: send_input,
            },
        };
        let reply = reply.header("Content-Type", "application/vnd.docker.raw-stream");
        if !upgrade {
            return reply;
        }
        reply
            .header("Connection", "Upgrade")
            .header("Upgrade", "tcp")
    }

    pub(super) fn inspect_exec(&self, id: &str) -> Answer {
        let inner = self.state.lock();
        let Some(exec) = inner.execs.get(id) else {
            return no_such_exec(id);
        };
        let request = &exec.request;
        let pid = if exec.started { exec.script.pid } else { 0 };
        let exec = json!({
            "ID": id,
            "Running": exec.started && exec.ended.is_none(),
            "ExitCode": exec.ended,
            "ProcessConfig": {
                "tty": request.tty,
                "entrypoint": request.cmd[0],
                "arguments": request.cmd[1..],
                "privileged": false,
            },
            "OpenStdin": request.stdin,
            "OpenStdout": true,
            "OpenStderr": true,
            "CanRemove": false,
            "ContainerID": exec.container,
            "DetachKeys": "",
            "Pid": pid,
        });
        Answer::of(200, &exec)
    }
}

fn no_such_exec(id: &str) -> Answer {
    Answer::error(404, &format!("No such exec instance: {id}"))
}

/// A program that is executed. It goes on when nobody listens any more.
struct Running {
    state: Arc<SharedState>,
    id: String,
    framed: bool,
    output: mpsc::Sender<Bytes>,
    input: mpsc::Receiver<Bytes>,
}

impl Running {
    async fn run(mut self, script: Exec) {
        let mut code = script.exit_code;
        for step in script.steps {
            match step {
                Step::Output(stream, bytes) => self.write(stream, &bytes).await,
                Step::Bytes(bytes) => self.send(bytes).await,
                Step::EchoInput => {
                    while let Some(bytes) = self.input.recv().await {
                        self.write(Stream::Stdout, &bytes).await;
                    }
                }
                Step::Pause(time) => sleep(time).await,
                Step::KillOthers => self.state.change(|inner| {
                    let container = inner.execs.get(&self.id).map(|e| e.container.clone());
                    inner.kill_execs(&container.unwrap_or_default());
                }),
                Step::UntilKilled => {
                    let id = &self.id;
                    let killed = |inner: &crate::state::Inner| {
                        inner.execs.get(id).is_none_or(|exec| exec.killed)
                    };
                    self.state.until(killed).await;
                    code = KILLED;
                    break;
                }
            }
        }
        self.state.change(|inner| {
            if let Some(exec) = inner.execs.get_mut(&self.id) {
                exec.ended = Some(code);
            }
        });
    }

    async fn write(&self, stream: Stream, bytes: &[u8]) {
        if self.framed {
            self.send(frame(stream.number(), bytes)).await;
        } else {
            self.send(Bytes::copy_from_slice(bytes)).await;
        }
    }

    async fn send(&self, bytes: Bytes) {
        // Nobody listens any more if it fails.
        let _ = self.output.send(bytes).await;
    }
}
