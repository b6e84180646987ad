//! The contract of the process: its lines, its exit codes, and what signals do.

use std::collections::BTreeSet;
use std::process::Stdio;

use chrono::{DateTime, Utc};
use cloudwatch_local::Fault;
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::support::{Ended, PATIENCE, Setup, endpoint, text};

mod hanging;
mod signals;

/// A text from outside that tries to be two lines, and more.
const HOSTILE: &str = "one\ntwo\r\n{\"level\":\"ERROR\"}\u{1b}[31m\u{0}\u{85}\u{2028}end";

/// A publisher of one point now and none for long.
fn idle(url: &str) -> Setup {
    Setup::new(url)
        .with("SCHEDULE", "@yearly")
        .with("METRIC_VALUE", "42")
}

/// Every line is an object with the three fields that each has.
fn assert_lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.output.iter().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        let timestamp = text(&object, "timestamp");
        assert!(timestamp.ends_with('Z'), "{line}");
        assert!(timestamp.parse::<DateTime<Utc>>().is_ok(), "{line}");
        let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
        assert!(levels.contains(&text(&object, "level")), "{line}");
        assert!(!text(&object, "message").is_empty(), "{line}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        object
    });
    lines.collect()
}

#[tokio::test]
async fn every_line_is_one_object_whatever_comes_from_outside() {
    let endpoint = endpoint().await;
    let refuse = |message| Fault::error(400, "Throttling", message);
    endpoint.fail_next([refuse(HOSTILE), refuse("plain")]);
    endpoint.poison(|_| true, cloudwatch_local::Blame::AllNamed);
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let content = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(content.path(), HOSTILE).unwrap();
    let lines = format!(
        "@yearly name=A value=1\n@yearly name=B value=2\n@yearly name=C value=file:{}\n",
        content.path().display()
    );
    std::fs::write(crontab.path(), lines).unwrap();
    let setup = Setup::new(&endpoint.url())
        .with("CRONTAB", crontab.path().display())
        .with("METRIC_HOSTILE", HOSTILE.replace('\0', ""))
        .arg("once");
    let ended = setup.finish().await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(ended.stderr, "");
    let lines = assert_lines(&ended);
    let messages: BTreeSet<_> = lines.iter().map(|line| text(line, "message")).collect();
    let expected = [
        "configuration looks wrong",
        "started",
        "source failed",
        "publish attempt failed, retrying",
        "point rejected and dropped",
        "stopped",
    ];
    assert_eq!(messages, BTreeSet::from(expected));
    let retry = &ended.lines("publish attempt failed, retrying")[0];
    assert!(text(retry, "error").contains("one; two"), "{retry}");
}

