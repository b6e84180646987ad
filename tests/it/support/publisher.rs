//! The program as a process, in an environment of its own.

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::text;

/// How long a test waits for what should come soon: long enough for a crowded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process to be started.
#[derive(Clone)]
pub(crate) struct Setup {
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
    /// A program that starts it, and that program's arguments.
    wrapper: Vec<String>,
}

impl Setup {
    /// Publishes to this URL with retries that take no time to speak of.
    pub(crate) fn new(url: &str) -> Self {
        let setup = Self {
            variables: BTreeMap::new(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
        };
        setup
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ENDPOINT_URL", url)
            .with("AWS_ACCESS_KEY_ID", "test")
            .with("AWS_SECRET_ACCESS_KEY", "test")
            .with("AWS_EC2_METADATA_DISABLED", "true")
            .with("RETRY_BASE", "20ms")
            .with("RETRY_CAP", "100ms")
            .with("REQUEST_TIMEOUT", "30s")
            .with("HEALTH_ADDR", "off")
    }

    /// Only what [`Setup::with`] adds.
    pub(crate) fn bare() -> Self {
        Self {
            variables: BTreeMap::new(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Has another program start it.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub(crate) fn start(self) -> Publisher {
        let mut child = self.command().spawn().unwrap();
        let (lines, log) = watch::channel(Vec::new());
        let stdout = child.stdout.take().unwrap();
        let reading = tokio::spawn(async move {
            let mut stdout = BufReader::new(stdout).lines();
            while let Some(line) = stdout.next_line().await.unwrap() {
                lines.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        Publisher {
            child,
            log,
            reading,
        }
    }

    /// Starts it and waits until it ends by itself.
    pub(crate) async fn finish(self) -> Ended {
        self.start().ended().await
    }

    /// The command, its streams piped, for what [`Publisher`] cannot do.
    pub(crate) fn command(&self) -> Command {
        let own = [env!("CARGO_BIN_EXE_cw-publisher").to_owned()];
        let mut words = self.wrapper.iter().chain(&own);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .env_clear()
            .envs(&self.variables)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A running process; it is killed when it is dropped.
pub(crate) struct Publisher {
    child: Child,
    log: watch::Receiver<Vec<String>>,
    reading: JoinHandle<()>,
}

impl Publisher {
    /// Waits for a line with this message and gives the first.
    pub(crate) async fn line(&self, message: &str) -> Value {
        self.lines(message, 1).await.remove(0)
    }

    /// Waits for this many lines with a message.
    pub(crate) async fn lines(&self, message: &str, count: usize) -> Vec<Value> {
        let mut log = self.log.clone();
        let waiting = log.wait_for(|lines| with_message(lines, message).len() >= count);
        match timeout(PATIENCE, waiting).await {
            Ok(Ok(lines)) => with_message(&lines, message),
            _ => panic!(
                "no {count} lines {message:?} in {:#?}",
                self.log.borrow().clone()
            ),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The most memory that it held at a time, in KiB.
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        peak.parse().unwrap()
    }

    /// Waits until it ends.
    pub(crate) async fn ended(mut self) -> Ended {
        let mut stderr = String::new();
        let mut piped = self.child.stderr.take().unwrap();
        let ending = async {
            piped.read_to_string(&mut stderr).await.unwrap();
            let status = self.child.wait().await.unwrap();
            (&mut self.reading).await.unwrap();
            status
        };
        let Ok(status) = timeout(PATIENCE, ending).await else {
            panic!("it does not end: {:#?}", self.log.borrow().clone());
        };
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ended {
            status,
            output: self.log.borrow().clone(),
            stderr,
        }
    }

    /// Asks it to stop, and waits until it did.
    pub(crate) async fn stopped(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The lines of standard output.
    pub(crate) output: Vec<String>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// All lines with a message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        with_message(&self.output, message)
    }

    /// The only line with a message.
    pub(crate) fn line(&self, message: &str) -> Value {
        let mut lines = self.lines(message);
        assert_eq!(lines.len(), 1, "{message:?} in {self:#?}");
        lines.remove(0)
    }
}

fn with_message(lines: &[String], message: &str) -> Vec<Value> {
    let objects = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    objects
        .filter(|line| text(line, "message") == message)
        .collect()
}
