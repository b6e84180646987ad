//! Every kind of source, misbehaving in every way at every second: each says what is wrong
//! and costs its own point only. The others leave on time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use cloudwatch_local::{CloudWatchLocal, ReceivedPoint};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{Ended, Setup, Web, closed_place, endpoint, text};

mod misbehaving;

use misbehaving::{BAD, ECS, VALUES, agent, misbehave, target, write_files};

const SOURCE_TIMEOUT: Duration = Duration::from_millis(600);
/// What a crowded machine may add. A tick that waited for one of these sources would be
/// late by far more: those that are slow never end.
const MARGIN: Duration = Duration::from_secs(3);
/// Ticks to watch.
const TICKS: usize = 8;
/// Longest error: a few names and an redacted_prefix of what was read.
const ERROR_MAX: usize = 500;

#[tokio::test]
async fn sources_that_misbehave_cost_their_own_points_only() {
    let files = tempfile::tempdir().unwrap();
    // Held open, so that a reader finds a writer who says nothing.
    let _pipe = write_files(files.path());
    let web = Web::start(|head| misbehave(target(head))).await;
    let asked = AtomicUsize::new(0);
    let ecs = Web::start(move |head| agent(target(head), &asked)).await;
    let (_closed, closed) = closed_place();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = [
        ("DIR", files.path().display().to_string()),
        ("WEB", web.place()),
        ("CLOSED", closed),
        ("MUTE", mute.local_addr().unwrap().to_string()),
    ];
    let here = |text: &str| {
        let replace = |text: String, (name, place): &(&str, String)| text.replace(name, place);
        places.iter().fold(text.to_owned(), replace)
    };

    let mut crontab = "* * * * * * name=Ecs value=ecs:memory\n".to_owned();
    let bad = BAD.iter().map(|(name, value, _)| (name, value));
    for (name, value) in bad.chain(VALUES.iter().map(|(name, value, _)| (name, value))) {
        let value = here(value).replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(crontab, "* * * * * * name={name} value=\"{value}\"").unwrap();
    }
    let path = files.path().join("crontab");
    fs::write(&path, crontab).unwrap();

    let endpoint = endpoint().await;
    let publisher = Setup::new(&endpoint.url())
        .with("CRONTAB", path.display())
        .with(
            "SOURCE_TIMEOUT",
            format!("{}ms", SOURCE_TIMEOUT.as_millis()),
        )
        .with("PUBLISH_ON_START", "false")
        .with(
            "ECS_CONTAINER_METADATA_URI_V4",
            format!("http://{}", ecs.place()),
        )
        .start();
    endpoint.received_at_least(TICKS * VALUES.len()).await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");

    assert_values_came_on_time(&endpoint, &ticks_with_error_of("FileAbsent", &ended));
    let errors = Errors::of(&ended);
    let mut wrong = Vec::new();
    for (name, _, part) in BAD {
        let part = here(part);
        let its = errors.of_metric(name).into_iter();
        wrong.extend(its.filter(|error| !error.contains(&part)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let of_ecs = errors.of_metric("Ecs");
    for (answer, part) in ECS {
        assert!(
            of_ecs.iter().any(|error| error.contains(part)),
            "{answer}: {part}\n{of_ecs:#?}"
        );
    }
    for (name, ..) in VALUES {
        assert!(!errors.0.contains_key(*name), "{:#?}", errors.0[*name]);
    }
}

/// The ticks, in Unix seconds, at which a source said what is wrong.
fn ticks_with_error_of(name: &str, ended: &Ended) -> Vec<i64> {
    let is_of = |line: &Value| text(line, "metric").ends_with(&format!("/{name}"));
    let errors = ended.lines("source failed").into_iter().filter(is_of);
    let tick = |line: Value| {
        text(&line, "point_timestamp")
            .parse::<DateTime<Utc>>()
            .unwrap()
    };
    errors.map(|line| tick(line).timestamp()).collect()
}

/// Each value at each tick that was sampled, in a request that left in time, and a tick
/// at each second. The last may have been under way.
fn assert_values_came_on_time(endpoint: &CloudWatchLocal, sampled: &[i64]) {
    for request in endpoint.requests() {
        for point in &request.points {
            let tick = Duration::from_millis(point.timestamp_ms.try_into().unwrap());
            let late = request
                .at
                .duration_since(SystemTime::UNIX_EPOCH + tick)
                .unwrap();
            assert!(late <= SOURCE_TIMEOUT + MARGIN, "{late:?} late: {point:?}");
            assert_eq!(point.timestamp_ms % 1000, 0, "{point:?}");
        }
    }
    let seconds: Vec<_> = (sampled[0]..).take(sampled.len()).collect();
    assert_eq!(sampled, seconds);
    let points = endpoint.points();
    for (name, _, value) in VALUES {
        let its = points.iter().filter(|point| point.name == *name);
        assert!(its.clone().all(|point| point.value() == *value), "{name}");
        let mut ticks: Vec<_> = its.map(ReceivedPoint::unix).collect();
        // After a slow moment the newest goes first.
        ticks.sort_unstable();
        assert!(
            sampled.starts_with(&ticks),
            "{name}: {ticks:?} of {sampled:?}"
        );
        assert!(ticks.len() >= TICKS - 1, "{name}: {ticks:?}");
    }
    let is_known = |point: &&ReceivedPoint| VALUES.iter().any(|(name, ..)| point.name == *name);
    let stray: Vec<_> = points.iter().filter(|point| !is_known(point)).collect();
    assert!(stray.is_empty(), "{stray:?}");
}

/// What the log says of each metric, at each tick.
struct Errors(BTreeMap<String, Vec<String>>);

impl Errors {
    fn of(ended: &Ended) -> Self {
        let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in &ended.output {
            let line: Value = serde_json::from_str(line).unwrap();
            // A crowded machine may be late to give a source up.
            let is_busy = text(&line, "message") == "source is still busy with an earlier tick";
            if text(&line, "level") != "ERROR" || is_busy {
                continue;
            }
            let name = text(&line, "metric").rsplit('/').next().unwrap_or_default();
            let error = match text(&line, "error") {
                "" => text(&line, "message"),
                error => error,
            };
            assert!(error.len() <= ERROR_MAX, "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
            errors
                .entry(name.to_owned())
                .or_default()
                .push(error.to_owned());
        }
        Self(errors)
    }

    /// There must be one.
    fn of_metric(&self, name: &str) -> Vec<&str> {
        let its = self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no error of {name}: {:#?}", self.0));
        its.iter().map(String::as_str).collect()
    }
}
