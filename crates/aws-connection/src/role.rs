//! A role that is assumed with whatever credentials there are, so that another account is
//! three variables and no file of profiles.

use std::fmt;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvideFuture;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use settings::{Diagnostics, Environment};

/// The role's name, as AWS writes it.
pub const ASSUME_ROLE_ARN: &str = "ASSUME_ROLE_ARN";
/// What the role's owner asks for beside the credentials.
pub const ASSUME_ROLE_EXTERNAL_ID: &str = "ASSUME_ROLE_EXTERNAL_ID";
/// What the role's owner sees in CloudTrail.
pub const ASSUME_ROLE_SESSION_NAME: &str = "ASSUME_ROLE_SESSION_NAME";

/// The bounds of the API (STS API Reference, `AssumeRole`).
const ARN_MAX: usize = 2048;
const EXTERNAL_ID_LENGTH: std::ops::RangeInclusive<usize> = 2..=1224;
const SESSION_NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=64;

/// A role to assume.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumedRole {
    arn: String,
    external_id: Option<String>,
    session_name: String,
}

/// Why a text is no part of a role. It is not shown: a key may stand in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum RoleError {
    #[error("no ARN of a role, write one such as arn:aws:iam::123456789012:role/publisher")]
    Arn,
    #[error(
        "no external id, use 2 to 1224 letters, digits and + = , . @ : / - _, as the role's trust policy has it"
    )]
    ExternalId,
    #[error("no name of a session, use 2 to 64 letters, digits and + = , . @ - _")]
    SessionName,
}

impl AssumedRole {
    /// Reads the role of the environment, if it names one. `session` is the name of the session
    /// unless another is given.
    pub fn read(
        environment: &Environment,
        session: &str,
        findings: &mut Diagnostics,
    ) -> Option<Self> {
        let arn = environment.variable(ASSUME_ROLE_ARN);
        let external_id = environment.variable(ASSUME_ROLE_EXTERNAL_ID);
        let session_name = environment.variable(ASSUME_ROLE_SESSION_NAME);
        let Some(arn) = arn else {
            let idle = [
                (ASSUME_ROLE_EXTERNAL_ID, external_id),
                (ASSUME_ROLE_SESSION_NAME, session_name),
            ];
            for (name, _) in idle.iter().filter(|(_, value)| value.is_some()) {
                let message = format!("is not set, and {name} has no effect without it");
                findings.warning(ASSUME_ROLE_ARN, message);
            }
            warn_of_bare_role(environment, findings);
            return None;
        };
        let session_name = session_name.unwrap_or(session);
        let checks = [
            (ASSUME_ROLE_ARN, is_role(arn), RoleError::Arn),
            (
                ASSUME_ROLE_EXTERNAL_ID,
                external_id.is_none_or(is_external_id),
                RoleError::ExternalId,
            ),
            (
                ASSUME_ROLE_SESSION_NAME,
                is_session_name(session_name),
                RoleError::SessionName,
            ),
        ];
        let mut is_good = true;
        for (name, _, error) in checks.iter().filter(|(_, is_good, _)| !is_good) {
            findings.problem(name, error);
            is_good = false;
        }
        is_good.then(|| Self {
            arn: arn.to_owned(),
            external_id: external_id.map(str::to_owned),
            session_name: session_name.to_owned(),
        })
    }

    /// The role's name, as AWS writes it.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }
}

/// The external id is left out: some take it for a secret.
impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedRole")
            .field("arn", &self.arn)
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
    }
}

/// Who comes from elsewhere takes the SDK's variable for this.
fn warn_of_bare_role(environment: &Environment, findings: &mut Diagnostics) {
    let is_set = |name| environment.variable(name).is_some();
    if is_set("AWS_ROLE_ARN") && !is_set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let message = "alone assumes no role, it goes with a web identity token; to assume one with other \
            credentials, set ASSUME_ROLE_ARN and, if the role asks for it, ASSUME_ROLE_EXTERNAL_ID; \
            ASSUME_ROLE_SESSION_NAME names the session";
        findings.warning("AWS_ROLE_ARN", message);
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", partition, "iam", "", account, resource] = &parts[..] else {
        return false;
    };
    let is_path = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c);
    let name = resource.strip_prefix("role/").unwrap_or_default();
    text.len() <= ARN_MAX
        && partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && !name.is_empty()
        && !name.ends_with('/')
        && name.chars().all(is_path)
}

fn is_external_id(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@:/-_".contains(c);
    EXTERNAL_ID_LENGTH.contains(&text.len()) && text.chars().all(is_allowed)
}

fn is_session_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    SESSION_NAME_LENGTH.contains(&text.len()) && text.chars().all(is_allowed)
}

/// Gives the role's credentials, and asks for the base ones first each time: a role without
/// credentials to assume it with is the same as none at all.
pub(crate) struct RoleProvider {
    pub(crate) role: AssumedRole,
    pub(crate) base: SharedCredentialsProvider,
    pub(crate) config: SdkConfig,
}

