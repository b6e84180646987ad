//! What a container uses, as `docker stats` shows it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::timestamp::Timestamp;

/// One sample of what a container uses.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ContainerStats {
    /// When the engine read it; `None` for a container that does not run.
    pub read: Option<Timestamp>,
    /// Per cent of one processor: 150 is one and a half.
    pub cpu_percent: f64,
    /// Bytes without the page cache that can be dropped.
    pub memory_bytes: u64,
    /// The limit in bytes; without one, the host's memory.
    pub memory_limit_bytes: u64,
    /// Per cent of the limit; 0 without one.
    pub memory_percent: f64,
    /// Bytes received over all networks.
    pub network_rx_bytes: u64,
    /// Bytes sent over all networks.
    pub network_tx_bytes: u64,
    /// Bytes read from block devices.
    pub block_read_bytes: u64,
    /// Bytes written to block devices.
    pub block_write_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl ContainerStats {
    /// From the API's JSON, cgroup v1 or v2.
    pub fn from_json(json: &[u8]) -> Result<Self, DockerClientError> {
        let _ = json;
        Err(DockerClientError::unfinished("stats"))
    }
}

/// Samples about once a second; ends when the container is removed.
pub struct StatsStream {
    _private: (),
}

impl Stream for StatsStream {
    type Item = Result<ContainerStats, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl DockerApiClient {
    /// One sample. Takes one to two seconds: the processor's share is over that time.
    pub async fn stats(&self, name: &str) -> Result<ContainerStats, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("stats"))
    }

    /// A sample about once a second.
    pub async fn stats_stream(&self, name: &str) -> Result<StatsStream, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("stats"))
    }
}
