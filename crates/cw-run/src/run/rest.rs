//! What is left in a container's log when shipping is given up.

use std::time::Duration;

use docker_client::{DockerApiClient, LogCursor, LogItem, LogOptions, Timestamp};
use futures_util::StreamExt;

/// Counting is for the one who reads the last line of the log, not worth a longer wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that were never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) lines: u64,
    /// When the first of them was written.
    pub(super) since: Option<Timestamp>,
    /// There are no more.
    pub(super) is_all: bool,
}

impl Rest {
    /// All was read.
    pub(super) const NOTHING: Self = Self {
        lines: 0,
        since: None,
        is_all: true,
    };
}

/// Counts what lies behind this place.
pub(super) async fn count(docker: &DockerApiClient, id: &str, place: Option<LogCursor>) -> Rest {
    let mut rest = Rest::default();
    let mut options = LogOptions::default();
    options.timestamps = true;
    options.cursor = place;
    let counting = async {
        let Ok(mut log) = docker.read_container_logs(id, options).await else {
            return;
        };
        while let Some(item) = log.next().await {
            match item {
                Ok(LogItem::Line(line)) => {
                    rest.lines += u64::from(!line.bytes.is_empty());
                    rest.since = rest.since.or(line.timestamp);
                }
                Ok(LogItem::Gap(_)) => {}
                Err(_) => return,
            }
        }
        rest.is_all = true;
    };
    // What was counted by then is said.
    let _ = tokio::time::timeout(PATIENCE, counting).await;
    rest
}
