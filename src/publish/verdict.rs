//! What a failure means for the points of the batch.

use std::time::Duration;

use diagnostics::excerpt;

use super::{Failure, FailureKind};

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

impl Failure {
    /// The verdict of design §5.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.kind {
            FailureKind::NoAnswer | FailureKind::CredentialsNotHad => {
                Verdict::Retry { after: None }
            }
            FailureKind::NoCredentials => Verdict::Hold,
            FailureKind::Refused {
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

    /// The positions of the points that the service names as bad, ascending, counted from 0.
    #[must_use]
    pub fn named_members(&self) -> Vec<usize> {
        match &self.kind {
            FailureKind::Refused { message, .. } => named_members(message),
            _ => Vec::new(),
        }
    }

    /// By what one refusal is taken for the same as another: status and code. Empty if
    /// the service did not answer.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.kind {
            FailureKind::Refused { status, code, .. } => {
                excerpt(format!("{status} {code}").trim_end())
            }
            _ => String::new(),
        }
    }

    /// What somebody can do about it, for the log.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let FailureKind::Refused { code, message, .. } = &self.kind else {
            return match self.kind {
                FailureKind::NoCredentials => Some(
                    "the credentials are gone or cannot be renewed; check the role, the profile or the AWS_* variables",
                ),
                FailureKind::CredentialsNotHad => Some(
                    "check the role's trust policy and the way to STS or the metadata endpoint; the points are held and sent later",
                ),
                _ => Some(
                    "check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; the points are held and sent later",
                ),
            };
        };
        let begins = |known: &[&str]| known.iter().any(|known| code.starts_with(known));
        if is_about_time(message) || begins(&["RequestExpired", "RequestTimeTooSkewed"]) {
            Some("this machine's clock is wrong; set it, for example with NTP")
        } else if begins(&["AccessDenied", "NotAuthorized"]) {
            Some(
                "allow cloudwatch:PutMetricData for this namespace, see iam-policy.json; the points are held and sent once it is allowed",
            )
        } else if begins(&["ExpiredToken"]) {
            Some("the session token has expired; give fresh credentials or use a role")
        } else if begins(&["OptInRequired"]) {
            Some("enable the region or the service for this account")
        } else if begins(HOLD) {
            Some("check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
        } else if code.is_empty() {
            // CloudWatch names every error.
            Some(
                "something else than CloudWatch seems to have answered; check HTTPS_PROXY, AWS_ENDPOINT_URL and whether the network wants a sign-in",
            )
        } else {
            None
        }
    }
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

/// The positions in `MetricData.member.N`, counted from 0; the service counts from 1.
/// It says a sentence about each bad member.
fn named_members(message: &str) -> Vec<usize> {
    let mut members: Vec<usize> = message
        .split("MetricData.member.")
        .skip(1)
        .filter_map(|rest| {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<usize>().ok()?.checked_sub(1)
        })
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY_SOON: Verdict = Verdict::Retry { after: None };

    fn failure(kind: FailureKind) -> Failure {
        Failure { kind, source: None }
    }

    fn refusal(status: u16, code: &str, message: &str) -> Failure {
        failure(FailureKind::Refused {
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
    fn hint_says_what_somebody_can_do() {
        let not_yet = "Signature not yet current: 20200101T001500Z is still later than now";
        for (code, message, part) in [
            ("SignatureDoesNotMatch", not_yet, "clock"),
            ("RequestExpired", "", "clock"),
            ("RequestTimeTooSkewed", "", "clock"),
            ("AccessDenied", "", "cloudwatch:PutMetricData"),
            ("ExpiredToken", "", "session token"),
            ("OptInRequired", "", "enable the region"),
            ("SignatureDoesNotMatch", "", "AWS_SECRET_ACCESS_KEY"),
            ("", "", "HTTPS_PROXY"),
        ] {
            let hint = refusal(403, code, message).hint().unwrap();
            assert!(hint.contains(part), "{code}: {hint}");
        }
        let hint = failure(FailureKind::NoCredentials).hint().unwrap();
        assert!(hint.contains("credentials"), "{hint}");
        let hint = failure(FailureKind::NoAnswer).hint().unwrap();
        assert!(hint.contains("network"), "{hint}");
        assert_eq!(refusal(500, "InternalServiceFault", "").hint(), None);
    }

    #[test]
    fn reason_is_the_status_and_the_code() {
        assert_eq!(
            refusal(400, "SomethingNew", "no").reason(),
            "400 SomethingNew"
        );
        assert_eq!(refusal(404, "", "no").reason(), "404");
        assert_eq!(failure(FailureKind::NoAnswer).reason(), "");
        let endless = refusal(400, &"x".repeat(10_000), "").reason();
        assert!(endless.len() < 100, "{endless}");
    }

    #[test]
    fn members_are_read_from_the_message() {
        assert_eq!(
            named_members(
                "The parameter MetricData.member.12.Value is bad.\n\
                 The parameter MetricData.member.3.Dimensions.member.1.Name is bad.\n\
                 The parameter MetricData.member.12.Unit is bad."
            ),
            [2, 11]
        );
        for unnamed in ["", "MetricData.member.x", "MetricData.member.0.Value"] {
            assert_eq!(named_members(unnamed), [0; 0], "{unnamed}");
        }
    }
}
