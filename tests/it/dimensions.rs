//! Dimensions that every metric has, and those that name the task of ECS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloudwatch_local::CloudWatchLocal;

use crate::support::{Answer, Ended, Setup, Web, closed_place, endpoint, text};

const TASK: &str = include_str!("../../crates/metric-source/tests/fixtures/ecs/fargate_task.json");
const STATS: &str =
    include_str!("../../crates/metric-source/tests/fixtures/ecs/fargate_stats.json");

/// Publishes the lines of a crontab once.
async fn once(endpoint: &CloudWatchLocal, crontab: &str, variables: &[(&str, &str)]) -> Ended {
    let setup = Setup::new(&endpoint.url())
        .arg("once")
        .with("CRONTAB_CONTENT", crontab);
    let setup = variables
        .iter()
        .fold(setup, |setup, (name, value)| setup.with(name, value));
    setup.finish().await
}

/// The metrics that arrived, `Name{A=1,B=2}`, in order.
fn metrics(endpoint: &CloudWatchLocal) -> Vec<String> {
    let points = endpoint.points();
    let metrics = points.iter().map(|point| {
        let mut dimensions: Vec<_> = point
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        dimensions.sort_unstable();
        format!("{}{{{}}}", point.name, dimensions.join(","))
    });
    let mut metrics: Vec<_> = metrics.collect();
    metrics.sort_unstable();
    metrics
}

#[tokio::test]
async fn common_dimensions_stand_beside_those_of_every_metric() {
    let endpoint = endpoint().await;
    let crontab = "* * * * * name=A value=1\n\
        * * * * * name=B value=1 dimensions=Queue=orders\n\
        * * * * * name=C value=1 dimensions=\n\
        * * * * * name=D value=1 dimensions=Host=web-1\n\
        COMMON_DIMENSIONS=Zone=b\n\
        * * * * * name=E value=1\n\
        COMMON_DIMENSIONS=\n\
        * * * * * name=F value=1\n";
    let variables = [
        ("HOSTNAME", "web-1"),
        ("COMMON_DIMENSIONS", "Host=${HOSTNAME}"),
        ("METRIC_DIMENSIONS", "Stage=prod"),
    ];
    let ended = once(&endpoint, crontab, &variables).await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let expected = [
        "A{Host=web-1,Stage=prod}",
        "B{Host=web-1,Queue=orders}",
        "C{Host=web-1}",
        "D{Host=web-1}",
        "E{Stage=prod,Zone=b}",
        "F{Stage=prod}",
    ];
    assert_eq!(metrics(&endpoint), expected);
}

#[tokio::test]
async fn only_metric_of_the_environment_has_them_too() {
    let endpoint = endpoint().await;
    let ended = Setup::new(&endpoint.url())
        .arg("once")
        .with("COMMON_DIMENSIONS", "Host=web-1")
        .with("METRIC_DIMENSIONS", "Stage=prod")
        .finish()
        .await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert_eq!(metrics(&endpoint), ["TestMetric{Host=web-1,Stage=prod}"]);
}

