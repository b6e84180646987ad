//! What is accepted and what is refused.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Credentials;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use cloudwatch_local::{CloudWatchLocal, Credentials as LocalCredentials};

use crate::support::{client, client_as, datum, endpoint, error, now, send};

#[tokio::test]
async fn point_of_the_sdk_is_kept_as_it_was_sent() {
    let endpoint = endpoint().await;
    let at = now() - 60;
    let sent = MetricDatum::builder()
        .metric_name("Depth")
        .dimensions(Dimension::builder().name("Queue").value("orders").build())
        .dimensions(Dimension::builder().name("Stage").value("prod").build())
        .timestamp(DateTime::from_secs(at))
        .value(42.5)
        .unit(StandardUnit::Milliseconds)
        .storage_resolution(1)
        .build();
    send(&client(&endpoint), vec![sent]).await.unwrap();

    let [point] = &endpoint.points()[..] else {
        panic!("{:?}", endpoint.points())
    };
    assert_eq!((&*point.namespace, &*point.name), ("Ns", "Depth"));
    assert_eq!(point.dimension("Queue"), Some("orders"));
    assert_eq!(point.dimension("Stage"), Some("prod"));
    assert_eq!((point.unix(), point.value()), (at, 42.5));
    assert_eq!((&*point.unit, point.resolution), ("Milliseconds", 1));
    let request = &endpoint.requests()[0];
    assert_eq!(
        (&*request.access_key, &*request.region),
        ("test", "eu-west-1")
    );
    assert!(!request.gzip);
    assert!(request.user_agent.contains("aws-sdk-rust"), "{request:?}");
}

#[tokio::test]
async fn large_requests_come_compressed() {
    let endpoint = endpoint().await;
    let data = (0..1000).map(|i| datum(&format!("Metric{i}"), 1.0));
    send(&client(&endpoint), data.collect()).await.unwrap();
    let request = &endpoint.requests()[0];
    assert!(request.gzip);
    assert_eq!(request.points.len(), 1000);
}

#[tokio::test]
async fn wrong_secret_and_unknown_key_are_refused_by_code() {
    let endpoint = endpoint().await;
    for (key, secret, refusal) in [
        ("test", "wrong", "SignatureDoesNotMatch"),
        ("nobody", "test", "InvalidClientTokenId"),
    ] {
        let credentials = Credentials::new(key, secret, None, None, "tests");
        let sent = send(&client_as(&endpoint, credentials), vec![datum("A", 1.0)]).await;
        assert_eq!(error(sent).0, refusal);
    }
    assert!(endpoint.points().is_empty());
    assert_eq!(endpoint.refused().len(), 2);
}

#[tokio::test]
async fn temporary_credentials_need_their_token_and_can_expire() {
    let endpoint = endpoint().await;
    let temporary = LocalCredentials::new("ASIA", "s").with_session_token("token");
    endpoint.add_credentials(temporary.clone());
    let put = async |token: Option<&str>| {
        let credentials = Credentials::new("ASIA", "s", token.map(str::to_owned), None, "tests");
        let client = client_as(&endpoint, credentials);
        send(&client, vec![datum("A", 1.0)]).await
    };
    put(Some("token")).await.unwrap();
    assert_eq!(error(put(None).await).0, "InvalidClientTokenId");
    assert_eq!(error(put(Some("other")).await).0, "InvalidClientTokenId");
    endpoint.add_credentials(
        temporary
            .clone()
            .expire_at(SystemTime::UNIX_EPOCH + Duration::from_secs(now().unsigned_abs() + 3600)),
    );
    put(Some("token")).await.unwrap();
    endpoint.add_credentials(temporary.expired());
    assert_eq!(error(put(Some("token")).await).0, "ExpiredToken");
    assert_eq!(endpoint.requests()[0].access_key, "ASIA");
}

#[tokio::test]
async fn credentials_can_be_rotated_while_it_runs() {
    let endpoint = endpoint().await;
    let old = client(&endpoint);
    send(&old, vec![datum("A", 1.0)]).await.unwrap();
    endpoint.remove_credentials("test");
    endpoint.add_credentials(LocalCredentials::new("new", "secret"));
    let refused = send(&old, vec![datum("A", 1.0)]).await;
    assert_eq!(error(refused).0, "InvalidClientTokenId");
    let credentials = Credentials::new("new", "secret", None, None, "tests");
    let new = client_as(&endpoint, credentials);
    send(&new, vec![datum("A", 1.0)]).await.unwrap();
}

