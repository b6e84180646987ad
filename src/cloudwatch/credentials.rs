//! Credentials: whether there are any, and the region of the profile beside them.

use std::error::Error;
use std::time::Duration;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_credential_types::provider::error::CredentialsError;

use crate::publish::{Failure, FailureKind};

/// Beginnings of the codes for an access key that is unknown, was deleted, or belongs to a
/// session that is over (CloudWatch API Reference, "Common Errors").
const REFUSED: &[&str] = &["ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient"];

/// The region that the AWS profile names, as the AWS CLI finds it.
pub async fn profile_region() -> Option<String> {
    let region = ProfileFileRegionProvider::new().region().await?;
    Some(region.as_ref().to_owned())
}

/// The failure of a client that was given no provider at all.
pub(super) fn none() -> Failure {
    failure(CredentialsError::not_loaded("no provider is configured"))
}

/// What failing to resolve credentials means.
pub(super) fn failure(error: CredentialsError) -> Failure {
    Failure {
        kind: kind(&error),
        source: Some(Box::new(error)),
    }
}

/// The failure of a provider that took too long.
pub(super) fn late(after: Duration) -> Failure {
    failure(CredentialsError::provider_timed_out(after))
}

/// Whether only other credentials help: there were none, or the service refused them.
pub(super) fn are_bad(failure: &Failure) -> bool {
    match &failure.kind {
        FailureKind::NoCredentials | FailureKind::CredentialsNotHad => true,
        FailureKind::Refused { code, .. } => REFUSED.iter().any(|known| code.starts_with(known)),
        FailureKind::NoAnswer => false,
    }
}

/// The kind of a failure that credentials caused, if they did.
pub(super) fn kind_in(error: &(dyn Error + 'static)) -> Option<FailureKind> {
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
fn kind(error: &CredentialsError) -> FailureKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            FailureKind::NoCredentials
        }
        _ => FailureKind::CredentialsNotHad,
    }
}
