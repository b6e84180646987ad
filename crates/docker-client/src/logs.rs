//! Logs of containers: read at once, or followed without gaps and repeats.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::StreamExt;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::timestamp::Timestamp;

pub(crate) mod cursor;
mod follow;
pub(crate) mod frame;
mod line;
mod options;
mod place;
mod raw;
mod reader;
mod stamp;
mod stream;
#[cfg(test)]
mod tests;

pub use options::LogOptions;
pub(crate) use options::seconds;
pub use place::{LogCursor, LogPosition, ParseCursorError};
pub use stream::LogStream;

/// Which of the two standard streams a line was written to. A container with a TTY has only
/// [`Source::Stdout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
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

/// A hole: the engine threw away the place up to which the log had been read, as rotation does,
/// and what lay behind it may be gone too.
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

/// A log as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerLogs {
    /// The lines in the engine's order.
    pub lines: Vec<LogLine>,
}

impl ContainerLogs {
    /// Both streams in the engine's order as text, one line each; what is no UTF-8 becomes
    /// U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Both streams in the engine's order, byte for byte.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for line in &self.lines {
            all.extend_from_slice(&line.bytes);
            if !line.partial {
                all.push(b'\n');
            }
        }
        all
    }
}

impl DockerApiClient {
    /// The log as it is now, at most `max_bytes` of it (64 MiB unless set).
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`]; [`DockerClientError::LogsUnavailable`] if the
    /// logging driver keeps nothing; [`DockerClientError::TooLarge`] if there is more than
    /// `max_bytes`: use `tail`, `since` or [`DockerApiClient::read_container_logs`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::LogOptions;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let logs = docker.get_container_logs("web", LogOptions::tail(100)).await?;
    /// print!("{}", logs.text());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<ContainerLogs, DockerClientError> {
        let limit = options.max_bytes;
        let mut stream = self.read_container_logs(name, options).await?;
        let mut logs = ContainerLogs::default();
        let mut bytes = 0;
        while let Some(item) = stream.next().await {
            if let LogItem::Line(line) = item? {
                // An empty line takes memory too.
                bytes += line.bytes.len() as u64 + 1;
                if bytes > limit {
                    let what = format!("the log of container {name:?}");
                    return Err(DockerClientError::TooLarge { what, limit });
                }
                logs.lines.push(line);
            }
        }
        Ok(logs)
    }

    /// The log as it is now, as a stream that ends there: constant memory, whatever its size.
    /// With `timestamps` it survives cut connections as
    /// [`DockerApiClient::follow_container_logs`] does; without, the cut of a `json-file` log,
    /// which is read faster so, is an error.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::get_container_logs`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::{LogItem, LogOptions};
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut log = docker.read_container_logs("web", LogOptions::default()).await?;
    /// let mut lines = 0;
    /// while let Some(item) = log.next().await {
    ///     lines += usize::from(matches!(item?, LogItem::Line(line) if !line.partial));
    /// }
    /// println!("{lines} lines");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<LogStream, DockerClientError> {
        LogStream::open(self, name, options, false).await
    }

    /// Follows the log: from the beginning (or `tail`, `since`, `cursor`) on, each line once,
    /// in order within each stream, over cut connections, engine restarts and log rotation, as
    /// far as the engine kept the log. Ends when the container has ended and everything was
    /// read; with `follow_restarts` it waits for the next start, and ends when the container is
    /// removed. The container is followed by id: a rename does not matter.
    ///
    /// Lines longer than `max_line` (1 MiB unless set) come in pieces with `partial`. A quiet
    /// log has no time-out: after 30 s of silence the engine is asked whether there is news.
    ///
    /// What the engine itself loses cannot be seen here: Docker 20.10 loses lines when tiny log
    /// files rotate in a burst. What it repeats then is left out. When a line longer than 16 KiB was written to a
    /// TTY and the driver is `local`, engines that end no chunk run it into the next line.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`], also in the middle if it is removed while the
    /// connection is cut; [`DockerClientError::LogsUnavailable`] if the logging driver keeps
    /// nothing; [`DockerClientError::EngineUnavailable`] when the engine stayed away for
    /// `reconnect_for`. An error is the stream's last item.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::{LogItem, LogOptions};
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut log = docker.follow_container_logs("web", LogOptions::default()).await?;
    /// while let Some(item) = log.next().await {
    ///     match item? {
    ///         LogItem::Line(line) => println!("{:?}: {}", line.stream, line.text()),
    ///         LogItem::Gap(gap) => println!("lines may be missing after {}", gap.after),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow_container_logs(
        &self,
        name: &str,
        options: LogOptions,
    ) -> Result<LogStream, DockerClientError> {
        LogStream::open(self, name, options, true).await
    }
}