#[tokio::test]
async fn request_of_another_time_is_refused_and_the_sdk_learns_the_skew() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    let skew = Duration::from_secs(600);
    endpoint.set_clock_ahead(skew);
    let (code, message) = error(send(&client, vec![datum("A", 1.0)]).await);
    assert_eq!(code, "SignatureDoesNotMatch");
    assert!(message.starts_with("Signature expired: "), "{message}");
    // The SDK took the endpoint's time from the answer and signs by it from now on.
    send(&client, vec![datum("A", 1.0)]).await.unwrap();

    endpoint.set_clock_behind(skew);
    let (_, message) = error(send(&client, vec![datum("A", 1.0)]).await);
    assert!(message.starts_with("Signature not yet"), "{message}");
}

#[tokio::test]
async fn only_the_named_regions_are_served() {
    let builder = CloudWatchLocal::builder().region("us-east-1");
    let elsewhere = builder.start().await.unwrap();
    let sent = send(&client(&elsewhere), vec![datum("A", 1.0)]).await;
    assert_eq!(error(sent).0, "SignatureDoesNotMatch");
    let builder = CloudWatchLocal::builder().region("eu-west-1");
    let here = builder.start().await.unwrap();
    send(&client(&here), vec![datum("A", 1.0)]).await.unwrap();
}

#[tokio::test]
async fn one_bad_point_refuses_the_request_and_is_named() {
    let endpoint = endpoint().await;
    let data = vec![datum("A", 1.0), datum("B", f64::NAN)];
    let (code, message) = error(send(&client(&endpoint), data).await);
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        "The value NaN for parameter MetricData.member.2.Value is invalid."
    );
    assert!(endpoint.points().is_empty());
}

#[tokio::test]
async fn request_beyond_a_megabyte_is_too_large_compressed_or_not() {
    let endpoint = endpoint().await;
    let value = "v".repeat(1024);
    let with_dimensions = |name: &str| {
        let mut datum = datum(name, 1.0);
        let dimension = |n: usize| {
            let builder = Dimension::builder().name(n.to_string());
            builder.value(&value).build()
        };
        datum.dimensions = Some((0..2).map(dimension).collect());
        datum
    };
    let data: Vec<_> = (0..600).map(|n| with_dimensions(&n.to_string())).collect();
    let sent = send(&client(&endpoint), data.clone()).await;
    let status = sent.as_ref().unwrap_err().raw_response().unwrap().status();
    assert_eq!(status.as_u16(), 413);
    assert_eq!(error(sent).0, "RequestEntityTooLarge");

    let plain = client(&endpoint).config().to_builder();
    let plain = Client::from_conf(plain.disable_request_compression(true).build());
    assert_eq!(error(send(&plain, data).await).0, "RequestEntityTooLarge");
}

#[tokio::test]
async fn series_are_told_apart_by_dimensions_in_any_order_and_kept_to_the_bound() {
    let builder = CloudWatchLocal::builder().keep(2, 3);
    let endpoint = builder.start().await.unwrap();
    let client = client(&endpoint);
    let dimension = |n: &str| Dimension::builder().name(n).value("v").build();
    for (value, names) in [(1.0, ["A", "B"]), (2.0, ["B", "A"]), (3.0, ["A", "B"])] {
        let mut datum = datum("Depth", value);
        datum.dimensions = Some(names.map(dimension).to_vec());
        send(&client, vec![datum]).await.unwrap();
    }
    send(&client, vec![datum("Depth", 9.0)]).await.unwrap();
    let values: Vec<Vec<_>> = endpoint
        .series()
        .iter()
        .map(|series| series.points.iter().map(|(_, value)| *value).collect())
        .collect();
    assert_eq!(values, [vec![9.0], vec![2.0, 3.0]]);
    assert_eq!(
        (endpoint.requests().len(), endpoint.attempts().len()),
        (3, 3)
    );
    endpoint.requests_at_least(4).await;
    assert_eq!(endpoint.connections(), 1);
}
