//! Credentials: whether there are any, and the region of the profile beside them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvideFuture;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use diagnostics::chain;
use retry_policy::{RequestError, RequestErrorKind};

use crate::aside::Aside;
use crate::files::SdkFiles;

/// Beginnings of the codes for an access key that is unknown, was deleted, or belongs to a
/// session that is over (CloudWatch API Reference, "Common Errors").
const REFUSED: &[&str] = &["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient"];

/// The longest that profiles are read for, before the configuration says how long.
pub(crate) const PROFILES_PATIENCE: Duration = Duration::from_secs(5);

/// The region that the AWS profile names, as the AWS CLI finds it; or why the profiles
/// cannot be read.
pub async fn profile_region(files: &SdkFiles) -> Result<Option<String>, String> {
    let files = files.clone();
    let find = async move {
        files.check().map_err(|error| chain(&error))?;
        let region = ProfileFileRegionProvider::new().region().await;
        Ok(region.map(|region| region.as_ref().to_owned()))
    };
    let found = Aside::default().run(PROFILES_PATIENCE, find).await;
    found.unwrap_or_else(|late| Err(format!("cannot read the profiles: {late}")))
}

/// A provider that is asked aside.
pub(crate) struct ReadAside {
    pub(crate) provider: SharedCredentialsProvider,
    pub(crate) files: SdkFiles,
    pub(crate) timeout: Duration,
    pub(crate) aside: Aside,
}

impl fmt::Debug for ReadAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAside").finish_non_exhaustive()
    }
}

impl ProvideCredentials for ReadAside {
    fn provide_credentials<'a>(&'a self) -> ProvideFuture<'a>
    where
        Self: 'a,
    {
        let (provider, files) = (self.provider.clone(), self.files.clone());
        let provide = async move {
            files.check()?;
            provider.provide_credentials().await
        };
        ProvideFuture::new(async {
            let provided = self.aside.run(self.timeout, provide).await;
            provided.unwrap_or_else(|late| Err(CredentialsError::provider_timed_out(late.after)))
        })
    }
}

/// The failure of a client that was given no provider at all.
pub(crate) fn none() -> RequestError {
    failure(CredentialsError::not_loaded("no provider is configured"))
}

/// What failing to resolve credentials means.
pub(crate) fn failure(error: CredentialsError) -> RequestError {
    RequestError {
        kind: kind(&error),
        source: Some(Box::new(error)),
    }
}

/// The failure of a provider that took too long.
pub(crate) fn late(after: Duration) -> RequestError {
    failure(CredentialsError::provider_timed_out(after))
}

/// Whether only other credentials help: there were none, or the service refused them.
pub(crate) fn are_bad(failure: &RequestError) -> bool {
    match &failure.kind {
        RequestErrorKind::NoCredentials | RequestErrorKind::CredentialsUnavailable => true,
        RequestErrorKind::Rejected { code, .. } => {
            REFUSED.iter().any(|known| code.starts_with(known))
        }
        RequestErrorKind::NoResponse => false,
    }
}

/// The kind of a failure that credentials caused, if they did.
pub(crate) fn kind_in(error: &(dyn Error + 'static)) -> Option<RequestErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(kind(error));
        }
        cause = error.source();
    }
    None
}

/// A provider that could not be reached may answer the next time; one that is not
/// there will not.
fn kind(error: &CredentialsError) -> RequestErrorKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            RequestErrorKind::NoCredentials
        }
        _ => RequestErrorKind::CredentialsUnavailable,
    }
}
