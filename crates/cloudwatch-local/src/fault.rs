//! Misbehaviour on command: what the endpoint does instead of answering as the service would.

use std::time::Duration;

use bytes::Bytes;

use crate::refusal::Refusal;
use crate::store::{ReceivedPoint, ReceivedRequest};

mod faults;

pub(crate) use faults::Faults;

/// The begin of an answer in either protocol, and not its end.
pub(crate) const TRUNCATED: &[u8] = b"HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\n\
    content-type: application/cbor\r\ncontent-length: 100\r\n\r\n\xbf";

/// One way to misbehave.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) action: Action,
    pub(crate) delay: Duration,
    pub(crate) headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Go on as usual, after the delay.
    Proceed,
    Refuse(Refusal),
    Respond {
        status: u16,
        body: Bytes,
    },
    Hang,
    CutUnread,
    CutAccepted,
    HangAccepted,
    TruncateAccepted,
    Raw(Bytes),
}

impl Fault {
    /// An error in the service's own form.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::of(Action::Refuse(Refusal::new(
            status,
            code.to_owned(),
            message,
        )))
    }

    /// `Throttling`, the service's answer to too many requests.
    #[must_use]
    pub fn throttling() -> Self {
        Self::error(400, "Throttling", "Rate exceeded")
    }

    /// A status alone, as a proxy or a load balancer answers.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::body(status, "")
    }

    /// A status with a body that is not of the protocol, for example an HTML page.
    #[must_use]
    pub fn body(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::of(Action::Respond { status, body })
    }

    /// An answer as usual, but late.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::of(Action::Proceed).after(delay)
    }

    /// No answer at all; the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Action::Hang)
    }

    /// The connection is cut before the body is read.
    #[must_use]
    pub fn cut() -> Self {
        Self::of(Action::CutUnread)
    }

    /// The request is accepted, then the connection is cut before the answer: the client
    /// cannot know.
    #[must_use]
    pub fn cut_after_accepting() -> Self {
        Self::of(Action::CutAccepted)
    }

    /// The request is accepted and never answered: a timeout that counts twice if retried.
    #[must_use]
    pub fn hang_after_accepting() -> Self {
        Self::of(Action::HangAccepted)
    }

    /// Bytes in the place of an HTTP response; then the connection is cut.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::of(Action::Raw(bytes.into()))
    }

    /// An answer that is not HTTP. Nothing is accepted.
    #[must_use]
    pub fn garbage() -> Self {
        Self::raw(&b"\x16\x03\x01\x00\xa5garbage\x00\xff\r\n\r\n"[..])
    }

    /// An answer that ends in the middle of its body. Nothing is accepted.
    #[must_use]
    pub fn truncated() -> Self {
        Self::raw(TRUNCATED)
    }

    /// The request is accepted, then the answer ends in the middle of its body.
    #[must_use]
    pub fn truncated_after_accepting() -> Self {
        Self::of(Action::TruncateAccepted)
    }

    /// `AccessDeniedException`, as one whom IAM forbids the operation is answered.
    #[must_use]
    pub fn access_denied() -> Self {
        let message =
            "User: arn:aws:iam::000000000000:user/test is not authorized to perform this operation";
        Self::error(400, "AccessDeniedException", message)
    }

    /// The service's own failure, with status 500.
    #[must_use]
    pub fn internal() -> Self {
        Self::error(500, "InternalFailure", "An internal error occurred.")
    }

    /// `OperationAbortedException`: another change of the same log group is under way.
    #[must_use]
    pub fn operation_aborted() -> Self {
        let message = "A conflicting operation is currently in progress against this resource. Please try again.";
        Self::error(400, "OperationAbortedException", message)
    }

    /// `LimitExceededException`: the account has as many log groups as it may.
    #[must_use]
    pub fn limit_exceeded() -> Self {
        let message = "Resource limit exceeded.";
        Self::error(400, "LimitExceededException", message)
    }

    /// `InvalidSequenceTokenException`, as the service answered until 2023, with the token
    /// that it says to expect.
    #[must_use]
    pub fn invalid_sequence_token(expected: &str) -> Self {
        let message = format!(
            "The given sequenceToken is invalid. The next expected sequenceToken is: {expected}"
        );
        Self::expecting("InvalidSequenceTokenException", message, expected)
    }

    /// `DataAlreadyAcceptedException`, as the service answered until 2023 to a batch that it
    /// had, with the token of the batch to come.
    #[must_use]
    pub fn data_already_accepted(expected: &str) -> Self {
        let message = format!(
            "The given batch of log events has already been accepted. \
             The next batch can be sent with sequenceToken: {expected}"
        );
        Self::expecting("DataAlreadyAcceptedException", message, expected)
    }

    /// A status with a body that begins as CBOR and is none. Nothing is accepted.
    #[must_use]
    pub fn malformed(status: u16) -> Self {
        Self::body(status, &b"\xbf\x66__type\x7f"[..])
            .with_header("content-type", "application/cbor")
            .with_header("smithy-protocol", "rpc-v2-cbor")
    }

    /// Waits before doing what it does.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// A header of the answer, for example `retry-after`.
    ///
    /// # Panics
    /// When answering, if the name or the value cannot stand in a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn expecting(code: &'static str, message: String, token: &str) -> Self {
        let mut refusal = Refusal::new(400, code, message);
        refusal.expected_sequence_token = Some(token.to_owned());
        Self::of(Action::Refuse(refusal))
    }

    fn of(action: Action) -> Self {
        Self {
            action,
            delay: Duration::ZERO,
            headers: Vec::new(),
        }
    }
}

/// How a poisoned point is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The message names the first bad member, as the service does.
    Named,
    /// The message names every bad member, a line each, as the service does for its own rules.
    AllNamed,
    /// The message names no member.
    Unnamed,
}

/// The fault that a request to put points meets for the points that are bad.
pub(crate) fn poisoned(
    request: &ReceivedRequest,
    is_bad: impl Fn(&ReceivedPoint) -> bool,
    blame: Blame,
) -> Option<Fault> {
    let bad: Vec<_> = request
        .points
        .iter()
        .enumerate()
        .filter(|(_, point)| is_bad(point))
        .map(|(i, point)| {
            let value = point.value();
            let member = i + 1;
            format!("The value {value} for parameter MetricData.member.{member}.Value is invalid.")
        })
        .collect();
    let message = match blame {
        _ if bad.is_empty() => return None,
        Blame::Named => bad[0].clone(),
        Blame::AllNamed => bad.join("\n"),
        Blame::Unnamed => "The request holds a value that is invalid.".to_owned(),
    };
    Some(Fault::error(400, "InvalidParameterValue", &message))
}
