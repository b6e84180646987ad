//! The two APIs of the endpoint: how requests to each are told, read and answered.

use bytes::Bytes;
use hyper::http::request::Parts;
use serde_json::json;

use super::body::Origin;
use super::metrics;
use crate::fault::Fault;
use crate::journal::Journal;
use crate::logs;
use crate::protocol::write_refusal;
use crate::refusal::Refusal;
use crate::state::Inner;
use crate::store::ReceivedRequest;

/// What the header `X-Amz-Target` begins with in requests about logs.
const LOGS_TARGET: &str = "Logs_20140328.";
const JSON: &str = "application/x-amz-json-1.1";
/// The longest name of an operation that is kept of a request.
const OPERATION_SHOWN: usize = 100;
/// Largest metrics request, compressed or not (API Reference, `PutMetricData`: 1 MB).
pub(super) const METRICS_BODY_MAX: usize = 1024 * 1024;
/// Largest logs request, compressed or not: a batch of 1 MiB of control characters, each of
/// which JSON spells with six, and what stands around 10,000 events.
const LOGS_BODY_MAX: usize = 8 * 1024 * 1024;

/// To whom a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// CloudWatch, by Smithy RPC v2 CBOR.
    Metrics,
    /// CloudWatch Logs, by AWS JSON 1.1.
    Logs,
}

impl Api {
    /// The API, and the name of the operation, as the headers have them.
    pub(super) fn of(head: &Parts) -> (Self, String) {
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
        let target = header("x-amz-target");
        let operation = target.and_then(|target| target.strip_prefix(LOGS_TARGET));
        let is_json = header("content-type").is_some_and(|text| text.starts_with(JSON));
        if operation.is_some() || is_json {
            let operation = operation.or(target).unwrap_or_default();
            return (
                Self::Logs,
                operation.chars().take(OPERATION_SHOWN).collect(),
            );
        }
        (Self::Metrics, metrics::OPERATION.to_owned())
    }

    /// The name that its requests are signed for.
    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::Metrics => "monitoring",
            Self::Logs => "logs",
        }
    }

    pub(super) fn body_max(self) -> usize {
        match self {
            Self::Metrics => METRICS_BODY_MAX,
            Self::Logs => LOGS_BODY_MAX,
        }
    }

    pub(super) fn journal(self, inner: &mut Inner) -> &mut Journal {
        match self {
            Self::Metrics => &mut inner.metrics.journal,
            Self::Logs => &mut inner.logs.journal,
        }
    }

    /// The fault of the next request of this operation.
    pub(super) fn fault(self, inner: &mut Inner, operation: &str) -> Option<Fault> {
        match self {
            Self::Metrics => inner.metrics.faults.take(operation),
            Self::Logs => inner.logs.faults.take(operation),
        }
    }

    /// What is asked for, or why it is refused.
    pub(super) fn read(
        self,
        head: &Parts,
        operation: &str,
        origin: Origin,
        body: &[u8],
    ) -> Result<Call, Refusal> {
        let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
        if self == Self::Metrics {
            return metrics::read(head, origin, body).map(Call::Metrics);
        }
        let is_json = header("content-type").is_some_and(|text| text.starts_with(JSON));
        if head.uri.path() != "/" || head.method != "POST" || !is_json {
            return Err(Refusal::new(
                400,
                "UnknownOperationException",
                format!("a request about logs is a POST of {JSON} to /"),
            ));
        }
        let plain = origin.plain(body, LOGS_BODY_MAX)?;
        let call = logs::Call::read(operation, origin, &plain)?;
        Ok(Call::Logs(Box::new(call)))
    }

    /// The refusal in the words of this API.
    pub(super) fn word(self, refusal: Refusal) -> Refusal {
        match self {
            Self::Metrics => refusal,
            Self::Logs => refusal.for_logs(),
        }
    }

    /// Headers of each answer in the protocol.
    pub(super) fn headers(self) -> Vec<(String, String)> {
        let (name, value) = match self {
            // The operation has no output, so the protocol asks for no content type.
            Self::Metrics => ("smithy-protocol", "rpc-v2-cbor"),
            Self::Logs => ("content-type", JSON),
        };
        vec![(name.to_owned(), value.to_owned())]
    }

    /// Headers and body of an error.
    pub(super) fn refusal(self, refusal: &Refusal) -> (Vec<(String, String)>, Bytes) {
        let mut headers = self.headers();
        if self == Self::Logs {
            let mut body = json!({ "__type": refusal.code, "message": refusal.message });
            if let Some(token) = &refusal.expected_sequence_token {
                body["expectedSequenceToken"] = json!(token);
            }
            return (headers, body.to_string().into());
        }
        let fault = if refusal.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        headers.push(("content-type".to_owned(), "application/cbor".to_owned()));
        headers.push((
            "x-amzn-query-error".to_owned(),
            format!("{};{fault}", refusal.code),
        ));
        (headers, write_refusal(refusal).into())
    }

    /// Shaped as the service's, and telling which request of the log it was.
    pub(super) fn request_id(self, number: usize) -> String {
        let api = match self {
            Self::Metrics => "8000",
            Self::Logs => "9000",
        };
        format!("00000000-0000-4000-{api}-{number:012x}")
    }
}

/// A request that keeps the rules.
pub(super) enum Call {
    Metrics(ReceivedRequest),
    Logs(Box<logs::Call>),
}

impl Call {
    /// How many points or log events it holds.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Metrics(request) => request.points.len(),
            Self::Logs(call) => call.request.events.len(),
        }
    }

    /// The fault that it meets for what it holds.
    pub(super) fn fault(&self, inner: &Inner) -> Option<Fault> {
        match self {
            Self::Metrics(request) => inner.metrics.faults.of_content(request),
            Self::Logs(call) => inner.logs.faults.of_content(&call.request),
        }
    }

    /// Does it; gives the body of the answer, or why it cannot be done.
    pub(super) fn perform(self, inner: &mut Inner) -> Result<Bytes, Refusal> {
        match self {
            Self::Metrics(request) => {
                inner.metrics.store.accept(request);
                Ok(Bytes::new())
            }
            Self::Logs(call) => call.perform(&mut inner.logs.store),
        }
    }
}
