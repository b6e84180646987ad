//! The ways of requests: directly, or through a proxy.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use blocking_io::Names;
use http::Uri;

use crate::{HttpConfig, Proxies, Proxy};

/// The proxy is of a kind that is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy is not of the kind http:// or https://")]
pub struct ProxyKind;

/// One way to servers, with the certificates that the user trusts.
#[derive(Clone)]
pub struct Route {
    proxy: ProxyConfig,
    tls: TlsContext,
    resolver: Resolver,
}

/// Left out: a proxy's URL may hold a password.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").finish_non_exhaustive()
    }
}

impl Route {
    /// What connects that way. Making it reads the system's certificates, at the first time
    /// in a process, unless there are others.
    #[must_use]
    pub fn connector(&self, settings: impl FnOnce(&mut ConnectorBuilder)) -> Connector {
        let mut connector = Connector::builder();
        settings(&mut connector);
        connector
            .proxy_config(self.proxy.clone())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(self.tls.clone())
            .build_with_resolver(self.resolver.clone())
    }
}

/// Something for each way: the direct one, and that through the proxy of a scheme.
#[derive(Clone, Debug)]
pub struct Routes<T> {
    proxies: Arc<Proxies>,
    direct: T,
    http: Option<T>,
    https: Option<T>,
}

impl<T> Routes<T> {
    /// What `make` makes of each way that the settings know.
    pub fn new(config: &HttpConfig, names: &Names, make: impl Fn(Route) -> T) -> Self {
        let tls = match &config.ca_bundle {
            Some(pem) => TlsContext::builder()
                .with_trust_store(TrustStore::empty().with_pem_certificate(pem.as_slice()))
                .build()
                .expect("certificates are looked at only by the connection"),
            None => TlsContext::default(),
        };
        let route = |proxy| Route {
            proxy,
            tls: tls.clone(),
            resolver: Resolver(names.clone()),
        };
        let proxies = config.proxies();
        let through = |scheme| {
            let proxy = proxies.of_scheme(scheme).filter(|proxy| proxy.is_http())?;
            let proxy = match scheme {
                "https" => ProxyConfig::https(proxy.url()),
                _ => ProxyConfig::http(proxy.url()),
            };
            Some(make(route(proxy.expect("it was parsed as a proxy"))))
        };
        Self {
            direct: make(route(ProxyConfig::disabled())),
            http: through("http"),
            https: through("https"),
            proxies: Arc::new(proxies),
        }
    }

    /// The proxy that requests to a URL go through, if they do.
    #[must_use]
    pub fn proxy(&self, url: &Uri) -> Option<&Proxy> {
        self.proxies.of(url)
    }

    /// What goes past the proxies.
    #[must_use]
    pub fn direct(&self) -> &T {
        &self.direct
    }

    /// What requests to a URL go through.
    pub fn of(&self, url: &Uri) -> Result<&T, ProxyKind> {
        if self.proxy(url).is_none() {
            return Ok(&self.direct);
        }
        let through = match url.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        through.as_ref().ok_or(ProxyKind)
    }

    /// The same ways with something else for each.
    pub fn map<U>(&self, with: impl Fn(&T) -> U) -> Routes<U> {
        Routes {
            proxies: self.proxies.clone(),
            direct: with(&self.direct),
            http: self.http.as_ref().map(&with),
            https: self.https.as_ref().map(&with),
        }
    }
}

/// The SDK's own resolver has no bound: while no name server answers, it takes a thread for
/// each request, of those that others need.
#[derive(Clone, Debug)]
struct Resolver(Names);

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async {
            let addresses = self.0.addresses(name).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.iter().map(SocketAddr::ip).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;

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

    #[test]
    fn each_url_has_its_way() {
        let config = HttpConfig {
            http_proxy: "socks5://a:1".to_owned(),
            https_proxy: "http://me:secret@b:2".to_owned(),
            no_proxy: "near.example".to_owned(),
            ..HttpConfig::default()
        };
        let routes = Routes::new(&config, &Names::default(), |route| format!("{route:?}"));
        assert!(!format!("{routes:?}").contains("secret"));
        let place = |route: &&'static str| *route;
        let ways = Routes {
            proxies: routes.proxies.clone(),
            direct: "direct",
            http: routes.http.as_ref().map(|_| "http"),
            https: routes.https.as_ref().map(|_| "https"),
        };
        let of = |url: &'static str| ways.of(&Uri::from_static(url)).map(place);
        assert_eq!(of("https://far.example/"), Ok("https"));
        assert_eq!(of("https://near.example/"), Ok("direct"));
        assert_eq!(of("http://far.example/"), Err(ProxyKind));
        assert_eq!(of("http://near.example/"), Ok("direct"));
        assert_eq!(ways.map(|way| way.len()).https, Some(5));
    }
}