#[tokio::test]
async fn text_format_is_one_line_an_event_too() {
    let endpoint = endpoint().await;
    endpoint.fail_next([Fault::error(400, "Throttling", HOSTILE)]);
    let setup = idle(&endpoint.url()).with("LOG_FORMAT", "text").arg("once");
    let ended = setup.finish().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.output.len(), 4, "{ended:#?}");
    let messages = ["started", "publish attempt failed", "published", "stopped"];
    for (line, message) in ended.output.iter().zip(messages) {
        let timestamp = line.split(' ').next().unwrap();
        assert!(timestamp.parse::<DateTime<Utc>>().is_ok(), "{line}");
        assert!(line.contains(message), "{line}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
}

#[tokio::test]
async fn log_level_picks_the_lines() {
    let endpoint = endpoint().await;
    for (level, expected) in [
        ("error", vec![]),
        ("off", vec![]),
        ("INFO", vec!["started", "published", "stopped"]),
        ("warn,cw_publisher::run=info", vec!["published", "stopped"]),
    ] {
        let setup = idle(&endpoint.url()).with("LOG_LEVEL", level).arg("once");
        let ended = setup.finish().await;
        let lines = assert_lines(&ended);
        let messages: Vec<_> = lines.iter().map(|line| text(line, "message")).collect();
        assert_eq!(messages, expected, "{level}");
    }
}

#[tokio::test]
async fn once_ends_with_0_if_all_was_accepted_and_with_1_if_not() {
    let endpoint = endpoint().await;
    let once = || idle(&endpoint.url()).arg("once");
    assert_eq!(once().finish().await.code(), Some(0));
    let no_file = once().with("METRIC_VALUE", "file:/nothing/here");
    assert_eq!(no_file.finish().await.code(), Some(1));
    endpoint.fail_always(Fault::status(500));
    assert_eq!(once().finish().await.code(), Some(1));
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn without_credentials_it_ends_with_78_and_says_how_to_give_them() {
    for command in ["run", "once"] {
        let endpoint = endpoint().await;
        let setup = idle(&endpoint.url())
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .arg(command);
        let ended = setup.finish().await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        let line = ended.line("no credentials");
        assert_eq!(text(&line, "level"), "ERROR");
        assert!(text(&line, "hint").contains("AWS_ACCESS_KEY_ID"), "{line}");
        assert!(endpoint.attempts().is_empty());
    }
}

#[tokio::test]
async fn profile_that_leads_nowhere_ends_with_78_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    std::fs::write(&file, "[profile a]\nrole_arn = r\nsource_profile = b\n").unwrap();
    for (profile, missing) in [("a", "b"), ("c", "c")] {
        let setup = idle("http://127.0.0.1:1")
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .with("AWS_CONFIG_FILE", file.display())
            .with("AWS_PROFILE", profile);
        let ended = setup.finish().await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        let error = text(&ended.line("no credentials"), "error").to_owned();
        let named = format!("profile `{missing}` was not defined");
        assert!(error.contains(&named), "{error}");
        for retry in ended.lines("credentials unavailable, retrying") {
            assert!(text(&retry, "error").len() < 80, "{retry}");
        }
    }
}

#[tokio::test]
async fn closed_standard_output_does_not_end_it() {
    let endpoint = endpoint().await;
    let setup = Setup::new(&endpoint.url()).with("SCHEDULE", "* * * * * *");
    let mut child = setup.command().spawn().unwrap();
    drop(child.stdout.take());
    endpoint.received_at_least(3).await;
    let id = i32::try_from(child.id().unwrap()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    let mut stderr = String::new();
    let mut piped = child.stderr.take().unwrap();
    piped.read_to_string(&mut stderr).await.unwrap();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn no_standard_output_at_all_does_not_end_it_either() {
    let endpoint = endpoint().await;
    let mut command = idle(&endpoint.url()).arg("once").command();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn spool_in_use_is_a_failure_that_passes_and_no_bad_configuration() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let setup = idle(&endpoint.url()).with("SPOOL_DIR", dir.path().display());
    let first = setup.clone().start();
    first.line("published").await;
    for command in ["run", "once"] {
        let second = setup.clone().arg(command).finish().await;
        assert_eq!(second.code(), Some(1), "{second:#?}");
        let line = second.line("spool is in use");
        assert_eq!(text(&line, "level"), "ERROR");
        let dir = dir.path().display().to_string();
        assert!(text(&line, "error").contains(&dir), "{line}");
        assert!(text(&line, "hint").contains("SPOOL_DIR"), "{line}");
        assert!(second.lines("invalid configuration").is_empty());
    }
    // As long as the other is in service it is no problem of the configuration.
    let check = setup.clone().arg("check").finish().await;
    assert_eq!(check.code(), Some(0), "{check:#?}");
    assert_eq!(first.stopped().await.code(), Some(0));
    assert_eq!(setup.arg("once").finish().await.code(), Some(0));
}

#[tokio::test]
async fn spool_that_cannot_be_read_is_bad_configuration() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("outbox.spool")).unwrap();
    let setup = idle("http://127.0.0.1:1").with("SPOOL_DIR", dir.path().display());
    let ended = setup.finish().await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let line = ended.line("invalid configuration");
    assert_eq!(text(&line, "setting"), "SPOOL_DIR");
    assert!(text(&line, "problem").contains("outbox.spool"), "{line}");
}

#[tokio::test]
async fn dry_run_leaves_what_is_held_on_disk_alone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("outbox.spool");
    let setup = Setup::new("http://127.0.0.1:1").with("SPOOL_DIR", dir.path().display());
    let once = setup.clone().with("RETRY_MAX", "0").arg("once");
    assert_eq!(once.finish().await.code(), Some(1));
    let held = std::fs::read(&spool).unwrap();
    let dry = setup.arg("once").arg("--dry-run").finish().await;
    assert_eq!(dry.code(), Some(0), "{dry:#?}");
    assert_eq!(dry.lines("would publish").len(), 1);
    assert_eq!(dry.lines("published").len(), 0);
    assert_eq!(std::fs::read(&spool).unwrap(), held);
}

