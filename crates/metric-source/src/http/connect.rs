//! The way to a server: directly or through a proxy, with TLS where it is asked for.

use std::sync::Arc;

use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, Uri};
use http_proxies::{HttpConfig, Proxies};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::error::{BoxError, HttpError};
use super::names::Resolver;
use super::url::HttpUrl;

type HttpStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Bytes to and from a server.
pub(super) trait Stream: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Stream for T {}

/// An open way to a server.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    /// Set where a proxy reads the request and passes it on.
    pub(super) forward: Option<ForwardProxy>,
}

/// A proxy that wants the whole URL as the target.
pub(super) struct ForwardProxy(Intercept);

impl ForwardProxy {
    pub(super) fn headers(&self) -> HeaderMap {
        let auth = self.0.basic_auth().cloned();
        auth.map(|value| (PROXY_AUTHORIZATION, value))
            .into_iter()
            .collect()
    }
}

/// Makes connections.
#[derive(Debug)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    proxies: Proxies,
    ca_bundle: Option<Vec<u8>>,
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Connector {
    pub(super) fn new(config: HttpConfig, names: Resolver) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self {
            tcp,
            proxies: config.proxies(),
            ca_bundle: config.ca_bundle,
            tls: OnceCell::new(),
        }
    }

    pub(super) async fn connect(&self, url: &HttpUrl) -> Result<Connection, HttpError> {
        let proxy = self.proxies.of(url.uri());
        let proxy = proxy.map(|proxy| proxy.parsed().clone());
        let through = proxy.as_ref().map(place);
        let failed = |source| HttpError::Connect {
            url: url.clone(),
            proxy: through,
            source,
        };
        if let Some(proxy) = &proxy
            && !matches!(proxy.uri().scheme_str(), Some("http" | "https"))
        {
            return Err(HttpError::ProxyKind { url: url.clone() });
        }
        let (stream, forward): (Box<dyn Stream>, _) = match proxy {
            Some(proxy) if url.is_https() => {
                let tls = self.tls().await?;
                let stream = self.tunnel(url, &proxy, tls).await.map_err(failed)?;
                (stream, None)
            }
            Some(proxy) => {
                let tls = self.tls_for(proxy.uri()).await?;
                let stream = self.reach(proxy.uri(), tls).await.map_err(failed)?;
                (Box::new(stream), Some(ForwardProxy(proxy)))
            }
            None => {
                let tls = self.tls_for(url.uri()).await?;
                let stream = self.reach(url.uri(), tls).await.map_err(failed)?;
                (Box::new(stream), None)
            }
        };
        Ok(Connection { stream, forward })
    }

    /// Opens a connection to the host and port of a URI.
    pub(super) async fn open(&self, to: &Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        call(&mut self.tcp.clone(), to).await
    }

    /// The same with TLS where there is a configuration for it.
    async fn reach(
        &self,
        to: &Uri,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<HttpStream, BoxError> {
        match tls {
            Some(tls) => call(&mut HttpsConnector::from((self.tcp.clone(), tls)), to).await,
            None => Ok(MaybeHttpsStream::Http(self.open(to).await?)),
        }
    }

    /// Opens a connection through a proxy that passes bytes on without reading them.
    async fn tunnel(
        &self,
        url: &HttpUrl,
        proxy: &Intercept,
        tls: Arc<ClientConfig>,
    ) -> Result<Box<dyn Stream>, BoxError> {
        let to_proxy = HttpsConnector::from((self.tcp.clone(), tls.clone()));
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let through = call(&mut tunnel, url.uri()).await?;
        let name = ServerName::try_from(url.host().to_owned())?;
        let stream = TlsConnector::from(tls)
            .connect(name, TokioIo::new(through))
            .await?;
        Ok(Box::new(TokioIo::new(stream)))
    }

    async fn tls_for(&self, uri: &Uri) -> Result<Option<Arc<ClientConfig>>, HttpError> {
        match uri.scheme_str() {
            Some("https") => self.tls().await.map(Some),
            _ => Ok(None),
        }
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, HttpError> {
        let make = || async { Ok(Arc::new(tls_config(self.roots().await?))) };
        self.tls.get_or_try_init(make).await.cloned()
    }

    async fn roots(&self) -> Result<RootCertStore, HttpError> {
        let certificates = match &self.ca_bundle {
            Some(pem) => CertificateDer::pem_slice_iter(pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|source| HttpError::CaBundle { source })?,
            // The system's are read from files, which on some systems takes 300 ms.
            None => tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
                .await
                .map(|loaded| loaded.certs)
                .unwrap_or_default(),
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(HttpError::NoCertificates);
        }
        Ok(roots)
    }
}

/// The host and port of a proxy, without what is needed to be let in there.
fn place(proxy: &Intercept) -> String {
    let authority = proxy.uri().authority().map_or("", |a| a.as_str());
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

async fn call<S>(service: &mut S, to: &Uri) -> Result<S::Response, BoxError>
where
    S: Service<Uri>,
    S::Error: Into<BoxError>,
{
    std::future::poll_fn(|context| service.poll_ready(context))
        .await
        .map_err(Into::into)?;
    service.call(to.clone()).await.map_err(Into::into)
}

fn tls_config(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
