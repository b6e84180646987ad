//! Why a request gave no page.

use http::StatusCode;

use super::url::HttpUrl;
use crate::READ_MAX;

/// What goes wrong below HTTP, in the libraries that connect.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Most redirects that are followed of one request (`docs/sources.md`).
pub(super) const REDIRECTS_MAX: usize = 5;

/// Why a request gave no page. The URL shown is the one that failed, which after
/// redirects is not the one given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("connect to {url}{}", .proxy.as_ref().map(|at| format!(" through the proxy {at}")).unwrap_or_default())]
    Connect {
        url: HttpUrl,
        /// The host and port of the proxy that is asked in its place.
        proxy: Option<String>,
        source: BoxError,
    },
    #[error(
        "read the system's CA certificates: none was found, set SSL_CERT_FILE or AWS_CA_BUNDLE"
    )]
    NoCertificates,
    #[error("the certificates in AWS_CA_BUNDLE are not PEM")]
    CaBundle {
        source: rustls::pki_types::pem::Error,
    },
    #[error("the proxy for {url} is not of the kind http:// or https://")]
    ProxyKind { url: HttpUrl },
    #[error("get {url}")]
    Exchange { url: HttpUrl, source: hyper::Error },
    #[error("{url} answered {status}")]
    Status { url: HttpUrl, status: StatusCode },
    #[error("{url} redirects to a place that is no http or https URL")]
    Location { url: HttpUrl },
    #[error("{url} redirects more than {REDIRECTS_MAX} times")]
    TooManyRedirects { url: HttpUrl },
    #[error("{url} answered more than {READ_MAX} bytes")]
    TooLong { url: HttpUrl },
    #[error("{url} answered no UTF-8 text, read \"{read}\"")]
    NotText { url: HttpUrl, read: String },
}

impl HttpError {
    /// Whether the fault is on this side, so that it says nothing of the server.
    pub(crate) fn is_of_this_side(&self) -> bool {
        matches!(
            self,
            Self::NoCertificates | Self::CaBundle { .. } | Self::ProxyKind { .. }
        )
    }
}
