//! An engine, a service, and the program between them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use cloudwatch_local::CloudWatchLocal;
use docker_local::{ContainerHandle, DockerLocal};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GROUP: &str = "jobs";
pub(crate) const STREAM: &str = "today";

pub(crate) struct World {
    pub(crate) engine: DockerLocal,
    pub(crate) aws: CloudWatchLocal,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The line of the log with this message.
    pub(crate) fn logged(&self, message: &str) -> Option<Value> {
        let lines = self
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["message"] == message)
    }

    /// What is not of the log.
    pub(crate) fn text(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| !line.starts_with('{'))
            .collect()
    }
}

/// The program, with nothing of this process's environment.
pub(crate) fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cw-run"));
    command
        .args(words)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn end(child: Child) -> Ended {
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("it did not end")
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A checkpoint's file that is not there yet, in a folder of its own.
pub(crate) struct File {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job");
        Self {
            _folder: folder,
            path,
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// What runs a container with it.
    pub(crate) fn run<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let run = [
            "--checkpoint",
            self.text(),
            "--name",
            "job",
            "--",
            "fixture:1",
        ];
        [more, &run[..]].concat()
    }

    /// What attaches to a container with it.
    pub(crate) fn attach<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["attach", "web", "--checkpoint", self.text()], more].concat()
    }

    /// Whether it holds this.
    pub(crate) fn holds(&self, text: &str) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|content| content.contains(text))
    }
}

/// Ends it as `kill -9` does.
pub(crate) async fn kill(mut child: Child) {
    child.start_kill().unwrap();
    child.wait().await.unwrap();
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            engine: DockerLocal::builder().start().await.unwrap(),
            aws: CloudWatchLocal::builder().start().await.unwrap(),
        }
    }

    /// The program on its way here.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = program(words);
        command
            .env("DOCKER_HOST", self.engine.url())
            .env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", self.aws.url())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("CW_RUN_GROUP", GROUP)
            .env("CW_RUN_STREAM", STREAM)
            .env("CW_RUN_FLUSH_INTERVAL", "100ms");
        command
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    pub(crate) async fn run(&self, words: &[&str]) -> Ended {
        end(self.start(words)).await
    }

    /// Every message of the stream, in the order of arrival.
    pub(crate) fn messages(&self) -> Vec<String> {
        let messages = self.aws.logs().messages(GROUP, STREAM);
        messages.iter().map(ToString::to_string).collect()
    }

    /// A container that was made over the API, once it runs.
    pub(crate) async fn running(&self, name: &str) -> ContainerHandle {
        eventually("the container runs", || {
            let state = self
                .engine
                .container(name)
                .and_then(|container| container.state());
            state == Some(docker_local::State::Running)
        })
        .await;
        self.engine.container(name).unwrap()
    }

    pub(crate) async fn arrived(&self, count: u64) {
        self.aws.logs().events_at_least(count).await;
    }
}

pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("waited 30 s until {what}");
}

pub(crate) async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill")
        .args(["-s", name, &pid])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
}

pub(crate) fn numbered(lines: std::ops::Range<usize>) -> Vec<String> {
    lines.map(|number| format!("line {number}")).collect()
}

pub(crate) fn text(lines: std::ops::Range<usize>) -> String {
    lines.map(|number| format!("line {number}\n")).collect()
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn a_minute_ago() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the engine's log has real times")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_nanos() as i64 - 60_000_000_000
}
