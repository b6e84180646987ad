//! A request about logs that keeps the rules which need no look at what is stored.

use std::time::SystemTime;

use bytes::Bytes;
use tokio::time::Instant;

use super::input::Input;
use super::operation::{Operation, reader};
use super::store::LogStore;
use crate::refusal::Refusal;
use crate::service::body::Origin;

/// A request about logs, as a rule of [`fail_when`](crate::Logs::fail_when) sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogsRequest {
    /// When its headers had arrived, by the endpoint's clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
    /// For example `PutLogEvents`.
    pub operation: String,
    /// The group that it is about, where it names one.
    pub group: Option<String>,
    /// The stream that it is about, where it names one.
    pub stream: Option<String>,
    /// The events of `PutLogEvents`, in the order they were sent in.
    pub events: Vec<SentEvent>,
    /// The sequence token that was sent, which has no meaning any more.
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

/// One event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentEvent {
    /// Unix milliseconds.
    pub timestamp_ms: i64,
    /// The text.
    pub message: String,
}

/// What is asked for, and by whom.
pub(crate) struct Call {
    pub(crate) request: LogsRequest,
    operation: Operation,
    now_ms: i64,
}

impl Call {
    /// The call, or why it is refused whatever is stored.
    pub(crate) fn read(operation: &str, origin: Origin, body: &[u8]) -> Result<Self, Refusal> {
        let read = reader(operation)?;
        let mut input = Input::read(body)?;
        let mut request = LogsRequest {
            at: origin.at(),
            instant: origin.instant,
            operation: operation.to_owned(),
            group: input.log_group_name.clone(),
            stream: input.log_stream_name.clone(),
            events: Vec::new(),
            sequence_token: input.sequence_token.take(),
            access_key: origin.access_key,
            region: origin.region,
            body_bytes: origin.body_bytes,
            gzip: origin.gzip,
            user_agent: origin.user_agent,
        };
        let now_ms = origin.now.timestamp_millis();
        let operation = read(input, &mut request, now_ms)?;
        Ok(Self {
            request,
            operation,
            now_ms,
        })
    }

    /// Does it; gives the body of the answer, which is empty where the operation has no output.
    pub(crate) fn perform(self, store: &mut LogStore) -> Result<Bytes, Refusal> {
        let output = self.operation.perform(self.request, self.now_ms, store)?;
        Ok(output.map_or(Bytes::new(), |value| value.to_string().into()))
    }
}
