//! The edge to Amazon CloudWatch: the only module that names the SDK.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use cloudwatch_metric::Point;

use crate::config::Config;
use crate::outbox::Batch;
use crate::publish::{Failure, FailureKind, Sink};

mod acceptance;
mod aside;
mod connect;
mod credentials;
mod files;
mod http;
mod origin;
mod session;

use acceptance::NotTheService;
pub use credentials::profile_region;
pub use files::SdkFiles;
pub use origin::{Origin, ProfileKind, origin};
use session::Sessions;

/// A client of CloudWatch that makes one attempt a call. Clones are the same client.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    sessions: Arc<Sessions>,
}

impl CloudWatch {
    /// Sets up the client; nothing is read or sent and no credentials are looked for yet.
    #[must_use]
    pub fn new(config: &Config, files: SdkFiles) -> Self {
        let http = connect::http_client(&config.http);
        let sessions = Sessions::new(&config.region, http, files, config.request_timeout);
        Self {
            sessions: Arc::new(sessions),
        }
    }

    /// Looks for credentials anew, for the files or the endpoint that they came from may
    /// have others by now. If none are found, those that were known stay in use.
    pub async fn renew(&self) -> Result<(), Failure> {
        self.sessions.renew().await
    }
}

impl Sink for CloudWatch {
    async fn ready(&self) -> Result<(), Failure> {
        self.sessions.trusted().await.map(drop)
    }

    async fn put(&self, batch: &Batch) -> Result<(), Failure> {
        let session = self.sessions.trusted().await?;
        let request = session
            .client()
            .put_metric_data()
            .namespace(batch.namespace().as_str())
            .set_metric_data(Some(batch.points().map(datum).collect()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = failure(error);
                if credentials::are_bad(&failure) {
                    self.sessions.distrust(&session);
                }
                Err(failure)
            }
        }
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

fn failure(error: SdkError<PutMetricDataError, HttpResponse>) -> Failure {
    if let Some(kind) = credentials::kind_in(&error) {
        return Failure {
            kind,
            source: Some(Box::new(error)),
        };
    }
    if is_of_something_else(&error) {
        return Failure {
            kind: FailureKind::NoAnswer,
            source: Some(Box::new(NotTheService)),
        };
    }
    let kind = match error.raw_response() {
        Some(response) if !response.status().is_success() => FailureKind::Refused {
            status: response.status().as_u16(),
            code: error.code().unwrap_or_default().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
            retry_after: retry_after(response),
        },
        _ => FailureKind::NoAnswer,
    };
    // What the service says is in the kind already; below it stands only the SDK's wrapping.
    let source = match error {
        SdkError::ServiceError(_) => None,
        other => Some(Box::new(other) as Box<dyn Error + Send + Sync>),
    };
    Failure { kind, source }
}

/// Whether an error is [`NotTheService`], wrapped by the SDK.
fn is_of_something_else(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| cause.is::<NotTheService>())
}

/// `x-amz-retry-after` counts milliseconds, `retry-after` seconds (RFC 9110, 10.2.3); the
/// latter's dates are not taken, for this machine's clock may be the problem.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name)?.trim().parse::<u64>().ok();
    header("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| header("retry-after").map(Duration::from_secs))
}

#[cfg(test)]
mod tests;
