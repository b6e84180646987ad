//! Where the credentials would come from, found without the network: the order of the
//! SDK's default chain (AWS SDKs Reference Guide, "Standardized credential providers").

use std::fmt;

use aws_config::profile::{self, Profile, ProfileSet};
use aws_types::os_shim_internal::{Env, Fs};
use diagnostics::chain;
use settings::Environment;

use crate::aside::Aside;
use crate::credentials::PROFILES_PATIENCE;
use crate::files::SdkFiles;

/// The variables that say where profiles are and which one is meant.
const PROFILE_VARIABLES: &[&str] = &["HOME", "USERPROFILE", "AWS_PROFILE", CONFIG, CREDENTIALS];
const CONFIG: &str = "AWS_CONFIG_FILE";
const CREDENTIALS: &str = "AWS_SHARED_CREDENTIALS_FILE";

/// Where the credentials would come from; never what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Variables that hold the keys themselves.
    Environment,
    /// A profile of the AWS CLI's files.
    Profile {
        /// Its name.
        name: String,
        /// The file that it stands in, as the environment names it.
        file: String,
        /// How it gives credentials.
        kind: ProfileKind,
    },
    /// The profiles cannot be read, and the SDK looks no further then.
    BadProfiles {
        /// What is wrong with them.
        error: String,
    },
    /// A token that is exchanged for a role's credentials, as EKS gives it to service accounts.
    WebIdentity {
        /// The file with the token.
        token_file: String,
    },
    /// An endpoint beside the container, as ECS and EKS Pod Identity offer it.
    Container {
        /// The variable that names it.
        variable: &'static str,
    },
    /// The metadata of an EC2 instance, which only the network can tell.
    InstanceMetadata,
    /// Nothing is left to ask.
    Nowhere,
}

/// How a profile gives credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// It holds the keys themselves.
    Keys,
    /// It names a role to assume.
    Role,
    /// It names a token to exchange for a role's credentials.
    WebIdentity,
    /// It names an account of IAM Identity Center or a session of `aws login`.
    SignIn,
    /// It names a program that prints credentials.
    Process,
}

/// Finds where the credentials would come from.
pub async fn origin(environment: &Environment) -> Origin {
    let given = |name| environment.variable(name).is_some();
    if given("AWS_ACCESS_KEY_ID") && (given("AWS_SECRET_ACCESS_KEY") || given("SECRET_ACCESS_KEY"))
    {
        return Origin::Environment;
    }
    match of_profile_aside(environment).await {
        Ok(None) => {}
        Ok(Some(origin)) => return origin,
        Err(error) => return Origin::BadProfiles { error },
    }
    if let Some(token_file) = environment.variable("AWS_WEB_IDENTITY_TOKEN_FILE")
        && given("AWS_ROLE_ARN")
    {
        let token_file = token_file.to_owned();
        return Origin::WebIdentity { token_file };
    }
    let container = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    if let Some(variable) = container.into_iter().find(|name| given(name)) {
        return Origin::Container { variable };
    }
    match environment.variable("AWS_EC2_METADATA_DISABLED") {
        Some(disabled) if disabled.eq_ignore_ascii_case("true") => Origin::Nowhere,
        _ => Origin::InstanceMetadata,
    }
}

/// Where profiles are read nothing else is done, and what hangs is given up.
async fn of_profile_aside(environment: &Environment) -> Result<Option<Origin>, String> {
    let environment = environment.clone();
    let find = async move {
        let checked = SdkFiles::new(&environment).check();
        checked.map_err(|error| chain(&error))?;
        let found = of_profile(&environment).await;
        found.map_err(|error| chain(&error))
    };
    match Aside::default().run(PROFILES_PATIENCE, find).await {
        Ok(found) => found,
        Err(late) => Err(chain(&late)),
    }
}

async fn of_profile(
    environment: &Environment,
) -> Result<Option<Origin>, profile::ProfileFileLoadError> {
    let profiles = profiles(environment, &[]).await?;
    let name = profiles.selected_profile();
    let Some(kind) = profiles.get_profile(name).and_then(kind) else {
        return Ok(None);
    };
    // The SDK merges the files and forgets which one a profile came from.
    let credentials_alone = self::profiles(environment, &[(CONFIG, "/dev/null")]).await?;
    let of_credentials = credentials_alone.get_profile(name).and_then(self::kind);
    let (variable, default) = if of_credentials == Some(kind) {
        (CREDENTIALS, "~/.aws/credentials")
    } else {
        (CONFIG, "~/.aws/config")
    };
    Ok(Some(Origin::Profile {
        name: name.to_owned(),
        file: environment.variable(variable).unwrap_or(default).to_owned(),
        kind,
    }))
}

