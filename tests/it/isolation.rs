//! Requests that are refused for what they hold: exactly the bad points are lost, and it
//! takes few requests to find them.

use cloudwatch_local::{Blame, Fault, Outcome};

use crate::delivery::{each, values};
use crate::support::{Setup, endpoint, text};

/// A crontab of so many metrics, M0 and so on, each with its number for a value.
fn metrics(count: usize) -> tempfile::NamedTempFile {
    let lines: String = (0..count)
        .map(|i| format!("@yearly name=M{i} value={i}\n"))
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

/// Of so many points these are bad: they and only they are dropped, in few requests.
async fn costs_only_itself(count: usize, bad: Vec<usize>, blame: Blame) {
    let row = format!("{bad:?} of {count}, {blame:?}");
    let endpoint = endpoint().await;
    let names: Vec<_> = bad.iter().map(|i| format!("M{i}")).collect();
    let poisoned = names.clone();
    endpoint.poison(move |point| poisoned.contains(&point.name), blame);
    let file = metrics(count);
    let setup = Setup::new(&endpoint.url()).arg("once");
    let ended = setup.with("CRONTAB", file.path().display()).finish().await;

    let good: Vec<_> = (0..count)
        .filter(|i| !bad.contains(i))
        .map(|i| i as f64)
        .collect();
    let mut arrived = values(&endpoint);
    arrived.sort_by(f64::total_cmp);
    assert_eq!(arrived, good, "{row}");
    let dropped = ended.lines("point rejected and dropped");
    let mut metrics: Vec<_> = dropped.iter().map(|line| text(line, "metric")).collect();
    metrics.sort_unstable();
    let mut expected: Vec<_> = names.iter().map(|n| format!("CustomMetrics/{n}")).collect();
    expected.sort_unstable();
    assert_eq!(metrics, expected, "{row}");
    assert!(
        dropped
            .iter()
            .all(|line| text(line, "error").contains("InvalidParameterValue"))
    );
    let requests = endpoint.attempts().len();
    let bound = 2.0 * bad.len() as f64 * (count as f64).log2() + 2.0;
    assert!(requests as f64 <= bound, "{row}: {requests} > {bound}");
    assert_eq!(ended.code(), Some(i32::from(!bad.is_empty())), "{row}");
    assert_eq!(ended.line("stopped")["points_dropped"], bad.len(), "{row}");
}

#[tokio::test]
async fn bad_point_costs_only_itself() {
    let rows = [
        (1, vec![]),
        (1, vec![0]),
        (2, vec![1]),
        (2, vec![0, 1]),
        (10, vec![]),
        (10, vec![0]),
        (10, vec![3, 9]),
        (10, (0..10).collect()),
        (1000, vec![999]),
        (1000, vec![0, 500]),
    ];
    let blames = [Blame::Named, Blame::Unnamed];
    let rows = rows
        .into_iter()
        .flat_map(|(count, bad)| blames.map(|b| (count, bad.clone(), b)));
    each(rows, async |(count, bad, blame)| {
        costs_only_itself(count, bad, blame).await
    })
    .await;
}

#[tokio::test]
async fn codes_that_blame_a_point_drop_it_alone() {
    let codes = [
        "InvalidParameterValue",
        "InvalidParameterCombination",
        "MissingParameter",
        "MissingRequiredParameter",
        "MissingRequiredParameterException",
        "ValidationError",
        "ValidationException",
    ];
    each(codes, async |code| {
        let endpoint = endpoint().await;
        endpoint.fail_when(move |request| {
            let is_bad = request.points.iter().any(|point| point.name == "M2");
            is_bad.then(|| Fault::error(400, code, "bad"))
        });
        let file = metrics(4);
        let setup = Setup::new(&endpoint.url()).arg("once");
        let ended = setup.with("CRONTAB", file.path().display()).finish().await;
        let mut arrived = values(&endpoint);
        arrived.sort_by(f64::total_cmp);
        assert_eq!(arrived, [0.0, 1.0, 3.0], "{code}");
        assert!(ended.lines("publish attempt failed, retrying").is_empty());
        assert_eq!(endpoint.attempts().len(), 4, "{code}");
    })
    .await;
}

#[tokio::test]
async fn point_that_is_refused_for_what_nobody_knows_is_parked_and_blocks_no_other() {
    let endpoint = endpoint().await;
    endpoint.fail_when(|request| {
        let is_stuck = request.points.iter().any(|point| point.name == "M0");
        is_stuck.then(|| Fault::error(400, "SomethingNew", "no"))
    });
    // The first tick meets an outage, so that all of it waits behind its first point.
    endpoint.fail_next([Fault::status(503), Fault::status(503)]);
    let file = metrics(2500);
    let crontab = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), crontab + "*/2 * * * * * name=Beat value=-1\n").unwrap();
    let publisher = Setup::new(&endpoint.url())
        .with("CRONTAB", file.path().display())
        .with("RETRY_MAX", 1)
        .start();
    publisher.line("recovered").await;
    let ended = publisher.stopped().await;

    let mut arrived = values(&endpoint);
    arrived.retain(|value| *value >= 0.0);
    arrived.sort_by(f64::total_cmp);
    let others: Vec<_> = (1..2500).map(f64::from).collect();
    assert_eq!(arrived, others);
    let parked = ended.line("point parked");
    assert_eq!(text(&parked, "metric"), "CustomMetrics/M0");
    assert_eq!(text(&parked, "code"), "400 SomethingNew");
    assert!(!text(&parked, "next_try").is_empty(), "{parked}");
    let stopped = ended.line("stopped");
    assert_eq!(
        (&stopped["points_unsent"], &stopped["points_dropped"]),
        (&1.into(), &0.into())
    );
}

