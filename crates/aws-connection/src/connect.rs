//! The SDK's connections: TLS by ring, the proxies that the user named, the
//! certificates that the user trusts.

use std::net::SocketAddr;
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use blocking_io::Names;
use http_proxies::HttpConfig;

use crate::http::Ways;

/// A connection that was idle for longer is not used again. Load balancers commonly close
/// one after a minute (Elastic Load Balancing's default): with a tick a minute each request
/// would risk to cross the close on its way, and nobody could tell whether it arrived.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// The SDK reads `SSL_CERT_FILE` itself, but neither `AWS_CA_BUNDLE` nor, for a client
/// made by hand, the proxies' variables.
pub(crate) fn ways(config: &HttpConfig) -> Ways {
    let tls = match &config.ca_bundle {
        Some(pem) => TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(pem.as_slice()))
            .build()
            .expect("certificates are looked at only by the connection"),
        None => TlsContext::default(),
    };
    let resolver = Resolver::default();
    Ways::new(config.proxies(), |proxy| {
        way(proxy, tls.clone(), resolver.clone())
    })
}

/// The SDK's own resolver has no bound: while no name server answers, it takes a thread for
/// each request, of those that others need.
#[derive(Clone, Debug, Default)]
struct Resolver(Names);

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async {
            let addresses = self.0.addresses(name).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.iter().map(SocketAddr::ip).collect())
        })
    }
}

/// A client for one way: through a proxy, named by the scheme that it serves and its URL,
/// or directly.
fn way(proxy: Option<(&str, &str)>, tls: TlsContext, resolver: Resolver) -> SharedHttpClient {
    let proxy = match proxy {
        Some(("https", url)) => ProxyConfig::https(url),
        Some((_, url)) => ProxyConfig::http(url),
        None => Ok(ProxyConfig::disabled()),
    }
    .expect("only URLs of proxies come here");
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .pool_idle_timeout(IDLE_MAX)
            .proxy_config(proxy.clone())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls.clone());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build_with_resolver(resolver.clone())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};

    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_cloudwatch::types::MetricDatum;
    use cloudwatch_local::CloudWatchLocal;
    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;

    /// Lets the clock go forward, and time go on behind it.
    async fn idle(duration: Duration) {
        tokio::time::pause();
        tokio::time::advance(duration).await;
        tokio::time::resume();
    }

    #[tokio::test]
    async fn name_that_nobody_resolves_takes_one_thread_whoever_asks() {
        let (release, hang) = mpsc::channel::<()>();
        let (asked, hang) = (Arc::<AtomicUsize>::default(), Mutex::new(hang));
        let count = asked.clone();
        let names = Names::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = hang.lock().unwrap().recv();
            Ok(vec![SocketAddr::from(([192, 0, 2, 1], 0))])
        });
        let resolver = Resolver(names);
        let requests = (0..300).map(|_| resolver.resolve_dns("monitoring.example"));
        let answers = join_all(requests);
        tokio::pin!(answers);
        let early = timeout(Duration::from_millis(100), &mut answers).await;
        assert!(early.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        drop(release);
        let answers = answers.await;
        assert_eq!(answers.len(), 300);
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().unwrap().len() == 1)
        );
    }

    #[tokio::test]
    async fn connection_that_was_idle_too_long_is_not_used_again() {
        let endpoint = CloudWatchLocal::builder().start().await.unwrap();
        let config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(ways(&HttpConfig::default()).to_the_service())
            .endpoint_url(endpoint.url())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let client = Client::from_conf(config);
        let put = async || {
            let datum = MetricDatum::builder().metric_name("A").value(1.0).build();
            let request = client.put_metric_data().namespace("N").metric_data(datum);
            request.send().await.unwrap();
        };
        put().await;
        idle(IDLE_MAX - Duration::from_secs(1)).await;
        put().await;
        assert_eq!(endpoint.connections(), 1);
        idle(IDLE_MAX + Duration::from_secs(1)).await;
        put().await;
        assert_eq!(endpoint.connections(), 2);
    }
}
