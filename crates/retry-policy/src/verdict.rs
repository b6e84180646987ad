//! What a failure means for what was sent.

use std::time::Duration;

use diagnostics::redacted_prefix;

use crate::{RequestError, RequestErrorKind};

/// What to do after a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The service or the way to it is at fault: send again, not before `after`.
    Retry {
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// Nobody knows what this refusal is about: send again, not before `after`. If that
    /// does not help, some of the points may be at fault.
    Unknown {
        /// What the service asks for.
        after: Option<Duration>,
    },
    /// Somebody must act first: keep the points, do not retry in this tick.
    Hold,
    /// Some of the points are at fault.
    Isolate,
    /// The request is too large: send it in halves.
    Split,
}

/// Codes and beginnings of codes that only somebody's action can change
/// (CloudWatch API Reference, "Common Errors").
const HOLD: &[&str] = &[
    "ExpiredToken",
    "AccessDenied",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignature",
    "OptInRequired",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "NotAuthorized",
];

/// Codes and beginnings of codes that blame a point.
const ISOLATE: &[&str] = &[
    "InvalidParameter",
    "MissingParameter",
    "MissingRequiredParameter",
    "Validation",
];

/// Codes and beginnings of codes that blame the service, the load or the clock whatever
/// status they come with (CloudWatch API Reference, "Common Errors").
const RETRY: &[&str] = &[
    "Throttling",
    "TooManyRequests",
    "RequestLimitExceeded",
    "LimitExceeded",
    "InternalService",
    "ServiceUnavailable",
    "RequestTimeout",
    "RequestExpired",
    "RequestTimeTooSkewed",
];

/// Statuses of client errors that blame the moment (RFC 9110, 15.5.9; RFC 6585, 4).
const RETRY_STATUSES: &[u16] = &[408, 429];

impl RequestError {
    /// The verdict of design §5.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.kind {
            RequestErrorKind::NoResponse | RequestErrorKind::CredentialsUnavailable => {
                Verdict::Retry { after: None }
            }
            RequestErrorKind::NoCredentials => Verdict::Hold,
            RequestErrorKind::Rejected {
                status,
                code,
                message,
                retry_after,
            } => {
                let is = |codes: &[&str]| codes.iter().any(|known| code.starts_with(known));
                // A wrong clock is told apart from a wrong secret by the message alone.
                let skewed =
                    is(&["SignatureDoesNotMatch", "InvalidSignature"]) && is_about_time(message);
                if is(HOLD) && !skewed {
                    Verdict::Hold
                } else if is(ISOLATE) {
                    Verdict::Isolate
                } else if *status == 413 {
                    Verdict::Split
                } else if skewed || is(RETRY) || is_of_the_moment(*status) {
                    Verdict::Retry {
                        after: *retry_after,
                    }
                } else {
                    Verdict::Unknown {
                        after: *retry_after,
                    }
                }
            }
        }
    }

    /// Whether it may be about what was sent, and not about the way or the sender.
    #[must_use]
    pub fn blames_points(&self) -> bool {
        matches!(
            self.verdict(),
            Verdict::Unknown { .. } | Verdict::Isolate | Verdict::Split
        )
    }

    /// By what one refusal is taken for the same as another: status and code. Empty if
    /// the service did not answer.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.kind {
            RequestErrorKind::Rejected { status, code, .. } => {
                redacted_prefix(format!("{status} {code}").trim_end())
            }
            _ => String::new(),
        }
    }

    /// What somebody can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        let RequestErrorKind::Rejected { code, message, .. } = &self.kind else {
            return Some(match self.kind {
                RequestErrorKind::NoCredentials => Remedy::GiveCredentials,
                RequestErrorKind::CredentialsUnavailable => Remedy::CheckCredentialsEndpoint,
                _ => Remedy::CheckNetwork,
            });
        };
        let begins = |known: &[&str]| known.iter().any(|known| code.starts_with(known));
        if is_about_time(message) || begins(&["RequestExpired", "RequestTimeTooSkewed"]) {
            Some(Remedy::SetClock)
        } else if begins(&["AccessDenied", "NotAuthorized"]) {
            Some(Remedy::AllowAction)
        } else if begins(&["ExpiredToken"]) {
            Some(Remedy::RenewSessionToken)
        } else if begins(&["OptInRequired"]) {
            Some(Remedy::EnableRegion)
        } else if begins(HOLD) {
            Some(Remedy::CheckKeys)
        } else if code.is_empty() {
            // AWS names every error.
            Some(Remedy::CheckWhoAnswers)
        } else {
            None
        }
    }
}

