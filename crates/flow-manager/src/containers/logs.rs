//! Logs of containers: some lines at once, or as they come.

use std::collections::VecDeque;

use docker_client::{LogItem, LogOptions, LogStream, Timestamp};
use futures_util::StreamExt;

use super::ContainerManager;
use crate::failure::Failure;
use crate::model::LogText;

/// Most lines that are asked for at once.
pub const LOG_TAIL_MAX: u64 = 10_000;
/// Most bytes of them: an answer must find room in the client's queue.
const BYTES_MAX: usize = 1024 * 1024;
/// Longer lines come in pieces.
const LINE_MAX: usize = 64 * 1024;
/// What JSON adds to a line, about.
const LINE_COST: usize = 80;

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
            bytes += line.bytes.len() + LINE_COST;
            lines.push_back(LogText::from(line));
            while bytes > BYTES_MAX {
                let Some(oldest) = lines.pop_front() else {
                    break;
                };
                bytes = bytes.saturating_sub(oldest.text.len() + LINE_COST);
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
        let mut options = LogOptions::tail(0);
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
