//! Logs of containers: read at once or followed without gaps and repeats.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::timestamp::Timestamp;

/// Which of the two standard streams a line was written to. A container with a TTY has only
/// [`Source::Stdout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What to read of a container's log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogOptions {
    /// Read standard output; default `true`.
    pub stdout: bool,
    /// Read standard error; default `true`.
    pub stderr: bool,
    /// Begin with the last so many lines; default: with the first.
    pub tail: Option<u64>,
    /// Begin with the lines of this instant.
    pub since: Option<Timestamp>,
    /// End with the lines of this instant.
    pub until: Option<Timestamp>,
    /// Ask for the time of each line (reading at once; followed lines always have it).
    pub timestamps: bool,
    /// Longer lines come in pieces of this many bytes; default 1 MiB, at least 1.
    pub max_line: usize,
    /// Most bytes that [`DockerApiClient::get_container_logs`] collects; default 64 MiB.
    pub max_bytes: u64,
    /// Go on when the container is started again; default: end with it.
    pub follow_restarts: bool,
    /// How long an engine that does not answer is tried again; default 10 minutes.
    pub reconnect_for: Duration,
    /// Go on behind what an earlier stream delivered: its [`LogStream::cursor`].
    pub cursor: Option<LogCursor>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            stdout: true,
            stderr: true,
            tail: None,
            since: None,
            until: None,
            timestamps: false,
            max_line: 1024 * 1024,
            max_bytes: 64 * 1024 * 1024,
            follow_restarts: false,
            reconnect_for: Duration::from_secs(600),
            cursor: None,
        }
    }
}

/// One line of a log, or a piece of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written to.
    pub stream: Source,
    /// When the engine read it; `None` if times were not asked for.
    pub timestamp: Option<Timestamp>,
    /// The line without its newline; a TTY's `\r` stays.
    pub bytes: Bytes,
    /// No newline follows: a piece of a line longer than `max_line` that is not its last, or the
    /// container's last words without a newline.
    pub partial: bool,
}

impl LogLine {
    /// The line as text; what is no UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// A hole: the engine threw away the place up to which the log had been read (rotation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogGap {
    /// Which stream it is in.
    pub stream: Source,
    /// The last line delivered before it.
    pub after: Timestamp,
    /// The first line behind it.
    pub before: Timestamp,
}

/// What a followed log yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A line, or a piece of one.
    Line(LogLine),
    /// Lines may be missing here.
    Gap(LogGap),
}

/// A place in one stream of a log: all lines up to and with the `lines`th at `nanos`, and
/// `offset` bytes of the line behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The instant of the last delivered line.
    pub nanos: i64,
    /// How many lines at that instant were delivered whole.
    pub lines: u32,
    /// How many bytes of the next line at that instant were delivered in pieces.
    pub offset: u64,
}

/// A place in a log; `Display` and `FromStr` are one line of ASCII, for a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCursor {
    /// In standard output; `None` if nothing was delivered.
    pub stdout: Option<LogPosition>,
    /// In standard error; `None` if nothing was delivered.
    pub stderr: Option<LogPosition>,
    /// Lines before this instant are not wanted.
    pub floor: Option<Timestamp>,
}

/// A log as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerLogs {
    /// The lines in the engine's order.
    pub lines: Vec<LogLine>,
}

impl ContainerLogs {
    /// Both streams as text, as `docker logs` prints them.
    pub fn text(&self) -> String {
        String::new()
    }
}

/// A followed log; ends when the container has ended and everything was read.
pub struct LogStream {
    _private: (),
}

impl LogStream {
    /// The container's full id.
    pub fn container_id(&self) -> &str {
        ""
    }

    /// The place behind the last item that was taken.
    pub fn cursor(&self) -> LogCursor {
        LogCursor::default()
    }
}

impl Stream for LogStream {
    type Item = Result<LogItem, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl DockerApiClient {
    /// The log as it is now, at most `max_bytes` of it.
    pub async fn get_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<ContainerLogs, DockerClientError> {
        let _ = (name, options);
        Err(DockerClientError::unfinished("logs"))
    }

    /// The log as it is now as a stream that ends there: constant memory, whatever its size.
    pub async fn read_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<LogStream, DockerClientError> {
        let _ = (name, options);
        Err(DockerClientError::unfinished("logs"))
    }

    /// Follows the log: no line lost and none twice, as far as the engine kept it.
    pub async fn follow_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<LogStream, DockerClientError> {
        let _ = (name, options);
        Err(DockerClientError::unfinished("logs"))
    }
}
