//! A publisher that goes on through trouble: once it is over, nothing is missing.

use cloudwatch_local::{CloudWatchLocal, Credentials, Fault};

use crate::support::{Setup, endpoint, text};

/// A publisher of one point a second, its value the moment.
fn every_second(url: &str) -> Setup {
    Setup::new(url)
        .with("SCHEDULE", "* * * * * *")
        .with("METRIC_VALUE", "timestamp")
        .with("PUBLISH_ON_START", "false")
}

/// Everything that was sampled arrived once, under its own timestamp.
fn assert_no_gap(endpoint: &CloudWatchLocal) {
    let points = endpoint.points();
    let mut moments: Vec<_> = points.iter().map(|point| point.unix()).collect();
    moments.sort_unstable();
    let (first, last) = (moments[0], moments[moments.len() - 1]);
    assert_eq!(moments, (first..=last).collect::<Vec<_>>());
    assert!(
        points
            .iter()
            .all(|point| point.value() == point.unix() as f64)
    );
}

#[tokio::test]
async fn points_of_a_time_without_permission_arrive_when_it_is_given() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::error(403, "AccessDenied", "not allowed"));
    let publisher = every_second(&endpoint.url()).start();
    publisher.lines("publish failed", 3).await;
    endpoint.heal();
    let recovered = publisher.line("recovered").await;
    assert!(
        recovered["points_replayed"].as_u64() >= Some(2),
        "{recovered}"
    );
    assert_eq!(recovered["points_lost"], 0);
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_no_gap(&endpoint);
}

#[tokio::test]
async fn expired_and_unknown_credentials_hold_until_they_are_good() {
    let good = Credentials::new("test", "test");
    for bad in [Some(good.clone().expired()), None] {
        let endpoint = endpoint().await;
        match bad {
            Some(bad) => endpoint.add_credentials(bad),
            None => endpoint.remove_credentials("test"),
        }
        let publisher = every_second(&endpoint.url()).start();
        publisher.lines("publish failed", 2).await;
        endpoint.add_credentials(good.clone());
        publisher.line("recovered").await;
        publisher.stopped().await;
        assert_no_gap(&endpoint);
    }
}

#[tokio::test]
async fn clock_that_stays_wrong_is_told_and_costs_nothing_when_it_is_set_right() {
    for message in [
        "Signature expired: x is now earlier than y",
        "Signature not yet current: x",
    ] {
        let endpoint = endpoint().await;
        endpoint.fail_always(Fault::error(403, "SignatureDoesNotMatch", message));
        let publisher = every_second(&endpoint.url()).with("RETRY_MAX", 1).start();
        let failed = publisher.line("publish failed").await;
        assert_eq!(failed["attempts"], 2, "it is retried");
        assert!(text(&failed, "hint").contains("clock"), "{failed}");
        endpoint.heal();
        publisher.line("recovered").await;
        publisher.stopped().await;
        assert_no_gap(&endpoint);
    }
}

#[tokio::test]
async fn endpoint_that_goes_away_and_comes_back_misses_nothing() {
    let mut endpoint = endpoint().await;
    let publisher = every_second(&endpoint.url()).start();
    endpoint.received_at_least(2).await;
    endpoint.stop().await;
    publisher.lines("publish failed", 2).await;
    endpoint.restart().await.unwrap();
    publisher.line("recovered").await;
    publisher.stopped().await;
    assert_no_gap(&endpoint);
}
