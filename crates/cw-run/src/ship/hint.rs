//! What somebody can do about a refusal.

use retry_policy::Remedy;

use crate::cloudwatch_manager::Refused;

/// What somebody can do.
pub(super) fn hint(refused: &Refused) -> String {
    let text = match refused.failure.remedy() {
        Some(Remedy::GiveCredentials) => {
            "the credentials are gone or cannot be renewed: look at the role, the profile or the AWS_ variables"
        }
        Some(Remedy::CheckCredentialsEndpoint) => {
            "look at the role's trust policy and the way to STS or the metadata endpoint"
        }
        Some(Remedy::CheckNetwork) => "look at the network, HTTPS_PROXY and AWS_ENDPOINT_URL",
        Some(Remedy::SetClock) => "this machine's clock is wrong: set it, for example with NTP",
        Some(Remedy::AllowAction) => {
            return format!(
                "allow logs:{} for this group, see the IAM policy of the deployment examples",
                refused.operation.name()
            );
        }
        Some(Remedy::RenewSessionToken) => {
            "the session token has expired: give fresh credentials, or use a role"
        }
        Some(Remedy::EnableRegion) => "enable the region for this account",
        Some(Remedy::CheckKeys) => {
            "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        }
        Some(Remedy::CheckWhoAnswers) => {
            "something else than CloudWatch Logs seems to have answered: look at HTTPS_PROXY and AWS_ENDPOINT_URL"
        }
        _ => "the engine keeps the lines meanwhile",
    };
    text.to_owned()
}
