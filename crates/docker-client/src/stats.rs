//! What a container uses, as `docker stats` shows it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::transport::answer::AnswerBody;
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::client::DockerApiClient;
use crate::engine::body::{self, JsonLines};
use crate::engine::call::Call;
use crate::engine::{DEADLINE, Streamed};
use crate::error::DockerClientError;
use crate::name;
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
    /// From the API's JSON, of cgroup v1 or v2.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::Decode`].
    ///
    /// ```
    /// let json = br#"{"memory_stats":{"usage":300,"limit":1000,"stats":{"inactive_file":100}}}"#;
    /// let stats = docker_client::ContainerStats::from_json(json).unwrap();
    /// assert_eq!((stats.memory_bytes, stats.memory_percent), (200, 20.0));
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self, DockerClientError> {
        sample::Sample::parse(json)
            .map(|sample| sample.figures())
            .map_err(|source| {
                let operation = "read statistics".to_owned();
                DockerClientError::Decode {
                    operation,
                    source: Box::new(source),
                }
            })
    }
}

mod sample;

/// A sample comes each second; an engine that is silent for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(30);

/// Samples about once a second; ends when the container is removed. For a container that does
/// not run, figures are 0 and `read` is `None`.
pub struct StatsStream {
    samples: BoxStream<'static, Result<ContainerStats, DockerClientError>>,
}

impl Stream for StatsStream {
    type Item = Result<ContainerStats, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().samples.poll_next_unpin(cx)
    }
}

impl fmt::Debug for StatsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsStream").finish_non_exhaustive()
    }
}

impl DockerApiClient {
    /// One sample. It takes one to two seconds: the processor's share is over that time.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let stats = docker_client::get_docker_client().await?.stats("web").await?;
    /// println!("{:.1} %, {} bytes", stats.cpu_percent, stats.memory_bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stats(&self, name: &str) -> Result<ContainerStats, DockerClientError> {
        let call = Call::container("read the statistics of", name);
        let path = format!("/containers/{}/stats", name::container(name)?);
        let query = [("stream", "0".to_owned())];
        let answer = self.engine.open(call, Streamed::get(path, &query)).await?;
        let json =
            body::collect(answer.into_body(), call, MOST_JSON, DEADLINE, &self.engine).await?;
        ContainerStats::from_json(&json)
    }

    /// A sample about once a second. A broken connection is an error and the end.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut samples = docker.stats_stream("web").await?;
    /// while let Some(sample) = samples.next().await {
    ///     println!("{:.1} %", sample?.cpu_percent);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stats_stream(&self, name: &str) -> Result<StatsStream, DockerClientError> {
        let call = Call::container("read the statistics of", name);
        let path = format!("/containers/{}/stats", name::container(name)?);
        let query = [("stream", "1".to_owned())];
        let body = self
            .engine
            .open(call, Streamed::get(path, &query))
            .await?
            .into_body();
        let samples = Samples {
            client: self.clone(),
            name: name.to_owned(),
            body: Some(body),
            lines: JsonLines::default(),
        };
        let samples = stream::unfold(samples, |mut samples| async move {
            let sample = samples.next().await.transpose()?;
            if sample.is_err() {
                samples.body = None;
            }
            Some((sample, samples))
        });
        Ok(StatsStream {
            samples: samples.boxed(),
        })
    }
}

/// A sample has some kB, and a line for each network and device.
const MOST_JSON: u64 = 4 * 1024 * 1024;

struct Samples {
    client: DockerApiClient,
    name: String,
    /// `None` after the end.
    body: Option<AnswerBody>,
    lines: JsonLines,
}

impl Samples {
    async fn next(&mut self) -> Result<Option<ContainerStats>, DockerClientError> {
        let call = Call::container("read the statistics of", &self.name);
        loop {
            if let Some(line) = self.lines.next() {
                return ContainerStats::from_json(&line).map(Some);
            }
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            match body::next_within(body, call, SILENCE, &self.client.engine).await? {
                Some(bytes) if self.lines.push(&bytes) => {}
                Some(_) => {
                    let what = call.to_string();
                    return Err(DockerClientError::TooLarge {
                        what,
                        limit: MOST_JSON,
                    });
                }
                None => self.body = None,
            }
        }
    }
}
