//! What is accepted and what is refused.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use aws_sdk_cloudwatch::config::Credentials;

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
