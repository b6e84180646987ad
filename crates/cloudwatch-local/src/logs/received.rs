//! What was accepted, as tests read it.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

/// One event that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Its place in the order of arrival among all events, from 1.
    pub number: u64,
    /// The batch that it came in: the `number` of a [`ReceivedBatch`].
    pub batch: u64,
    /// Its group.
    pub group: Arc<str>,
    /// Its stream.
    pub stream: Arc<str>,
    /// Unix milliseconds, as sent.
    pub timestamp_ms: i64,
    /// When it arrived, in Unix milliseconds by the endpoint's clock.
    pub ingestion_ms: i64,
    /// The text.
    pub message: Arc<str>,
}

/// One accepted `PutLogEvents`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBatch {
    /// Its place in the order of acceptance, from 1.
    pub number: u64,
    /// When its headers had arrived, by the endpoint's clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
    /// Its group.
    pub group: Arc<str>,
    /// Its stream.
    pub stream: Arc<str>,
    /// How many events it held, those that were too old or too new included.
    pub sent: usize,
    /// How many of them were accepted.
    pub accepted: usize,
    /// The sequence token that was sent.
    pub sequence_token: Option<String>,
    /// The access key that signed it.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
    /// Bytes of the body as sent, compressed or not.
    pub body_bytes: usize,
    /// Whether the body was compressed.
    pub gzip: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}
