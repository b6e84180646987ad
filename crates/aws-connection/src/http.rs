//! The SDK's HTTP client: it picks the way of each request, directly or through a proxy,
//! and bounds what is read of an answer. Those who give credentials are asked through it too.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use blocking_io::Names;
use http::Uri;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use http_proxies::{HttpConfig, Route, Routes, is_loopback};

/// The most that is read of an answer. The longest that are known are refusals that name
/// each of 1000 points, and credentials with a session token, of a few kilobytes.
pub const ANSWER_MAX: usize = 64 * 1024;

/// An answer that is longer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {} KiB", ANSWER_MAX >> 10)]
struct TooLong;

/// A client for each way. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    clients: Routes<SharedHttpClient>,
    /// Whether the proxies also serve requests to this machine. Credentials that it gives
    /// are nothing for a proxy, which would ask itself for them.
    loopback: bool,
}

impl Ways {
    /// `client` makes the one that sends all along a way.
    pub(crate) fn new(config: &HttpConfig, client: impl Fn(Route) -> SharedHttpClient) -> Self {
        Self {
            clients: Routes::new(config, &Names::default(), client),
            loopback: false,
        }
    }

    /// A client for requests to the service.
    pub(crate) fn to_the_service(&self) -> SharedHttpClient {
        SharedHttpClient::new(Self {
            loopback: true,
            ..self.clone()
        })
    }

    /// A client for those who give credentials.
    pub(crate) fn to_credentials(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }
}

impl HttpClient for Ways {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connectors {
            connectors: self
                .clients
                .map(|client| client.http_connector(settings, components)),
            loopback: self.loopback,
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let direct = self.clients.direct();
        direct.validate_base_client_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.clients.direct().connector_metadata()
    }
}

#[derive(Debug)]
struct Connectors {
    connectors: Routes<SharedHttpConnector>,
    loopback: bool,
}

impl Connectors {
    fn way(&self, request: &HttpRequest) -> Result<&SharedHttpConnector, ConnectorError> {
        let user = |error: BoxError| ConnectorError::user(error);
        let url: Uri = request
            .uri()
            .parse()
            .map_err(|error| user(Box::new(error)))?;
        if !self.loopback && is_loopback(&url) {
            return Ok(self.connectors.direct());
        }
        self.connectors.of(&url).map_err(|kind| user(kind.into()))
    }
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.way(&request) {
            Ok(way) => {
                let answer = way.call(request);
                HttpConnectorFuture::new(async move { answer.await.map(bounded) })
            }
            Err(error) => HttpConnectorFuture::ready(Err(error)),
        }
    }
}

/// The answer, of which no more than that is read.
#[must_use]
pub fn bounded(answer: HttpResponse) -> HttpResponse {
    answer.map(|body| {
        let body = Limited::new(body, ANSWER_MAX).map_err(|error| {
            if error.is::<LengthLimitError>() {
                TooLong.into()
            } else {
                error
            }
        });
        SdkBody::from_body_1_x(body)
    })
}
