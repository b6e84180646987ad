//! What somebody can do about a failed request to CloudWatch, and which points it names.

use retry_policy::{Remedy, RequestError, RequestErrorKind};

/// What somebody can do about it, for the log.
#[must_use]
pub fn hint(failure: &RequestError) -> Option<&'static str> {
    Some(match failure.remedy()? {
        Remedy::GiveCredentials => {
            "the credentials are gone or cannot be renewed; check the role, the profile or the AWS_* variables"
        }
        Remedy::CheckCredentialsEndpoint => {
            "check the role's trust policy and the way to STS or the metadata endpoint; the points are held and sent later"
        }
        Remedy::CheckNetwork => {
            "check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; the points are held and sent later"
        }
        Remedy::SetClock => "this machine's clock is wrong; set it, for example with NTP",
        Remedy::AllowAction => {
            "allow cloudwatch:PutMetricData for this namespace, see iam-policy.json; the points are held and sent once it is allowed"
        }
        Remedy::RenewSessionToken => {
            "the session token has expired; give fresh credentials or use a role"
        }
        Remedy::EnableRegion => "enable the region or the service for this account",
        Remedy::CheckKeys => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
        Remedy::CheckWhoAnswers => {
            "something else than CloudWatch seems to have answered; check HTTPS_PROXY, AWS_ENDPOINT_URL and whether the network wants a sign-in"
        }
    })
}

/// The positions of the points that the service names as bad, ascending, counted from 0.
#[must_use]
pub fn named_members(failure: &RequestError) -> Vec<usize> {
    match &failure.kind {
        RequestErrorKind::Rejected { message, .. } => members_in(message),
        _ => Vec::new(),
    }
}

/// The positions in `MetricData.member.N`, counted from 0; the service counts from 1.
/// It says a sentence about each bad member.
fn members_in(message: &str) -> Vec<usize> {
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

    #[test]
    fn hint_names_what_is_to_be_done() {
        let refused = |code: &str| {
            RequestError::from(RequestErrorKind::Rejected {
                status: 403,
                code: code.to_owned(),
                message: String::new(),
                retry_after: None,
            })
        };
        for (failure, part) in [
            (refused("AccessDenied"), "cloudwatch:PutMetricData"),
            (refused("RequestExpired"), "clock"),
            (refused("SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"),
            (refused(""), "HTTPS_PROXY"),
            (RequestErrorKind::NoResponse.into(), "network"),
            (RequestErrorKind::NoCredentials.into(), "credentials"),
        ] {
            let hint = hint(&failure).unwrap();
            assert!(hint.contains(part), "{failure}: {hint}");
        }
    }

    #[test]
    fn members_are_read_from_the_message() {
        assert_eq!(
            members_in(
                "The parameter MetricData.member.12.Value is bad.\n\
                 The parameter MetricData.member.3.Dimensions.member.1.Name is bad.\n\
                 The parameter MetricData.member.12.Unit is bad."
            ),
            [2, 11]
        );
        for unnamed in ["", "MetricData.member.x", "MetricData.member.0.Value"] {
            assert_eq!(members_in(unnamed), [0; 0], "{unnamed}");
        }
    }
}
