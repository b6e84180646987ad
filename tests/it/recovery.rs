//! A publisher that goes on through trouble: once it is over, nothing is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cloudwatch_local::{CloudWatchLocal, Credentials, Fault};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;

use crate::support::{Answer, Setup, Web, endpoint, text};

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

/// What an endpoint of container credentials answers.
fn container_credentials(expiration: &str) -> Answer {
    let body = serde_json::json!({
        "AccessKeyId": "test", "SecretAccessKey": "test", "Token": "token",
        "Expiration": expiration,
    });
    Answer::ok(body.to_string())
}

/// The session token of [`container_credentials`].
fn session() -> Credentials {
    Credentials::new("test", "test").with_session_token("token")
}

fn with_credentials_of(setup: Setup, endpoint: &Web) -> Setup {
    let url = format!("http://{}/", endpoint.place());
    setup
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
}

#[tokio::test]
async fn points_wait_for_an_endpoint_of_credentials_that_fails_for_a_while() {
    let endpoint = endpoint().await;
    endpoint.add_credentials(session());
    let well = Arc::new(AtomicBool::new(true));
    let seen = well.clone();
    let credentials = Web::start(move |_| match seen.load(Ordering::Relaxed) {
        // They have expired, so that each request asks for new ones.
        true => container_credentials("2020-01-01T00:00:00Z"),
        false => Answer::status("500 Internal Server Error", "no"),
    })
    .await;
    let publisher = every_second(&endpoint.url()).with("RETRY_MAX", 1);
    let publisher = with_credentials_of(publisher, &credentials).start();
    publisher.line("published").await;
    well.store(false, Ordering::Relaxed);
    let failed = publisher.line("publish failed").await;
    let error = text(&failed, "error");
    assert!(
        error.contains("the credentials are unavailable"),
        "{failed}"
    );
    assert_eq!(failed["attempts"], 2, "it is retried");
    for part in ["STS", "metadata"] {
        assert!(text(&failed, "hint").contains(part), "{failed}");
    }
    well.store(true, Ordering::Relaxed);
    assert_eq!(publisher.line("recovered").await["points_lost"], 0);
    publisher.stopped().await;
    assert_no_gap(&endpoint);
}

#[tokio::test]
async fn profile_that_hangs_when_it_is_read_again_keeps_no_endpoint_of_credentials_from_being_asked()
 {
    let endpoint = endpoint().await;
    endpoint.add_credentials(session());
    // They have expired, so that each request asks for new ones.
    let credentials = Web::start(|_| container_credentials("2020-01-01T00:00:00Z")).await;
    let dir = tempfile::tempdir().unwrap();
    let profiles = dir.path().join("config");
    std::fs::write(&profiles, "").unwrap();
    let publisher = every_second(&endpoint.url())
        .with("AWS_CONFIG_FILE", profiles.display())
        .with("REQUEST_TIMEOUT", "2s")
        .with("RETRY_MAX", 0);
    let publisher = with_credentials_of(publisher, &credentials).start();
    publisher.line("published").await;
    std::fs::remove_file(&profiles).unwrap();
    mkfifoat(CWD, &profiles, Mode::RUSR | Mode::WUSR).unwrap();
    publisher.signal(Signal::HUP);
    publisher
        .line("credentials not reloaded, keeping the old ones")
        .await;
    // What hangs still does.
    let so_far = endpoint.points().len();
    endpoint.received_at_least(so_far + 5).await;
    let ended = publisher.stopped().await;
    assert!(ended.lines("publish failed").is_empty(), "{ended:#?}");
}

#[tokio::test]
async fn credentials_that_are_refused_in_many_namespaces_are_renewed_once() {
    const NAMESPACES: usize = 20;
    let endpoint = endpoint().await;
    endpoint.add_credentials(session());
    let expired = Fault::error(403, "ExpiredToken", "expired");
    endpoint.fail_next(vec![expired; NAMESPACES]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let credentials = Web::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        container_credentials("2100-01-01T00:00:00Z")
    })
    .await;
    let crontab: String = (0..NAMESPACES)
        .map(|i| format!("* * * * * * name=M value=1 namespace=N{i}\n"))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crontab).unwrap();
    let publisher = Setup::new(&endpoint.url()).with("CRONTAB", file.path().display());
    let publisher = with_credentials_of(publisher, &credentials).start();
    publisher.lines("recovered", NAMESPACES).await;
    publisher.stopped().await;
    // Whether there are any, and for the first request; the same after they were refused.
    assert_eq!(asked.load(Ordering::Relaxed), 4);
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
