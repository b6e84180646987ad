//! The connection to AWS, from the environment.

use std::io;
use std::path::PathBuf;

use aws_connection::{NamedCertificates, Region, SdkFiles, profile_region};
use settings::{Diagnostics, Environment};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use crate::cloudwatch_manager::CloudWatchLogs;
use crate::failure::RunError;
use crate::job::Job;

/// The variable of the service's own endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS";
/// The longest bundle of certificates: all that browsers trust have a tenth of it.
const BUNDLE_MAX: usize = 2 << 20;
/// Files lie on disks that answer at once, or never.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Sets the connection up, and gives the region; nothing is sent.
///
/// # Errors
///
/// [`RunError::Connection`] with all that is wrong.
pub(super) async fn connect(
    job: &Job,
    environment: &Environment,
) -> Result<(CloudWatchLogs, String), RunError> {
    let mut findings = Diagnostics::default();
    let files = SdkFiles::new(environment);
    let of_profile = match Region::is_named(environment) {
        true => None,
        false => profile_region(&files).await.unwrap_or_else(|reason| {
            findings.warning("AWS_REGION", reason);
            None
        }),
    };
    let region = Region::read(environment, of_profile.as_deref(), &mut findings);
    aws_connection::check(ENDPOINT, environment, &mut findings);
    let bundle = match environment.variable("AWS_CA_BUNDLE").map(PathBuf::from) {
        Some(path) => {
            let asked = path.clone();
            Some((
                path,
                aside(move || blocking_io::read(&asked, BUNDLE_MAX))
                    .await
                    .and_then(|read| read),
            ))
        }
        None => None,
    };
    let mut http = aws_connection::http_config(environment, bundle.as_ref(), &mut findings);
    if bundle.is_none() {
        http.ca_bundle = named_certificates(environment, &mut findings).await;
    }
    for warning in &findings.warnings {
        warn!(setting = %warning.place, problem = warning.message, "configuration looks wrong");
    }
    let problems: Vec<_> = findings.problems.iter().map(ToString::to_string).collect();
    match region {
        Some(region) if problems.is_empty() => {
            let timeout = job.delivery.request_timeout;
            let service = CloudWatchLogs::new(&region, &http, files, timeout);
            Ok((service, region.as_str().to_owned()))
        }
        _ => Err(RunError::Connection {
            reason: problems.join("; "),
        }),
    }
}

/// The certificates that the variables of OpenSSL name.
async fn named_certificates(
    environment: &Environment,
    findings: &mut Diagnostics,
) -> Option<Vec<u8>> {
    let named = NamedCertificates::of(environment)?;
    let reader = named.clone();
    let found = aside(move || reader.read()).await;
    Some(match &found {
        Ok(found) => named.take(Ok(found), findings),
        Err(error) => named.take(
            Err(io::Error::new(error.kind(), error.to_string())),
            findings,
        ),
    })
}

/// Reads on another thread, for so long at most.
async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    Ok(timeout(PATIENCE, spawn_blocking(read)).await??)
}
