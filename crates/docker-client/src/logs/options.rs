//! What to read of a log.

use std::time::Duration;

use crate::error::DockerClientError;
use crate::logs::LogCursor;
use crate::timestamp::Timestamp;

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
    /// Ask for the time of each line. Followed lines always have it.
    pub timestamps: bool,
    /// Longer lines come in pieces of this many bytes; default 1 MiB, at least 1.
    pub max_line: usize,
    /// Most bytes that `get_container_logs` collects; default 64 MiB.
    pub max_bytes: u64,
    /// Go on when the container is started again; default: end with it.
    pub follow_restarts: bool,
    /// How long an engine that does not answer is tried again; default 10 minutes.
    pub reconnect_for: Duration,
    /// Go on behind what an earlier stream delivered: its `cursor`.
    pub cursor: Option<LogCursor>,
    /// A stream that has no place in the cursor is read from its first line on, or from the
    /// cursor's floor; default: from where the other stream is. For cursors that were put together
    /// of what a reader has done with the lines, and not taken from its stream.
    pub unplaced_from_first: bool,
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
            unplaced_from_first: false,
        }
    }
}

impl LogOptions {
    /// The last so many lines.
    pub fn tail(lines: u64) -> Self {
        Self {
            tail: Some(lines),
            ..Self::default()
        }
    }

    pub(crate) fn check(&self) -> Result<(), DockerClientError> {
        let reason = match self {
            Self {
                stdout: false,
                stderr: false,
                ..
            } => "neither stdout nor stderr is asked for",
            Self { max_line: 0, .. } => "max_line must be at least 1",
            _ => return Ok(()),
        };
        Err(DockerClientError::InvalidArgument {
            argument: "log options",
            reason: reason.to_owned(),
        })
    }

    /// The query of a request.
    pub(crate) fn query(&self, request: LogRequest) -> Vec<(&'static str, String)> {
        let flag = |on: bool| u8::from(on).to_string();
        let mut query = vec![
            ("follow", flag(request.follow)),
            ("stdout", flag(self.stdout)),
            ("stderr", flag(self.stderr)),
            ("timestamps", flag(request.stamped)),
        ];
        if let Some(tail) = request.tail {
            query.push(("tail", tail.to_string()));
        }
        if let Some(since) = request.since {
            query.push(("since", seconds(since)));
        }
        if let Some(until) = self.until.filter(|_| request.until) {
            query.push(("until", seconds(until)));
        }
        query
    }
}

/// One request for a log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogRequest {
    pub(crate) follow: bool,
    pub(crate) stamped: bool,
    pub(crate) tail: Option<u64>,
    pub(crate) since: Option<Timestamp>,
    /// Ask for nothing behind the options' end.
    pub(crate) until: bool,
}

/// Seconds with nanoseconds, as the API takes them.
pub(crate) fn seconds(time: Timestamp) -> String {
    let nanos = time.nanos();
    format!(
        "{}.{:09}",
        nanos.div_euclid(1_000_000_000),
        nanos.rem_euclid(1_000_000_000)
    )
}
