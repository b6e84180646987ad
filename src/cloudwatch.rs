//! The edge to Amazon CloudWatch: the only module that names the SDK.

use aws_config::SdkConfig;
use aws_connection::{Connection, OnlyTheService, SdkFiles};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Builder;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_smithy_cbor::Decoder;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use cloudwatch_metric::Point;

use crate::config::Config;
use crate::outbox::Batch;
use crate::publish::{RequestError, Sink};

/// A client of CloudWatch that makes one attempt a call. Clones are the same client.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    connection: Connection<Client>,
}

impl CloudWatch {
    /// Sets up the client; nothing is read or sent and no credentials are looked for yet.
    #[must_use]
    pub fn new(config: &Config, files: SdkFiles) -> Self {
        let (region, timeout) = (&config.region, config.request_timeout);
        let (role, http) = (config.role.clone(), &config.http);
        Self {
            connection: Connection::assuming(role, region, http, files, timeout, client),
        }
    }

    /// Looks for credentials anew. If none are found, those that were known stay in use.
    pub async fn renew(&self) -> Result<(), RequestError> {
        self.connection.renew().await
    }
}

fn client(config: &SdkConfig) -> Client {
    let config = Builder::from(config)
        .interceptor(OnlyTheService::new("CloudWatch", speaks_protocol))
        .build();
    Client::from_conf(config)
}

impl Sink for CloudWatch {
    async fn ready(&self) -> Result<(), RequestError> {
        self.connection.ready().await
    }

    async fn put(&self, batch: &Batch) -> Result<(), RequestError> {
        let put = self.connection.call(|client| {
            let request = client
                .put_metric_data()
                .namespace(batch.namespace().as_str())
                .set_metric_data(Some(batch.points().map(datum).collect()));
            request.send()
        });
        put.await.map(drop)
    }
}

fn datum(point: &Point) -> MetricDatum {
    let metric = &point.metric;
    let dimensions = metric.dimensions.iter().map(|dimension| {
        Dimension::builder()
            .name(dimension.name())
            .value(dimension.value())
            .build()
    });
    MetricDatum::builder()
        .metric_name(metric.name.as_str())
        .set_dimensions((!metric.dimensions.is_empty()).then(|| dimensions.collect()))
        .timestamp(DateTime::from_secs(point.at.timestamp()))
        .value(point.value.get())
        .unit(StandardUnit::from(metric.unit.as_str()))
        .storage_resolution(metric.resolution.seconds())
        .build()
}

/// Whether an answer is in the protocol that the SDK speaks with CloudWatch (Smithy RPC v2
/// CBOR, "Responses"): the header of it, and a body of one value. That of an operation without
/// output may also be empty.
fn speaks_protocol(answer: &HttpResponse) -> bool {
    answer.headers().get("smithy-protocol") == Some("rpc-v2-cbor")
        && answer.body().bytes().is_some_and(decodes)
}

fn decodes(body: &[u8]) -> bool {
    let mut decoder = Decoder::new(body);
    body.is_empty() || (decoder.skip().is_ok() && decoder.position() == body.len())
}

#[cfg(test)]
mod tests;
