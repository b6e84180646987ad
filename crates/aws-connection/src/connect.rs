//! The SDK's connections.

use std::time::Duration;

use aws_smithy_http_client::Builder;
use http_proxies::HttpConfig;

use crate::http::Ways;

/// A connection that was idle for longer is not used again. Load balancers commonly close
/// one after a minute (Elastic Load Balancing's default): with a tick a minute each request
/// would risk to cross the close on its way, and nobody could tell whether it arrived.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// The SDK reads `SSL_CERT_FILE` itself, but neither `AWS_CA_BUNDLE` nor, for a client
/// made by hand, the proxies' variables.
pub(crate) fn ways(config: &HttpConfig) -> Ways {
    Ways::new(config, |route| {
        Builder::new().build_with_connector_fn(move |settings, components| {
            route.connector(|connector| {
                connector.set_pool_idle_timeout(Some(Some(IDLE_MAX)));
                connector.set_connector_settings(settings.cloned());
                if let Some(components) = components {
                    connector.set_sleep_impl(components.sleep_impl());
                }
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_cloudwatch::types::MetricDatum;
    use cloudwatch_local::CloudWatchLocal;

    use super::*;

    /// Lets the clock go forward, and time go on behind it.
    async fn idle(duration: Duration) {
        tokio::time::pause();
        tokio::time::advance(duration).await;
        tokio::time::resume();
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
