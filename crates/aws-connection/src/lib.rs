//! A connection to an AWS service, whichever: credentials of the SDK's default chain, found
//! beside the runtime's thread and renewed when the service refuses them; proxies and trusted
//! certificates as the environment names them; answers of bounded length, and only the
//! service's own count. One call is one attempt: retrying is the program's.
//!
//! ```no_run
//! # async fn run(environment: settings::Environment) -> Option<()> {
//! use std::time::Duration;
//!
//! use aws_connection::{Connection, Region, SdkFiles};
//! use aws_sdk_cloudwatch::Client;
//! use http_proxies::HttpConfig;
//! use settings::Diagnostics;
//!
//! let region = Region::read(&environment, None, &mut Diagnostics::default())?;
//! let files = SdkFiles::new(&environment);
//! let timeout = Duration::from_secs(5);
//! let connection = Connection::new(&region, &HttpConfig::default(), files, timeout, Client::new);
//! let metrics = connection.call(|client| client.list_metrics().send()).await;
//! # Some(())
//! # }
//! ```

mod acceptance;
mod aside;
mod ca_bundle;
mod certificates;
mod connect;
mod connection;
mod credentials;
mod endpoint;
mod files;
mod http;
mod origin;
mod pairs;
mod proxy;
mod reexec;
mod region;
mod role;
mod session;

pub use acceptance::OnlyTheService;
pub use ca_bundle::{FileRead, ca_bundle, unreadable};
pub use certificates::{Certificates, NamedCertificates};
pub use connection::{Connection, failure};
pub use credentials::profile_region;
pub use files::SdkFiles;
pub use http::{ANSWER_MAX, bounded};
pub use origin::{Origin, ProfileKind, origin};
pub use reexec::{Reexec, ReexecError, empty_sdk_vars, reexec_without_empty_sdk_vars};
pub use region::{Region, RegionError};
pub use role::{ASSUME_ROLE_ARN, ASSUME_ROLE_EXTERNAL_ID, ASSUME_ROLE_SESSION_NAME, AssumedRole};

use http_proxies::HttpConfig;
use settings::{Diagnostics, Environment};

/// Finds what is wrong with the variables that the SDK and the proxies are told by. `endpoint`
/// is the variable of the service's own endpoint, for example `AWS_ENDPOINT_URL_CLOUDWATCH`.
pub fn check(endpoint: &str, environment: &Environment, findings: &mut Diagnostics) {
    endpoint::check(endpoint, environment, findings);
    pairs::check(environment, findings);
    proxy::check(environment, findings);
}

/// The proxies of the environment, and the certificates of `AWS_CA_BUNDLE`.
pub fn http_config(
    environment: &Environment,
    bundle: Option<&FileRead<Vec<u8>>>,
    findings: &mut Diagnostics,
) -> HttpConfig {
    let proxy = |name| environment.either_case(name).unwrap_or_default().into();
    HttpConfig {
        http_proxy: proxy("HTTP_PROXY"),
        https_proxy: proxy("HTTPS_PROXY"),
        all_proxy: proxy("ALL_PROXY"),
        no_proxy: proxy("NO_PROXY"),
        ca_bundle: ca_bundle(bundle, findings),
    }
}
