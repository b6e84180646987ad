//! What HTTP clients are told of the machine they run on.

use std::fmt;

use crate::Proxies;

/// What a client needs to know of the machine it runs on.
#[derive(Clone, Default)]
pub struct HttpConfig {
    /// URL of the proxy for `http` (`HTTP_PROXY`); empty for none.
    pub http_proxy: String,
    /// URL of the proxy for `https` (`HTTPS_PROXY`); empty for none.
    pub https_proxy: String,
    /// URL of the proxy where neither of the above is given (`ALL_PROXY`).
    pub all_proxy: String,
    /// Hosts that are asked without a proxy, comma-separated (`NO_PROXY`).
    pub no_proxy: String,
    /// Certificates in PEM that are trusted in the place of the system's (`AWS_CA_BUNDLE`).
    pub ca_bundle: Option<Vec<u8>>,
}

/// The proxies are left out: their URLs may hold passwords.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConfig").finish_non_exhaustive()
    }
}

impl HttpConfig {
    /// The proxies that it names.
    #[must_use]
    pub fn proxies(&self) -> Proxies {
        Proxies::new(
            &self.http_proxy,
            &self.https_proxy,
            &self.all_proxy,
            &self.no_proxy,
        )
    }
}