/// What somebody can do about a failure; the program has the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// There are none, or none any more.
    GiveCredentials,
    /// Whoever gives credentials did not.
    CheckCredentialsEndpoint,
    /// The service did not answer.
    CheckNetwork,
    /// This machine's clock is wrong.
    SetClock,
    /// A policy lacks the action.
    AllowAction,
    /// The session token has expired.
    RenewSessionToken,
    /// The region or the service is not enabled for the account.
    EnableRegion,
    /// The service does not know the keys, or the secret is wrong.
    CheckKeys,
    /// Something else than the service seems to have answered.
    CheckWhoAnswers,
}

/// Whether a status blames anything but the request.
fn is_of_the_moment(status: u16) -> bool {
    !(400..500).contains(&status) || RETRY_STATUSES.contains(&status)
}

/// Whether a refusal of a signature speaks of the time of signing.
fn is_about_time(message: &str) -> bool {
    ["Signature expired", "Signature not yet current"]
        .iter()
        .any(|known| message.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY_SOON: Verdict = Verdict::Retry { after: None };

    fn failure(kind: RequestErrorKind) -> RequestError {
        RequestError { kind, source: None }
    }

    fn refusal(status: u16, code: &str, message: &str) -> RequestError {
        failure(RequestErrorKind::Rejected {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
        })
    }

    fn refused(status: u16, code: &str, message: &str) -> Verdict {
        refusal(status, code, message).verdict()
    }

    #[test]
    fn every_row_of_the_table_has_its_verdict() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(refused(status, "", ""), RETRY_SOON, "{status}");
        }
        for code in [
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "LimitExceeded",
            "LimitExceededFault",
            "InternalServiceFault",
            "ServiceUnavailable",
            "RequestTimeout",
            "RequestTimeoutException",
            "RequestExpired",
            "RequestTimeTooSkewed",
        ] {
            assert_eq!(refused(400, code, ""), RETRY_SOON, "{code}");
        }
        assert_eq!(refused(500, "SomethingNew", ""), RETRY_SOON);
        for (status, code) in [
            (400, "SomethingNew"),
            (400, "SerializationException"),
            (404, "UnknownOperationException"),
            (403, ""),
        ] {
            let unknown = Verdict::Unknown { after: None };
            assert_eq!(refused(status, code, ""), unknown, "{status} {code}");
        }
        for code in [
            "ExpiredToken",
            "ExpiredTokenException",
            "AccessDenied",
            "AccessDeniedException",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "OptInRequired",
            "MissingAuthenticationToken",
            "IncompleteSignature",
            "NotAuthorized",
        ] {
            assert_eq!(refused(403, code, ""), Verdict::Hold, "{code}");
        }
        for code in [
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MissingParameter",
            "MissingRequiredParameterException",
            "ValidationError",
            "ValidationException",
        ] {
            assert_eq!(refused(400, code, ""), Verdict::Isolate, "{code}");
        }
        assert_eq!(refused(413, "", ""), Verdict::Split);
    }

    #[test]
    fn expired_signature_is_a_wrong_clock_and_retried() {
        let message = "Signature expired: 20200101T000000Z is now earlier than 20200101T001500Z";
        assert_eq!(refused(403, "SignatureDoesNotMatch", message), RETRY_SOON);
    }

    #[test]
    fn remedy_is_what_somebody_can_do() {
        let not_yet = "Signature not yet current: 20200101T001500Z is still later than now";
        for (code, message, remedy) in [
            ("SignatureDoesNotMatch", not_yet, Remedy::SetClock),
            ("RequestExpired", "", Remedy::SetClock),
            ("RequestTimeTooSkewed", "", Remedy::SetClock),
            ("AccessDenied", "", Remedy::AllowAction),
            ("ExpiredToken", "", Remedy::RenewSessionToken),
            ("OptInRequired", "", Remedy::EnableRegion),
            ("SignatureDoesNotMatch", "", Remedy::CheckKeys),
            ("", "", Remedy::CheckWhoAnswers),
        ] {
            let given = refusal(403, code, message).remedy();
            assert_eq!(given, Some(remedy), "{code}");
        }
        let of = |kind| failure(kind).remedy();
        assert_eq!(
            of(RequestErrorKind::NoCredentials),
            Some(Remedy::GiveCredentials)
        );
        assert_eq!(of(RequestErrorKind::NoResponse), Some(Remedy::CheckNetwork));
        assert_eq!(refusal(500, "InternalServiceFault", "").remedy(), None);
    }

    #[test]
    fn reason_is_the_status_and_the_code() {
        assert_eq!(
            refusal(400, "SomethingNew", "no").reason(),
            "400 SomethingNew"
        );
        assert_eq!(refusal(404, "", "no").reason(), "404");
        assert_eq!(failure(RequestErrorKind::NoResponse).reason(), "");
        let endless = refusal(400, &"x".repeat(10_000), "").reason();
        assert!(endless.len() < 100, "{endless}");
    }
}
