//! What a failure of the service means for what was asked of it.

use std::time::Duration;

use retry_policy::{RequestError, RequestErrorKind};

/// What was asked of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `CreateLogGroup`.
    CreateGroup,
    /// `PutRetentionPolicy`.
    PutRetention,
    /// `CreateLogStream`.
    CreateStream,
    /// `DescribeLogStreams`.
    DescribeStreams,
    /// `PutLogEvents`.
    PutEvents,
}

impl Operation {
    /// As the API and IAM spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateGroup => "CreateLogGroup",
            Self::PutRetention => "PutRetentionPolicy",
            Self::CreateStream => "CreateLogStream",
            Self::DescribeStreams => "DescribeLogStreams",
            Self::PutEvents => "PutLogEvents",
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as if it had succeeded.
    Done,
    /// The group or the stream is not there: create it, and ask again.
    Missing,
    /// Ask once more with the token that the service expects.
    Token,
    /// The service or the way to it is at fault: ask again, not before `after`.
    Retry {
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// The service asks for less: ask again, at longer and longer intervals.
    Throttled {
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// Nobody knows what this is about: ask again; if that does not help, some of the events
    /// may be at fault.
    Unknown {
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// Somebody must act first: keep everything, and ask again now and then.
    Hold,
    /// Some of the events are at fault.
    Isolate,
    /// The request is too large: send it in halves.
    Split,
}

/// Codes and beginnings of codes by which AWS asks for fewer requests.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottledException",
    "TooManyRequests",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
];

/// The verdict on a failure.
#[must_use]
pub fn verdict(operation: Operation, failure: &RequestError) -> Verdict {
    let (code, status, retry_after) = match &failure.kind {
        RequestErrorKind::Rejected {
            code,
            status,
            retry_after,
            ..
        } => (code.as_str(), *status, *retry_after),
        _ => ("", 0, None),
    };
    let is = |known: &str| code.starts_with(known);
    match operation {
        Operation::PutEvents if is("DataAlreadyAccepted") => return Verdict::Done,
        Operation::PutEvents if is("InvalidSequenceToken") => return Verdict::Token,
        Operation::CreateGroup | Operation::CreateStream if is("ResourceAlreadyExists") => {
            return Verdict::Done;
        }
        Operation::CreateGroup | Operation::CreateStream if is("LimitExceeded") => {
            return Verdict::Hold;
        }
        _ if is("ResourceNotFound") => return Verdict::Missing,
        _ if is("OperationAborted") => return Verdict::Retry { after: retry_after },
        _ if status == 429 || THROTTLED.iter().any(|known| is(known)) => {
            return Verdict::Throttled { after: retry_after };
        }
        _ => {}
    }
    match (failure.verdict(), operation) {
        (retry_policy::Verdict::Retry { after }, _) => Verdict::Retry { after },
        (retry_policy::Verdict::Hold, _) => Verdict::Hold,
        (retry_policy::Verdict::Unknown { after }, Operation::PutEvents) => {
            Verdict::Unknown { after }
        }
        (retry_policy::Verdict::Unknown { after }, _) => Verdict::Throttled { after },
        (retry_policy::Verdict::Isolate, Operation::PutEvents) => Verdict::Isolate,
        (retry_policy::Verdict::Split, Operation::PutEvents) => Verdict::Split,
        // A name, a key or a class is wrong.
        (retry_policy::Verdict::Isolate | retry_policy::Verdict::Split, _) => Verdict::Hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(operation: Operation, status: u16, code: &str) -> Verdict {
        verdict(
            operation,
            &RequestError::from(RequestErrorKind::Rejected {
                status,
                code: code.to_owned(),
                message: String::new(),
                retry_after: None,
            }),
        )
    }

    const RETRY: Verdict = Verdict::Retry { after: None };
    const THROTTLE: Verdict = Verdict::Throttled { after: None };
    const UNKNOWN: Verdict = Verdict::Unknown { after: None };

    #[test]
    fn every_row_of_putting_events_has_its_verdict() {
        for (status, code, expected) in [
            (400, "ResourceNotFoundException", Verdict::Missing),
            (400, "InvalidSequenceTokenException", Verdict::Token),
            (400, "DataAlreadyAcceptedException", Verdict::Done),
            (400, "OperationAbortedException", RETRY),
            (400, "ThrottlingException", THROTTLE),
            (400, "Throttling", THROTTLE),
            (400, "TooManyRequestsException", THROTTLE),
            (400, "RequestLimitExceeded", THROTTLE),
            (429, "", THROTTLE),
            (500, "", RETRY),
            (502, "", RETRY),
            (503, "ServiceUnavailableException", RETRY),
            (504, "", RETRY),
            (408, "RequestTimeoutException", RETRY),
            (500, "InternalServiceFault", RETRY),
            (400, "LimitExceededException", RETRY),
            (400, "RequestExpired", RETRY),
            (400, "InvalidParameterException", Verdict::Isolate),
            (400, "InvalidParameterValue", Verdict::Isolate),
            (400, "ValidationException", Verdict::Isolate),
            (413, "", Verdict::Split),
            (400, "AccessDeniedException", Verdict::Hold),
            (403, "AccessDenied", Verdict::Hold),
            (400, "UnrecognizedClientException", Verdict::Hold),
            (403, "InvalidClientTokenId", Verdict::Hold),
            (400, "ExpiredTokenException", Verdict::Hold),
            (403, "SignatureDoesNotMatch", Verdict::Hold),
            (403, "OptInRequired", Verdict::Hold),
            (400, "SomethingNew", UNKNOWN),
            (404, "", UNKNOWN),
        ] {
            assert_eq!(
                on(Operation::PutEvents, status, code),
                expected,
                "{status} {code}"
            );
        }
    }

    #[test]
    fn every_row_of_creating_has_its_verdict() {
        for (code, expected) in [
            ("ResourceAlreadyExistsException", Verdict::Done),
            ("OperationAbortedException", RETRY),
            ("LimitExceededException", Verdict::Hold),
            ("ResourceNotFoundException", Verdict::Missing),
            ("ThrottlingException", THROTTLE),
            ("InvalidParameterException", Verdict::Hold),
            ("AccessDeniedException", Verdict::Hold),
            ("ServiceUnavailableException", RETRY),
            ("SomethingNew", THROTTLE),
        ] {
            assert_eq!(on(Operation::CreateGroup, 400, code), expected, "{code}");
            assert_eq!(on(Operation::CreateStream, 400, code), expected, "{code}");
        }
    }

    #[test]
    fn no_answer_is_retried_and_no_credentials_are_held() {
        let of = |kind| verdict(Operation::PutEvents, &RequestError::from(kind));
        assert_eq!(of(RequestErrorKind::NoResponse), RETRY);
        assert_eq!(of(RequestErrorKind::CredentialsUnavailable), RETRY);
        assert_eq!(of(RequestErrorKind::NoCredentials), Verdict::Hold);
    }
}