#[tokio::test]
async fn conflict_and_excess_are_told_by_line() {
    let endpoint = endpoint().await;
    let many: Vec<_> = (0..30).map(|n| format!("D{n}=1")).collect();
    let crontab = format!(
        "* * * * * name=A value=1 dimensions=Host=web-2\n* * * * * name=B value=1 dimensions={}\n\
         METRIC_DIMENSIONS=Host=web-3\n* * * * * name=C value=1\n",
        many.join(",")
    );
    let ended = once(&endpoint, &crontab, &[("COMMON_DIMENSIONS", "Host=web-1")]).await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let lines = ended.lines("invalid configuration");
    let told: Vec<_> = lines
        .iter()
        .map(|line| (text(line, "setting"), text(line, "problem")))
        .collect();
    for (place, part) in [
        ("CRONTAB_CONTENT:1:37", "another value in COMMON_DIMENSIONS"),
        ("CRONTAB_CONTENT:2:37", "31 dimensions, at most 30"),
        ("CRONTAB_CONTENT:4:1", "another value in COMMON_DIMENSIONS"),
    ] {
        let found = told
            .iter()
            .any(|(at, problem)| *at == place && problem.contains(part));
        assert!(found, "{place}: {told:#?}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
}

#[tokio::test]
async fn task_of_ecs_is_asked_once_and_named() {
    let endpoint = endpoint().await;
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let agent = Web::start(move |request| match request.split(' ').nth(1) {
        Some("/v4/1/task") => {
            count.fetch_add(1, Ordering::Relaxed);
            Answer::ok(TASK)
        }
        Some("/v4/1/task/stats") => Answer::ok(STATS),
        other => panic!("asked for {other:?}"),
    })
    .await;
    let uri = format!("http://{}/v4/1", agent.place());
    let variables = [
        ("ECS_CONTAINER_METADATA_URI_V4", &*uri),
        (
            "COMMON_DIMENSIONS",
            "TaskFamily=task:family,ClusterName=task:cluster",
        ),
    ];
    let crontab = "* * * * * name=A value=1 dimensions=Task=task:id\n\
        * * * * * name=M value=ecs:memory\n";
    let ended = once(&endpoint, crontab, &variables).await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let expected = [
        "A{ClusterName=default,Task=cd189a933e5849daa93386466019ab50,TaskFamily=curltest}",
        "M{ClusterName=default,ContainerName=curl,TaskFamily=curltest}",
    ];
    assert_eq!(metrics(&endpoint), expected);
    assert_eq!(
        asked.load(Ordering::Relaxed),
        2,
        "at the start, and for the figures"
    );
}

#[tokio::test]
async fn task_that_does_not_answer_is_one_line_and_78() {
    let endpoint = endpoint().await;
    let (_socket, place) = closed_place();
    let stuck = Web::start(|_| Answer::Stuck(Vec::new())).await;
    let other = Web::start(|_| Answer::ok("{}")).await;
    let places = [place, stuck.place(), other.place()];
    for (place, part) in places.iter().zip(["connect to", "elapsed", "a text at"]) {
        let uri = format!("http://{place}/v4/SECRET");
        let variables = [
            ("ECS_CONTAINER_METADATA_URI_V4", &*uri),
            ("METRIC_DIMENSIONS", "Task=task:id"),
            ("RETRY_MAX", "1"),
        ];
        let ended = once(&endpoint, "* * * * * name=A value=1\n", &variables).await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        let line = ended.line("invalid configuration");
        assert_eq!(text(&line, "setting"), "ECS_CONTAINER_METADATA_URI_V4");
        let problem = text(&line, "problem");
        assert!(
            problem.contains(part) && problem.contains("asked 2 times"),
            "{problem}"
        );
        assert!(!format!("{ended:?}").contains("SECRET"), "{ended:#?}");
    }
    assert!(endpoint.points().is_empty());
}

#[tokio::test]
async fn check_asks_no_task_and_says_where_there_is_none() {
    let stuck = Web::start(|_| panic!("check has no network")).await;
    let setup = Setup::new("http://127.0.0.1:1")
        .arg("check")
        .with("METRIC_DIMENSIONS", "Task=task:id");
    let uri = format!("http://{}/v4/1", stuck.place());
    let inside = setup.clone().with("ECS_CONTAINER_METADATA_URI_V4", uri);
    let inside = inside.finish().await;
    assert_eq!(inside.code(), Some(0), "{inside:#?}");
    let shown = |line: &String| line == "    dimensions  Task=task:id";
    assert!(inside.output.iter().any(shown), "{inside:#?}");
    let outside = setup.finish().await;
    assert_eq!(outside.code(), Some(78), "{outside:#?}");
    assert!(
        outside.stderr.contains("only in a task of Amazon ECS"),
        "{outside:#?}"
    );
}