#[tokio::test]
async fn dry_run_sends_nothing_and_shows_the_points() {
    let endpoint = endpoint().await;
    let setup = Setup::bare()
        .with("AWS_REGION", "us-east-1")
        .with("AWS_ENDPOINT_URL", endpoint.url())
        .with("METRIC_NAMESPACE", "Shop")
        .with("METRIC_NAME", "Depth")
        .with("METRIC_VALUE", "-2.5")
        .with("METRIC_UNIT", "Bytes/Second")
        .with("METRIC_DIMENSIONS", "Queue=orders,Stage=prod")
        .with("METRIC_RESOLUTION", "1");
    for arguments in [["once", "--dry-run"], ["--dry-run", "once"]] {
        let [first, second] = arguments;
        let ended = setup.clone().arg(first).arg(second).finish().await;
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
        let point = ended.line("would publish");
        let fields = ["namespace", "name", "dimensions", "unit"].map(|f| text(&point, f));
        let expected = ["Shop", "Depth", "Queue=orders,Stage=prod", "Bytes/Second"];
        assert_eq!(fields, expected);
        assert_eq!(point["value"], -2.5);
        assert_eq!(point["resolution_seconds"], 1);
        let at: DateTime<Utc> = text(&point, "point_timestamp").parse().unwrap();
        let logged: DateTime<Utc> = text(&point, "timestamp").parse().unwrap();
        assert!((logged - at).num_seconds() <= 20, "{point}");
    }
    assert_eq!(endpoint.connections(), 0);
}

#[tokio::test]
async fn first_point_waits_for_its_schedule_if_it_is_told_to() {
    let endpoint = endpoint().await;
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let lines = "@yearly name=Rare value=1\n* * * * * * name=Often value=1\n";
    std::fs::write(crontab.path(), lines).unwrap();
    let setup = Setup::new(&endpoint.url()).with("CRONTAB", crontab.path().display());
    let publisher = setup.with("PUBLISH_ON_START", "no").start();
    endpoint.received_at_least(2).await;
    publisher.stopped().await;
    assert!(endpoint.points().iter().all(|point| point.name == "Often"));
}

#[tokio::test]
async fn points_arrive_as_the_settings_describe_them_and_on_the_tick() {
    let endpoint = endpoint().await;
    let setup = Setup::new(&endpoint.url())
        .with("METRIC_NAMESPACE", "Shop Floor")
        .with("METRIC_NAME", "Depth")
        .with("METRIC_VALUE", "timestamp")
        .with("METRIC_UNIT", "Seconds")
        .with("METRIC_DIMENSIONS", "Queue=a=b,Stage=prod")
        .with("METRIC_RESOLUTION", "1")
        .with("SCHEDULE", "*/2 * * * * *")
        .with("PUBLISH_ON_START", "false");
    let publisher = setup.start();
    endpoint.received_at_least(2).await;
    publisher.stopped().await;
    for point in endpoint.points() {
        assert_eq!((&*point.namespace, &*point.name), ("Shop Floor", "Depth"));
        assert_eq!((&*point.unit, point.resolution), ("Seconds", 1));
        let dimensions = [("Queue", "a=b"), ("Stage", "prod")];
        assert_eq!(
            point.dimensions,
            dimensions.map(|(n, v)| (n.into(), v.into()))
        );
        assert_eq!(point.timestamp_ms % 2000, 0);
        assert_eq!(point.value(), point.unix() as f64);
    }
}

#[tokio::test]
async fn variables_that_are_set_to_nothing_count_as_unset() {
    let endpoint = endpoint().await;
    let setup = idle(&endpoint.url())
        .with("AWS_ENDPOINT_URL_CLOUDWATCH", "")
        .with("AWS_CONFIG_FILE", "")
        .with("AWS_USE_FIPS_ENDPOINT", " ")
        .with("SSL_CERT_FILE", "")
        .arg("once");
    let ended = setup.finish().await;
    assert_eq!((ended.code(), ended.stderr.as_str()), (Some(0), ""));
    let lines = assert_lines(&ended);
    let messages: Vec<_> = lines.iter().map(|line| text(line, "message")).collect();
    assert_eq!(messages, ["started", "published", "stopped"]);
}