/// The role was not given. What the STS said is the cause.
#[derive(Debug, thiserror::Error)]
#[error(
    "assume the role {arn} (ASSUME_ROLE_ARN); its trust policy must name these credentials and the \
     ASSUME_ROLE_EXTERNAL_ID it asks for, and they must be allowed sts:AssumeRole"
)]
struct NotAssumed {
    arn: String,
    source: CredentialsError,
}

impl RoleProvider {
    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let base = self.base.provide_credentials().await?;
        let mut assume = AssumeRoleProvider::builder(&self.role.arn)
            .configure(&self.config)
            .session_name(&self.role.session_name);
        if let Some(id) = &self.role.external_id {
            assume = assume.external_id(id);
        }
        let provider = assume.build_from_provider(base).await;
        provider.provide_credentials().await.map_err(|source| {
            CredentialsError::provider_error(NotAssumed {
                arn: self.role.arn.clone(),
                source,
            })
        })
    }
}

impl fmt::Debug for RoleProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoleProvider").field(&self.role).finish()
    }
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> ProvideFuture<'a>
    where
        Self: 'a,
    {
        ProvideFuture::new(self.provide())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:iam::123456789012:role/team/publisher";

    fn read(variables: &[(&str, &str)]) -> (Option<AssumedRole>, Diagnostics) {
        let environment = variables.iter().map(|(n, v)| (n.into(), v.into()));
        let mut findings = Diagnostics::default();
        let role = AssumedRole::read(&environment.collect(), "program", &mut findings);
        (role, findings)
    }

    #[test]
    fn role_is_read_with_the_program_for_its_session() {
        let (role, findings) = read(&[("ASSUME_ROLE_ARN", ARN)]);
        assert_eq!(findings, Diagnostics::default());
        let role = role.unwrap();
        assert_eq!((role.arn(), &*role.session_name), (ARN, "program"));
        let (role, _) = read(&[
            ("ASSUME_ROLE_ARN", ARN),
            ("ASSUME_ROLE_EXTERNAL_ID", "id:1"),
            ("ASSUME_ROLE_SESSION_NAME", "web-1"),
        ]);
        let role = role.unwrap();
        assert_eq!(role.external_id.as_deref(), Some("id:1"));
        assert_eq!(role.session_name, "web-1");
        assert!(!format!("{role:?}").contains("id:1"));
    }

    #[test]
    fn each_wrong_part_is_told_by_its_variable_and_not_shown() {
        for arn in [
            "secret",
            "arn:aws:iam::123456789012:user/secret",
            "arn:aws:iam::12345:role/secret",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:sts::123456789012:assumed-role/secret/x",
            "arn:aws:iam::123456789012:role/secret x",
            "arn:aws:iam:us-east-1:123456789012:role/secret",
        ] {
            let (role, findings) = read(&[
                ("ASSUME_ROLE_ARN", arn),
                ("ASSUME_ROLE_EXTERNAL_ID", "secret secret"),
                ("ASSUME_ROLE_SESSION_NAME", "s"),
            ]);
            assert_eq!(role, None, "{arn}");
            let told = findings.problems.iter().map(|of| of.place.to_string());
            let expected = [
                ASSUME_ROLE_ARN,
                ASSUME_ROLE_EXTERNAL_ID,
                ASSUME_ROLE_SESSION_NAME,
            ];
            assert_eq!(told.collect::<Vec<_>>(), expected, "{arn}");
            assert!(!format!("{findings:?}").contains("secret"), "{findings:?}");
        }
        for partition in ["aws-cn", "aws-us-gov"] {
            let (role, _) = read(&[("ASSUME_ROLE_ARN", &ARN.replace("aws:", partition))]);
            assert_eq!(role, None);
            let arn = ARN.replace("aws:", &format!("{partition}:"));
            assert!(read(&[("ASSUME_ROLE_ARN", &arn)]).0.is_some());
        }
    }

    #[test]
    fn what_has_no_effect_is_told_with_what_would_have_one() {
        for (variable, place, part) in [
            ("ASSUME_ROLE_EXTERNAL_ID", ASSUME_ROLE_ARN, "is not set"),
            ("ASSUME_ROLE_SESSION_NAME", ASSUME_ROLE_ARN, "is not set"),
            ("AWS_ROLE_ARN", "AWS_ROLE_ARN", "set ASSUME_ROLE_ARN"),
        ] {
            let (role, findings) = read(&[(variable, ARN)]);
            assert_eq!((role, &findings.problems[..]), (None, &[][..]));
            let warning = findings.warnings[0].to_string();
            assert!(
                warning.starts_with(place) && warning.contains(part),
                "{warning}"
            );
        }
        let web_identity = [
            ("AWS_ROLE_ARN", ARN),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
        ];
        assert_eq!(read(&web_identity).1, Diagnostics::default());
        let both = [("AWS_ROLE_ARN", ARN), ("ASSUME_ROLE_ARN", ARN)];
        assert_eq!(read(&both).1, Diagnostics::default());
    }
}