#[tokio::test]
async fn refusals_of_whatever_is_sent_end_after_the_requests_that_find_one_point() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::error(400, "SomethingNew", "no"));
    let file = metrics(1000);
    let setup = Setup::new(&endpoint.url()).arg("once").with("RETRY_MAX", 2);
    let ended = setup.with("CRONTAB", file.path().display()).finish().await;
    assert_eq!(endpoint.attempts().len(), 2 + 22);
    assert_eq!(ended.line("publish failed")["points_held"], 1000);
    assert_eq!(ended.line("stopped")["points_dropped"], 0);
    assert!(ended.lines("point parked").is_empty());
}

#[tokio::test]
async fn request_that_is_too_large_is_sent_in_halves() {
    let endpoint = endpoint().await;
    endpoint.fail_when(|request| (request.points.len() > 2).then(|| Fault::status(413)));
    let file = metrics(8);
    let setup = Setup::new(&endpoint.url()).arg("once");
    let ended = setup.with("CRONTAB", file.path().display()).finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let sizes: Vec<_> = endpoint.requests().iter().map(|r| r.points.len()).collect();
    assert_eq!(sizes, [2, 2, 2, 2]);
    assert_eq!(endpoint.attempts().len(), 7);
    assert_eq!(endpoint.points().len(), 8);
}

#[tokio::test]
async fn way_that_takes_no_request_at_all_for_too_large_loses_nothing() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::status(413));
    let file = metrics(4);
    let setup = Setup::new(&endpoint.url()).arg("once");
    let ended = setup.with("CRONTAB", file.path().display()).finish().await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(ended.line("stopped")["points_unsent"], 4);
    assert_eq!(endpoint.attempts().len(), 7);
}

#[tokio::test]
async fn every_request_is_signed_for_the_region_and_none_is_refused_for_it() {
    let endpoint = endpoint().await;
    let file = metrics(1500);
    let setup = Setup::new(&endpoint.url()).with("AWS_REGION", "eu-central-1");
    let setup = setup.arg("once").with("CRONTAB", file.path().display());
    assert_eq!(setup.finish().await.code(), Some(0));
    let attempts = endpoint.attempts();
    assert!(
        attempts.iter().all(|a| a.outcome == Outcome::Accepted),
        "{attempts:?}"
    );
    let requests = endpoint.requests();
    assert!(
        requests
            .iter()
            .all(|r| r.region == "eu-central-1" && r.gzip)
    );
    let sizes: Vec<_> = requests.iter().map(|r| r.points.len()).collect();
    assert_eq!(sizes, [1000, 500]);
}
