//! The SDK's HTTP client: TLS by ring, proxies from the environment, the
//! certificates that the user trusts.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::ConnectError;

/// The SDK reads `SSL_CERT_FILE` itself, but neither `AWS_CA_BUNDLE` nor, for a client
/// made by hand, the proxies' variables.
pub(super) fn http_client(ca_bundle: Option<&[u8]>) -> Result<SharedHttpClient, ConnectError> {
    let tls = match ca_bundle {
        Some(pem) => TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
            .build()
            .map_err(|source| ConnectError::CaBundle {
                source: source.into(),
            })?,
        None => TlsContext::default(),
    };
    let client = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    });
    Ok(client)
}
