//! Whether a log that has gone silent was read to where it is to be read.

use std::time::Duration;

use docker_client::{DockerApiClient, LogCursor, LogItem, LogOptions, Source};
use futures_util::StreamExt;

/// An engine that takes longer to say what the last line is has not given all lines either.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the last line of the log was read. Silence alone does not say so: the engine may be
/// away, or on its way through a long log.
pub(super) async fn is_read(docker: &DockerApiClient, id: &str, cursor: &LogCursor) -> bool {
    let mut options = LogOptions::tail(1);
    options.timestamps = true;
    options.reconnect_for = Duration::ZERO;
    let last = async {
        let mut log = docker.read_container_logs(id, options).await.ok()?;
        let mut last = None;
        while let Some(item) = log.next().await {
            if let LogItem::Line(line) = item.ok()? {
                last = Some(line);
            }
        }
        Some(last)
    };
    let Ok(Some(last)) = tokio::time::timeout(PATIENCE, last).await else {
        return false;
    };
    let Some((line, time)) = last.and_then(|line| line.timestamp.map(|time| (line, time))) else {
        return true;
    };
    let place = match line.stream {
        Source::Stdout => cursor.stdout,
        Source::Stderr => cursor.stderr,
    };
    let is_unwanted = cursor.floor.is_some_and(|floor| time < floor);
    is_unwanted || place.is_some_and(|place| place.nanos >= time.nanos())
}
