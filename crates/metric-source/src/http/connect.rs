//! Connections of the client that the SDK brings, each for one request.

use std::sync::{Arc, OnceLock};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use blocking_io::{Calls, Names};
use http::{Request, Response, Uri};
use http_proxies::{HttpConfig, Route, Routes};
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use super::error::{BoxError, HttpError};
use super::names::Resolver;
use super::url::HttpUrl;

/// The ways to servers.
#[derive(Debug)]
pub(super) struct Connections {
    routes: Routes<Lazy>,
    tcp: HttpConnector<Resolver>,
    /// Whether the user trusts some certificates in the place of the system's, and there is none.
    trusts_none: bool,
}

/// Made at the first request: reading the system's certificates may take 300 ms.
#[derive(Debug)]
struct Lazy {
    route: Route,
    connector: Arc<OnceLock<Connector>>,
    making: Calls<(), ()>,
}

impl Lazy {
    fn new(route: Route) -> Self {
        Self {
            route,
            connector: Arc::default(),
            making: Calls::new(1),
        }
    }

    async fn connector(&self) -> Result<&Connector, BoxError> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let (made, route) = (self.connector.clone(), self.route.clone());
        // Sources ask once a minute: a pool would only hold idle connections.
        let make = move || {
            route.connector(|connector| {
                connector.set_pool_max_idle_per_host(Some(0));
            })
        };
        let make = move || {
            made.get_or_init(make);
        };
        self.making.answer((), make).await?;
        Ok(self.connector.get().expect("it was made"))
    }
}

impl Connections {
    pub(super) fn new(config: &HttpConfig, names: &Names) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(names.clone()));
        tcp.enforce_http(false);
        let bundle = config.ca_bundle.as_ref();
        Self {
            routes: Routes::new(config, names, Lazy::new),
            tcp,
            trusts_none: bundle.is_some_and(Vec::is_empty),
        }
    }

    /// Sends a request and waits for the head of its answer. Nothing is left behind when the
    /// future or the answer is dropped.
    pub(super) async fn exchange(
        &self,
        url: &HttpUrl,
        request: Request<SdkBody>,
    ) -> Result<Response<SdkBody>, HttpError> {
        let failed = |source| HttpError::Exchange {
            url: url.clone(),
            source,
        };
        if url.is_https() && self.trusts_none {
            return Err(HttpError::NoCertificates);
        }
        let route = self.routes.of(url.uri());
        let route = route.map_err(|_| HttpError::ProxyKind { url: url.clone() })?;
        let connector = route.connector().await.map_err(failed)?;
        let request = request
            .try_into()
            .map_err(|error| failed(BoxError::from(error)))?;
        let answer = connector.call(request).await.map_err(|error| {
            if is_of_connecting(&error) {
                HttpError::Connect {
                    url: url.clone(),
                    proxy: self.proxy(url),
                    source: error.into_source(),
                }
            } else {
                failed(error.into_source())
            }
        })?;
        answer
            .try_into_http1x()
            .map_err(|error| failed(error.into()))
    }

    /// Opens a connection to the host and port of a URI and says nothing there.
    pub(super) async fn open(&self, to: &Uri) -> Result<(), BoxError> {
        let mut tcp = self.tcp.clone();
        std::future::poll_fn(|context| tcp.poll_ready(context)).await?;
        tcp.call(to.clone()).await?;
        Ok(())
    }

    /// The host and port of the proxy, without what is needed to be let in there.
    fn proxy(&self, url: &HttpUrl) -> Option<String> {
        let proxy = self.routes.proxy(url.uri())?.parsed();
        let authority = proxy.uri().authority().map_or("", |a| a.as_str());
        Some(authority.rsplit('@').next().unwrap_or_default().to_owned())
    }
}

/// Whether it failed before there was a connection that a request could be sent on.
fn is_of_connecting(error: &ConnectorError) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source())
        .find_map(|error| error.downcast_ref::<ClientError>())
        .is_some_and(ClientError::is_connect)
}
