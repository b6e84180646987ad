//! Running commands inside containers.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::logs::Source;

/// A command to run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Exec {
    /// The program and its arguments, without a shell.
    pub cmd: Vec<String>,
    /// `name`, `uid`, or either with `:group`; default: the container's.
    pub user: Option<String>,
    /// The working directory; default: the container's.
    pub workdir: Option<String>,
    /// Additional variables, `(name, value)`.
    pub env: Vec<(String, String)>,
    /// What the command reads; then it sees the end. Default: nothing.
    pub stdin: Option<Bytes>,
    /// Give it a terminal: both streams become one, with `\r\n`.
    pub tty: bool,
    /// Kill it after this time; default: never.
    pub timeout: Option<Duration>,
    /// Most bytes of output that [`DockerApiClient::exec_command`] collects, 0 for the default
    /// of 64 MiB.
    pub max_output: u64,
}

impl Exec {
    /// A command with the container's own user, directory and environment.
    pub fn new<I, S>(cmd: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self {
            cmd: cmd.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// What a command left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecResult {
    /// The program's own exit code; 128 and a signal's number if that killed it.
    pub exit_code: i64,
    /// What it wrote to standard output; with `tty`, to either.
    pub stdout: Bytes,
    /// What it wrote to standard error.
    pub stderr: Bytes,
}

impl ExecResult {
    /// Standard output as text; what is no UTF-8 becomes U+FFFD.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text; what is no UTF-8 becomes U+FFFD.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

/// What a running command yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecItem {
    /// Bytes that it wrote.
    Output {
        /// Where to.
        stream: Source,
        /// As they came, with no regard to lines.
        bytes: Bytes,
    },
    /// It ended; nothing follows.
    Exited {
        /// As [`ExecResult::exit_code`].
        exit_code: i64,
    },
}

/// A running command; the last item is [`ExecItem::Exited`] or an error.
pub struct ExecStream {
    _private: (),
}

impl Stream for ExecStream {
    type Item = Result<ExecItem, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl DockerApiClient {
    /// Runs a command to its end.
    pub async fn exec_command(
        &self,
        name: &str,
        exec: Exec,
    ) -> Result<ExecResult, DockerClientError> {
        let _ = (name, exec);
        Err(DockerClientError::unfinished("exec"))
    }

    /// Runs a command and yields its output as it comes.
    pub async fn exec_stream(
        &self,
        name: &str,
        exec: Exec,
    ) -> Result<ExecStream, DockerClientError> {
        let _ = (name, exec);
        Err(DockerClientError::unfinished("exec"))
    }
}
