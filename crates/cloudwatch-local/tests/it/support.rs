//! A publisher that is nothing but the SDK.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::config::retry::RetryConfig;
use aws_sdk_cloudwatch::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::MetricDatum;
use aws_sdk_cloudwatch::{Client, Config};
use aws_smithy_http_client::Builder;
use cloudwatch_local::CloudWatchLocal;

/// For one request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Sent = Result<(), SdkError<PutMetricDataError>>;

pub(crate) async fn endpoint() -> CloudWatchLocal {
    CloudWatchLocal::builder().start().await.unwrap()
}

/// A client with the access key `test` that does not retry.
pub(crate) fn client(endpoint: &CloudWatchLocal) -> Client {
    client_as(
        endpoint,
        Credentials::new("test", "test", None, None, "tests"),
    )
}

/// The same with other credentials.
pub(crate) fn client_as(endpoint: &CloudWatchLocal, credentials: Credentials) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE);
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(endpoint.url())
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .http_client(Builder::new().build_http())
            .build(),
    )
}

pub(crate) fn datum(name: &str, value: f64) -> MetricDatum {
    MetricDatum::builder()
        .metric_name(name)
        .value(value)
        .timestamp(DateTime::from_secs(now()))
        .build()
}

/// The time of the machine, in Unix seconds.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

pub(crate) async fn send(client: &Client, data: Vec<MetricDatum>) -> Sent {
    send_to(client, "Ns", data).await
}

pub(crate) async fn send_to(client: &Client, namespace: &str, data: Vec<MetricDatum>) -> Sent {
    let put = client.put_metric_data().namespace(namespace);
    put.set_metric_data(Some(data)).send().await.map(drop)
}

/// Code and message of an answered error.
pub(crate) fn error(sent: Sent) -> (String, String) {
    let error = sent.unwrap_err();
    let part = |text: Option<&str>| text.unwrap_or_else(|| panic!("{error:?}")).to_owned();
    (part(error.code()), part(error.message()))
}
