//! Programs that are executed in a container: what is asked for, and the script of what happens.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::log::{Stream, frame};

/// The Process id, as the host sees it, of a program that was started.
const PID: u64 = 4242;
/// The exit code of what is killed.
pub(crate) const KILLED: i64 = 137;
/// What Docker says when there is no such program.
const NOT_FOUND: &str = "executable file not found in $PATH: unknown";

/// What a client wants to have executed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub cmd: Vec<String>,
    /// `NAME=value`, each.
    pub env: Vec<String>,
    /// Empty for the container's own.
    pub user: String,
    /// Empty for the container's own.
    pub workdir: String,
    /// With a terminal the output is not in frames.
    pub tty: bool,
    /// Whether standard input is attached.
    pub stdin: bool,
    /// All that was sent.
    pub body: Value,
}

impl ExecRequest {
    pub(crate) fn parse(body: Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let list = |name: &str| {
            let items = body[name].as_array().into_iter().flatten();
            let texts = items.filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        Self {
            cmd: list("Cmd"),
            env: list("Env"),
            user: text("User"),
            workdir: text("WorkingDir"),
            tty: body["Tty"] == true,
            stdin: body["AttachStdin"] == true,
            body,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Output(Stream, Bytes),
    Bytes(Bytes),
    EchoInput,
    Pause(Duration),
    UntilKilled,
    KillOthers,
}

/// What happens when a program is executed: a script of steps, and how it ends.
///
/// ```
/// # use docker_local::Exec;
/// let fails = Exec::new().stdout("half\n").stderr("no space left\n").exit(3);
/// let hangs = Exec::new().stdout("waiting\n").until_killed();
/// ```
#[derive(Clone, Debug)]
pub struct Exec {
    pub(crate) steps: Vec<Step>,
    pub(crate) exit_code: i64,
    pub(crate) pid: u64,
}

impl Exec {
    /// A program that ends at once with the code 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            exit_code: 0,
            pid: PID,
        }
    }

    /// A program that could not be started: the engine says so on standard output, gives 126
    /// or 127, and a process id of 0.
    #[must_use]
    pub fn not_started(exit_code: i64, message: &str) -> Self {
        let mut exec = Self::new().stdout(format!("{message}\r\n")).exit(exit_code);
        exec.pid = 0;
        exec
    }

    pub(crate) fn not_found(program: &str) -> Self {
        let what = "OCI runtime exec failed: exec failed: unable to start container process";
        Self::not_started(126, &format!("{what}: exec: {program:?}: {NOT_FOUND}"))
    }

    /// Writes to standard output.
    #[must_use]
    pub fn stdout(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Output(Stream::Stdout, bytes.into()))
    }

    /// Writes to standard error.
    #[must_use]
    pub fn stderr(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Output(Stream::Stderr, bytes.into()))
    }

    /// A frame of any kind, for example 3, with which an engine reports an error of its own.
    #[must_use]
    pub fn frame(self, kind: u8, payload: &[u8]) -> Self {
        self.bytes(frame(kind, payload))
    }

    /// Bytes that go out as they are, in no frame.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Bytes(bytes.into()))
    }

    /// Writes its standard input to standard output, until that ends.
    #[must_use]
    pub fn echo_input(self) -> Self {
        self.step(Step::EchoInput)
    }

    /// Waits.
    #[must_use]
    pub fn pause(self, time: Duration) -> Self {
        self.step(Step::Pause(time))
    }

    /// Runs until an [`Exec::kill_others`] in the same container, or
    /// [`ContainerHandle::kill_execs`](crate::ContainerHandle::kill_execs); then it ends with 137.
    #[must_use]
    pub fn until_killed(self) -> Self {
        self.step(Step::UntilKilled)
    }

    /// Kills what runs `until_killed` in the same container.
    #[must_use]
    pub fn kill_others(self) -> Self {
        self.step(Step::KillOthers)
    }

    /// Ends with this code.
    #[must_use]
    pub fn exit(mut self, code: i64) -> Self {
        self.exit_code = code;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Default for Exec {
    fn default() -> Self {
        Self::new()
    }
}

/// A program that was, or is yet to be, executed.
#[derive(Clone, Debug)]
pub(crate) struct ExecState {
    pub(crate) container: String,
    pub(crate) request: ExecRequest,
    pub(crate) script: Exec,
    pub(crate) started: bool,
    pub(crate) killed: bool,
    pub(crate) ended: Option<i64>,
}