async fn profiles(
    environment: &Environment,
    instead: &[(&str, &str)],
) -> Result<ProfileSet, profile::ProfileFileLoadError> {
    let mut variables: Vec<_> = PROFILE_VARIABLES
        .iter()
        .filter_map(|name| Some((*name, environment.variable(name)?)))
        .collect();
    variables.extend(instead);
    let environment = Env::from_slice(&variables);
    profile::load(&Fs::real(), &environment, &Default::default(), None).await
}

/// How a profile gives credentials, if it does, in the order in which the SDK looks.
fn kind(profile: &Profile) -> Option<ProfileKind> {
    let has = |key| profile.get(key).is_some();
    if has("web_identity_token_file") && has("role_arn") {
        Some(ProfileKind::WebIdentity)
    } else if has("role_arn") {
        Some(ProfileKind::Role)
    } else if has("sso_account_id") || has("sso_session") || has("login_session") {
        Some(ProfileKind::SignIn)
    } else if has("credential_process") {
        Some(ProfileKind::Process)
    } else if has("aws_access_key_id") && has("aws_secret_access_key") {
        Some(ProfileKind::Keys)
    } else {
        None
    }
}

impl Origin {
    /// One word for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Profile { .. } | Self::BadProfiles { .. } => "profile",
            Self::WebIdentity { .. } => "web-identity",
            Self::Container { .. } => "container",
            Self::InstanceMetadata => "instance-metadata",
            Self::Nowhere => "none",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("the environment (AWS_ACCESS_KEY_ID)"),
            Self::Profile { name, file, kind } => {
                write!(f, "profile {name} in {file}, {kind}")
            }
            Self::BadProfiles { error } => write!(f, "none, the profiles are bad: {error}"),
            Self::WebIdentity { token_file } => write!(f, "web identity, token in {token_file}"),
            Self::Container { variable } => write!(f, "container endpoint ({variable})"),
            Self::InstanceMetadata => {
                f.write_str("instance metadata, if there is any (not asked without the network)")
            }
            Self::Nowhere => f.write_str("none found"),
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, laptop_only) = match self {
            Self::Keys => ("with keys", false),
            Self::Role => ("assumes a role", false),
            Self::WebIdentity => ("web identity", false),
            Self::SignIn => ("by signing in", true),
            Self::Process => ("by credential_process", true),
        };
        f.write_str(text)?;
        if laptop_only && !cfg!(feature = "laptop") {
            f.write_str(" (this build cannot do that)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(variables: &[(&str, &str)]) -> Origin {
        // Whoever runs the tests may have profiles.
        let nowhere = [(CONFIG, "/dev/null"), (CREDENTIALS, "/dev/null")];
        let all = nowhere.iter().chain(variables);
        origin(&all.map(|(n, v)| (n.into(), v.into())).collect()).await
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[tokio::test]
    async fn first_of_the_chain_that_is_configured_is_named() {
        let mut variables = vec![("AWS_EC2_METADATA_DISABLED", "true")];
        assert_eq!(found(&variables).await, Origin::Nowhere);
        variables[0].1 = "false";
        assert_eq!(found(&variables).await, Origin::InstanceMetadata);
        variables.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x"));
        assert_eq!(
            found(&variables).await.to_string(),
            "container endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI)"
        );
        variables.push(("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"));
        assert_eq!(found(&variables).await.kind(), "container");
        variables.push(("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"));
        assert_eq!(found(&variables).await.kind(), "web-identity");
        let credentials = file("[default]\naws_access_key_id = A\naws_secret_access_key = B\n");
        let path = credentials.path().to_str().unwrap();
        variables.push((CREDENTIALS, path));
        assert_eq!(
            found(&variables).await.to_string(),
            format!("profile default in {path}, with keys")
        );
        variables.push(("AWS_ACCESS_KEY_ID", "A"));
        assert_eq!(found(&variables).await.kind(), "profile");
        variables.push(("AWS_SECRET_ACCESS_KEY", "B"));
        assert_eq!(found(&variables).await, Origin::Environment);
    }

    #[tokio::test]
    async fn profile_says_how_it_gives_credentials() {
        let config = file(
            "[profile ops]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n\
             [profile run]\ncredential_process = /bin/x --secret\n[profile empty]\nregion = x\n",
        );
        let path = config.path().to_str().unwrap();
        let of = async |name| found(&[(CONFIG, path), ("AWS_PROFILE", name)]).await;
        assert_eq!(
            of("ops").await,
            Origin::Profile {
                name: "ops".into(),
                file: path.into(),
                kind: ProfileKind::Role
            }
        );
        assert!(!of("run").await.to_string().contains("secret"));
        assert_eq!(of("empty").await, Origin::InstanceMetadata);
        assert_eq!(of("missing").await, Origin::InstanceMetadata);
    }

    #[tokio::test]
    async fn bad_profiles_end_the_search() {
        let config = file("[profile\n");
        let variables = [(CONFIG, config.path().to_str().unwrap())];
        let origin = found(&variables).await;
        assert!(matches!(&origin, Origin::BadProfiles { .. }), "{origin:?}");
    }
}
