//! What is asked of CloudWatch Logs.

use std::future::Future;

use retry_policy::RequestError;

use super::StreamName;
use crate::event::Event;
use crate::job::GroupSettings;

/// CloudWatch Logs, one attempt a call.
pub trait LogsService: Send + Sync + 'static {
    /// Whether requests could be signed.
    fn ready(&self) -> impl Future<Output = Result<(), RequestError>> + Send;

    /// `CreateLogGroup`.
    fn create_group(
        &self,
        group: &str,
        settings: &GroupSettings,
    ) -> impl Future<Output = Result<(), RequestError>> + Send;

    /// `PutRetentionPolicy`.
    fn put_retention(
        &self,
        group: &str,
        days: i32,
    ) -> impl Future<Output = Result<(), RequestError>> + Send;

    /// `CreateLogStream`.
    fn create_stream(
        &self,
        group: &str,
        stream: &str,
    ) -> impl Future<Output = Result<(), RequestError>> + Send;

    /// Whether there is such a stream (`DescribeLogStreams`).
    fn stream_exists(
        &self,
        name: &StreamName,
    ) -> impl Future<Output = Result<bool, RequestError>> + Send;

    /// `PutLogEvents`.
    fn put_events(
        &self,
        name: &StreamName,
        events: &[Event],
        token: Option<&str>,
    ) -> impl Future<Output = Result<Rejected, PutRefused>> + Send;
}

/// What of a batch that was taken the service threw away. The batch is in the order of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// So many at the beginning were too old, or older than the group's retention.
    pub too_old: usize,
    /// From this one on they were too far ahead.
    pub too_new_from: Option<usize>,
}

/// Why events were not taken.
#[derive(Debug)]
pub struct PutRefused {
    /// What came back.
    pub failure: RequestError,
    /// The token that the service expects, if it says so.
    pub expected_token: Option<String>,
}

impl From<RequestError> for PutRefused {
    fn from(failure: RequestError) -> Self {
        Self {
            failure,
            expected_token: None,
        }
    }
}
