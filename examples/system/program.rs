//! The programs as processes of their own, built from this workspace, and what they say.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than each of them takes by its own settings.
const GRACE: Duration = Duration::from_secs(60);

/// Of which side a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The demonstration's own words.
    Own,
    /// A program's.
    Inner,
}

pub(crate) fn say(text: &str) {
    tell("", Side::Own, text);
}

/// A line, and who said it.
pub(crate) fn tell(name: &str, side: Side, line: &str) {
    match side {
        Side::Own => println!("── {line}"),
        Side::Inner => println!("{name:<13}| {line}"),
    }
}

/// Builds what this example starts, as it was built itself; gives the folder.
///
/// They are no dependencies of the publisher, not even of its examples, so cargo is asked here.
pub(crate) async fn build() -> io::Result<PathBuf> {
    let example = std::env::current_exe()?;
    let folder = example.ancestors().nth(2).unwrap_or(Path::new("/"));
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .args(["--package", "flow-manager", "--package", "cw-run", "--bins"]);
    if folder.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    succeeded("cargo build", cargo.status().await?)?;
    Ok(folder.to_owned())
}

pub(crate) fn succeeded(what: &str, status: ExitStatus) -> io::Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{what} ended with {status}")))
}

/// A program that runs, and whose lines are passed on.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    readers: JoinSet<()>,
}

impl Program {
    /// Starts a program of this workspace with nothing of this process's environment but where
    /// Docker is: the user's AWS profile and proxies have no part in a demonstration.
    pub(crate) fn start(
        name: &'static str,
        folder: &Path,
        words: &[&str],
        settings: Vec<(&'static str, String)>,
    ) -> io::Result<Self> {
        let mut command = Command::new(folder.join(name));
        command
            .args(words)
            .env_clear()
            .envs(docker_host())
            .env("LOG_FORMAT", "text")
            .envs(settings);
        Self::spawn(name, command)
    }

    pub(crate) fn spawn(name: &'static str, mut command: Command) -> io::Result<Self> {
        // Ctrl-C reaches this process alone, which then stops the others in their order.
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut readers = JoinSet::new();
        readers.spawn(pass_on(name, child.stdout.take()));
        readers.spawn(pass_on(name, child.stderr.take()));
        Ok(Self {
            name,
            child,
            readers,
        })
    }

    /// Waits for its end; it may be dropped at any moment.
    pub(crate) async fn ended(&mut self) {
        let _ = self.child.wait().await;
    }

    /// Asks it to stop, as Docker does, and waits until it has.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        // Without an id it has ended.
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id as i32)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = timeout(GRACE, self.child.wait()).await;
        let Ok(status) = ended else {
            return Err(io::Error::other(format!("{} does not stop", self.name)));
        };
        status?;
        while self.readers.join_next().await.is_some() {}
        Ok(())
    }
}

async fn pass_on(name: &'static str, pipe: Option<impl AsyncRead + Unpin>) {
    let Some(pipe) = pipe else { return };
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tell(name, Side::Inner, &line);
    }
}

/// Where Docker is, if it is not where it usually is.
#[expect(
    clippy::disallowed_methods,
    reason = "what a user says of Docker holds for what is started here"
)]
fn docker_host() -> Option<(&'static str, String)> {
    let host = std::env::var("DOCKER_HOST").ok();
    host.map(|host| ("DOCKER_HOST", host))
}
