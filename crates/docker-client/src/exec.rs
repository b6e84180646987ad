//! Running commands inside containers.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::exec::session::Session;
use crate::logs::Source;

mod command;
mod kill;
mod session;

/// What `exec_command` collects unless `max_output` is set.
const MOST_OUTPUT: u64 = 64 * 1024 * 1024;

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

/// A running command; the last item is [`ExecItem::Exited`] or an error. Dropping it leaves the
/// command running.
pub struct ExecStream {
    items: BoxStream<'static, Result<ExecItem, DockerClientError>>,
}

impl Stream for ExecStream {
    type Item = Result<ExecItem, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().items.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ExecStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecStream").finish_non_exhaustive()
    }
}

impl DockerApiClient {
    /// Runs a command to its end and gives what it wrote, each stream apart, and its exit code.
    ///
    /// A command that closes its output and goes on is waited for. At `timeout` it is killed
    /// inside the container, with what it started: every process that has the variable
    /// `DOCKER_CLIENT_EXEC` of this call.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`]; [`DockerClientError::NotRunning`];
    /// [`DockerClientError::Conflict`] if it is paused; [`DockerClientError::ContainerCommand`]
    /// if the command could not be started; [`DockerClientError::ExecTimeout`];
    /// [`DockerClientError::TooLarge`] if it wrote more than `max_output`: it is killed then.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::Exec;
    /// use std::time::Duration;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut sort = Exec::new(["sort", "-r"]);
    /// sort.stdin = Some("a\nb\n".into());
    /// sort.timeout = Some(Duration::from_secs(5));
    /// let result = docker.exec_command("web", sort).await?;
    /// assert_eq!((result.exit_code, &*result.stdout_text()), (0, "b\na\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exec_command(
        &self,
        name: &str,
        exec: Exec,
    ) -> Result<ExecResult, DockerClientError> {
        let limit = if exec.max_output == 0 {
            MOST_OUTPUT
        } else {
            exec.max_output
        };
        let mut session = Session::start(self, name, exec).await?;
        let (mut stdout, mut stderr) = (BytesMut::new(), BytesMut::new());
        loop {
            match session.next().await? {
                Some(ExecItem::Output { stream, bytes }) => match stream {
                    Source::Stdout => stdout.extend_from_slice(&bytes),
                    Source::Stderr => stderr.extend_from_slice(&bytes),
                },
                Some(ExecItem::Exited { exit_code }) => {
                    let (stdout, stderr) = (stdout.freeze(), stderr.freeze());
                    return Ok(ExecResult {
                        exit_code,
                        stdout,
                        stderr,
                    });
                }
                None => return Err(broken_off(&session)),
            }
            if (stdout.len() + stderr.len()) as u64 > limit {
                session.command().kill().await;
                let what = format!("the output of a command in container {name:?}");
                return Err(DockerClientError::TooLarge { what, limit });
            }
        }
    }

    /// Runs a command and yields its output as it comes; the last item is its exit code.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::exec_command`], without a limit of the output.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::{Exec, ExecItem};
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut backup = docker.exec_stream("db", Exec::new(["pg_dump", "app"])).await?;
    /// while let Some(item) = backup.next().await {
    ///     match item? {
    ///         ExecItem::Output { bytes, .. } => println!("{} bytes", bytes.len()),
    ///         ExecItem::Exited { exit_code } => println!("exit code {exit_code}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exec_stream(
        &self,
        name: &str,
        exec: Exec,
    ) -> Result<ExecStream, DockerClientError> {
        let session = Session::start(self, name, exec).await?;
        let items = stream::unfold(Some(session), |session| async move {
            let mut session = session?;
            match session.next().await {
                Ok(Some(item @ ExecItem::Output { .. })) => Some((Ok(item), Some(session))),
                Ok(Some(item)) => Some((Ok(item), None)),
                Ok(None) => Some((Err(broken_off(&session)), None)),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(ExecStream {
            items: items.boxed(),
        })
    }
}

fn broken_off(session: &Session) -> DockerClientError {
    session
        .command()
        .told("the output ended without an exit code")
}
