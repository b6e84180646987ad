//! Logs of containers: some lines at once, or as they come.

use std::collections::VecDeque;

use docker_client::{LogItem, LogOptions, LogStream, Timestamp};
use futures_util::StreamExt;

use super::ContainerManager;
use crate::failure::Failure;
use crate::json::text_length;
use crate::model::LogText;
use crate::time::Moment;

/// Most lines that are asked for at once.
pub const LOG_TAIL_MAX: u64 = 10_000;
/// Most bytes of them as they are sent: an answer must find room in the client's queue.
const BYTES_MAX: usize = 1024 * 1024;
/// Longer lines come in pieces.
const LINE_MAX: usize = 64 * 1024;
/// What a line costs beside its text, about.
const LINE_COST: usize = 80;
/// Most logs that are read at once: each takes its bytes and a connection to the engine.
pub(super) const READINGS_MAX: usize = 8;

/// What is counted is the text that is sent: a byte that is no text is three, and a control
/// character six.
fn cost(line: &LogText) -> usize {
    text_length(&line.text) + LINE_COST
}

/// Some lines of a log.
#[derive(Debug)]
pub struct LogExcerpt {
    /// The full id.
    pub container_id: String,
    /// The lines, the oldest first.
    pub lines: Vec<LogText>,
    /// Whether older ones were left out for want of room.
    pub truncated: bool,
}

impl ContainerManager {
    /// The last lines of a container's log.
    ///
    /// # Errors
    ///
    /// [`crate::failure::ErrorCode::LogsUnavailable`] and those of the engine.
    pub async fn get_container_logs(
        &self,
        name: &str,
        tail: u64,
        since: Option<Timestamp>,
    ) -> Result<LogExcerpt, Failure> {
        let id = self.resolve(name)?;
        let mut options = LogOptions::tail(tail.min(LOG_TAIL_MAX));
        options.since = since;
        options.timestamps = true;
        options.max_line = LINE_MAX;
        let _reading = self.inner.log_readings.acquire().await;
        let mut log = self
            .inner
            .engine
            .client()?
            .read_container_logs(&id, options)
            .await?;
        let (mut lines, mut bytes, mut truncated) = (VecDeque::new(), 0, false);
        while let Some(item) = log.next().await {
            let LogItem::Line(line) = item? else {
                continue;
            };
            let line = LogText::from(line);
            bytes += cost(&line);
            lines.push_back(line);
            while bytes > BYTES_MAX {
                let Some(oldest) = lines.pop_front() else {
                    break;
                };
                bytes -= cost(&oldest);
                truncated = true;
            }
        }
        Ok(LogExcerpt {
            container_id: id,
            lines: lines.into(),
            truncated,
        })
    }

    /// The log of a container from now on, over its restarts.
    ///
    /// # Errors
    ///
    /// As [`ContainerManager::get_container_logs`].
    pub async fn follow_container_logs(&self, name: &str) -> Result<LogStream, Failure> {
        let id = self.resolve(name)?;
        let mut options = LogOptions::default();
        options.since = Some(Moment::now().0);
        options.follow_restarts = true;
        options.max_line = LINE_MAX;
        Ok(self
            .inner
            .engine
            .client()?
            .follow_container_logs(&id, options)
            .await?)
    }
}
