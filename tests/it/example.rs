//! `crontab.example` as a whole: each of its lines yields the points that it promises.
//!
//! The file is read as it is shipped. Only the places that it names are replaced by such
//! as exist here, the lines for ECS are taken in, and what is due each minute becomes due
//! each second, so that counters have an increase to show.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cloudwatch_local::{CloudWatchLocal, ReceivedPoint};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{Answer, Ended, Publisher, Setup, Web, endpoint};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// So many points of any kind, one a second and metric, are enough for each to have come.
const POINTS_MAX: usize = 600;

/// What a value may be.
enum Is {
    Exactly(f64),
    /// A whole number of times this: a tick that a crowded machine misses adds to the next.
    Times(f64),
    Within(f64, f64),
    TheTick,
}

/// A metric that the file promises: its name, its dimensions, its unit, what its values are.
struct Promise(&'static str, &'static str, &'static str, Is);

/// In the order of the file.
const PROMISES: &[Promise] = &[
    Promise("Heartbeat", "", "Count", Is::Exactly(1.0)),
    Promise("Tick", "", "Seconds", Is::TheTick),
    Promise("Dice", "", "Count", Is::Within(1.0, 6.0)),
    Promise(
        "QueueDepth",
        "Queue=orders,Stage=prod",
        "Count",
        Is::Exactly(17.0),
    ),
    Promise("QueueOldest", "", "Seconds", Is::Exactly(90.5)),
    Promise("Sessions", "", "Count", Is::Exactly(5.0)),
    Promise("Workers", "", "Count", Is::Exactly(8.0)),
    Promise("Visitors", "", "Count", Is::Exactly(1234.0)),
    Promise(
        "Temperature",
        "chip=coretemp.0,sensor=temp1",
        "None",
        Is::Exactly(47.5),
    ),
    Promise("Requests", "code=404,method=GET", "Count", Is::Times(2.0)),
    Promise("Requests", "code=500,method=GET", "Count", Is::Times(3.0)),
    Promise("Latency_sum", "handler=/orders", "Seconds", Is::Times(0.25)),
    Promise(
        "Latency_count",
        "handler=/orders",
        "Seconds",
        Is::Times(4.0),
    ),
    Promise("WebUp", "", "Count", Is::Exactly(1.0)),
    Promise("DatabaseUp", "", "Count", Is::Exactly(1.0)),
    Promise("WebLatency", "", "Milliseconds", Is::Within(0.0, 5000.0)),
    Promise("MailQueue", "", "Count", Is::Exactly(4.0)),
    Promise("Cpu", "", "Percent", Is::Within(0.0, 100.0)),
    Promise("Memory", "", "Percent", Is::Within(0.1, 100.0)),
    Promise("Swap", "", "Percent", Is::Within(0.0, 100.0)),
    Promise("DiskData", "", "Percent", Is::Within(0.0, 100.0)),
    Promise("Load", "", "None", Is::Within(0.0, 10_000.0)),
    Promise("Uptime", "", "Seconds", Is::Within(1.0, 1e9)),
    Promise("TaskCpu", TASK, "Percent", Is::Within(0.399, 0.400)),
    Promise("TaskMemory", TASK, "Bytes", Is::Exactly(23_994_368.0)),
    Promise("TaskMemoryUsed", TASK, "Percent", Is::Within(4.469, 4.470)),
    Promise("TaskReceived", TASK, "Bytes", Is::Times(1000.0)),
    Promise("TaskSent", TASK, "Bytes", Is::Times(500.0)),
    Promise("Opening", "", "Count", Is::Exactly(1.0)),
    Promise("Pulse", "", "Count", Is::Exactly(1.0)),
];

/// The container of `crates/metric-source/tests/fixtures/ecs/fargate_task.json` that has figures.
const TASK: &str = "ClusterName=default,ContainerName=curl,TaskFamily=curltest";

impl Promise {
    fn is_of(&self, point: &ReceivedPoint) -> bool {
        self.0 == point.name && self.1 == dimensions(point)
    }

    fn assert_kept_by(&self, point: &ReceivedPoint) {
        let value = point.value();
        let is_right = match self.3 {
            Is::Exactly(expected) => value == expected,
            Is::Times(step) => value > 0.0 && value % step == 0.0,
            Is::Within(least, most) => (least..=most).contains(&value),
            #[expect(clippy::cast_precision_loss, reason = "Unix seconds")]
            Is::TheTick => value == point.unix() as f64,
        };
        assert!(is_right, "{point:?}");
        assert_eq!(point.unit, self.2, "{point:?}");
        let place = match self.0 {
            "Opening" => ("Shop Floor", 60),
            "Pulse" => ("Shop Floor", 1),
            _ => ("CustomMetrics", 60),
        };
        assert_eq!((&*point.namespace, point.resolution), place, "{point:?}");
    }
}

#[tokio::test]
async fn every_line_of_the_example_yields_what_it_promises() {
    let names: BTreeSet<_> = example()
        .lines()
        .filter_map(name)
        .map(str::to_owned)
        .collect();
    let promised = |name: &str| {
        let of_histogram = |promise: &Promise| {
            ["_sum", "_count"]
                .iter()
                .any(|end| promise.0.strip_suffix(end) == Some(name))
        };
        PROMISES
            .iter()
            .any(|promise| promise.0 == name || of_histogram(promise))
    };
    let unknown: Vec<_> = names.iter().filter(|name| !promised(name)).collect();
    assert!(
        unknown.is_empty(),
        "say in PROMISES what these publish: {unknown:?}"
    );

    let endpoint = endpoint().await;
    let world = World::start().await;
    let publisher = world.publisher(&endpoint).start();
    let ended = all_came(&endpoint, publisher).await;

    let points = endpoint.points();
    for promise in PROMISES {
        let its = || points.iter().filter(|point| promise.is_of(point));
        assert!(
            its().next().is_some(),
            "no point of {} {}: {ended:#?}",
            promise.0,
            promise.1
        );
        its().for_each(|point| promise.assert_kept_by(point));
    }
    let stray = |point: &&ReceivedPoint| !PROMISES.iter().any(|promise| promise.is_of(point));
    let stray: Vec<_> = points.iter().filter(stray).collect();
    assert!(stray.is_empty(), "{stray:?}");
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
}

/// Runs the publisher until each promise has a point, or there are so many that none will come.
async fn all_came(endpoint: &CloudWatchLocal, publisher: Publisher) -> Ended {
    loop {
        let points = endpoint.points();
        let has_come = |promise: &Promise| points.iter().any(|point| promise.is_of(point));
        if PROMISES.iter().all(has_come) || points.len() > POINTS_MAX {
            return publisher.stopped().await;
        }
        endpoint.received_at_least(points.len() + 1).await;
    }
}

fn example() -> String {
    fs::read_to_string(format!("{ROOT}/crontab.example")).unwrap()
}

/// The metric's name of a line, also of one for ECS, which is commented out.
fn name(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("# ") {
        Some(line) if line.contains("value=ecs:") => line,
        Some(_) => return None,
        None => line,
    };
    let (_, rest) = line.split_once(" name=")?;
    rest.split_whitespace().next()
}

/// Sorted by name.
fn dimensions(point: &ReceivedPoint) -> String {
    let mut pairs: Vec<_> = point
        .dimensions
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    pairs.sort();
    pairs.join(",")
}

/// All that the example reads from.
struct World {
    files: TempDir,
    web: Web,
    tls: Web,
    ecs: Web,
    database: TcpListener,
}

impl World {
    async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name);
        fs::create_dir(path("queue")).unwrap();
        fs::write(path("queue/depth"), "17\n").unwrap();
        fs::write(
            path("queue/stats.json"),
            r#"{"oldest":{"age_seconds":90.5}}"#,
        )
        .unwrap();
        fs::write(
            path("stats-headers"),
            "# to be let in\nAuthorization: Bearer 123\n",
        )
        .unwrap();
        program(
            &path("mailq-length"),
            r#"[ "$#,$1,$2" = "2,--queue,active mail" ] && echo 4"#,
        );
        let scrapes = AtomicU64::new(0);
        let stats = AtomicU64::new(0);
        Self {
            files,
            web: Web::start(move |head| web(head, &scrapes)).await,
            tls: Web::start_tls(|head| match target(head) {
                "/visitors.json" => Answer::ok(r#"{"today": 1234}"#),
                _ => Answer::status("404 Not Found", ""),
            })
            .await,
            ecs: Web::start(move |head| ecs(head, &stats)).await,
            database: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    fn publisher(&self, endpoint: &CloudWatchLocal) -> Setup {
        let files = self.files.path().display().to_string();
        let mut text = example();
        for (place, here) in [
            ("127.0.0.1:8080", self.web.place()),
            ("127.0.0.1:9100", self.web.place()),
            (
                "127.0.0.1:5432",
                self.database.local_addr().unwrap().to_string(),
            ),
            ("stats.example.com", self.tls.place()),
            ("/run/queue", format!("{files}/queue")),
            ("/run/secrets", files.clone()),
            ("/usr/local/bin", files.clone()),
            (":/data", format!(":{files}")),
        ] {
            assert!(
                text.contains(place),
                "{place} is not in the example any more"
            );
            text = text.replace(place, &here);
        }
        let lines = text.lines().map(|line| {
            let line = line
                .strip_prefix("# ")
                .filter(|_| name(line).is_some())
                .unwrap_or(line);
            match line.strip_prefix("* * * * * ") {
                Some(_) if !line.starts_with("* * * * * *") => format!("* {line}\n"),
                _ => format!("{line}\n"),
            }
        });
        let crontab = self.files.path().join("crontab");
        fs::write(&crontab, lines.collect::<String>()).unwrap();
        Setup::new(&endpoint.url())
            .with("CRONTAB", crontab.display())
            .with("SOURCE_TIMEOUT", "30s")
            .with(
                "AWS_CA_BUNDLE",
                format!("{ROOT}/crates/test-support/tls/ca.pem"),
            )
            .with(
                "ECS_CONTAINER_METADATA_URI_V4",
                format!("http://{}/v4/1", self.ecs.place()),
            )
    }
}

/// A shell script that can be run.
fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn web(head: &str, scrapes: &AtomicU64) -> Answer {
    match target(head) {
        "/stats" => Answer::ok(r#"{"sessions": {"active": 5, "idle": 9}}"#),
        "/workers" if head.contains("authorization: Bearer 123\r\n") => Answer::ok("8\n"),
        "/workers" => Answer::status("401 Unauthorized", ""),
        "/metrics" => Answer::ok(metrics(scrapes.fetch_add(1, Ordering::Relaxed))),
        "/healthz" => Answer::status("204 No Content", ""),
        _ => Answer::status("404 Not Found", ""),
    }
}

/// The exposition of a service and of a machine in one, with counters that grow by 2 and 3,
/// by a quarter of a second and by 4.
#[expect(clippy::cast_precision_loss, reason = "a few scrapes")]
fn metrics(scrape: u64) -> String {
    let (not_found, failed, count) = (2 * scrape, 7 + 3 * scrape, 4 * scrape);
    let seconds = 0.25 * scrape as f64;
    format!(
        r#"# TYPE node_hwmon_temp_celsius gauge
node_hwmon_temp_celsius{{chip="coretemp.0",sensor="temp1"}} 47.5
node_hwmon_temp_celsius{{chip="nvme.0",sensor="temp1"}} 38.9
# TYPE http_requests_total counter
http_requests_total{{code="200",method="GET",instance="a:80",pod="web-1"}} {scrape}00
http_requests_total{{code="404",method="GET",instance="a:80",pod="web-1"}} {not_found}
http_requests_total{{code="500",method="GET",instance="b:80",pod="web-2"}} {failed}
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{{handler="/orders",method="GET",le="0.1"}} {count}
http_request_duration_seconds_bucket{{handler="/orders",method="GET",le="+Inf"}} {count}
http_request_duration_seconds_sum{{handler="/orders",method="GET"}} {seconds}
http_request_duration_seconds_count{{handler="/orders",method="GET"}} {count}
"#
    )
}

/// The task metadata endpoint of a task on Fargate, whose traffic grows.
fn ecs(head: &str, asked: &AtomicU64) -> Answer {
    let fixture = |name| {
        fs::read_to_string(format!(
            "{ROOT}/crates/metric-source/tests/fixtures/ecs/{name}"
        ))
        .unwrap()
    };
    match target(head) {
        "/v4/1/task" => Answer::ok(fixture("fargate_task.json")),
        "/v4/1/task/stats" => {
            let asked = asked.fetch_add(1, Ordering::Relaxed);
            let count = |count: u64, step: u64| (count + asked * step).to_string();
            let stats = fixture("fargate_stats.json");
            let stats = stats.replace("12906990", &count(12_906_990, 1000));
            Answer::ok(stats.replace("462136", &count(462_136, 500)))
        }
        _ => Answer::status("404 Not Found", ""),
    }
}

/// What a request asks for.
fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}
