//! What is on disk while points are sent, and a folder with something else in it.
//!
//! The disk is written on a thread of its own, which tokio's paused clock would not wait
//! for: these tests take the seconds that they are about.

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use cw_publisher::outbox::Limits;
use cw_publisher::run::once;
use cw_publisher::spool::Spool;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{
    Capture, FakeClock, FakeSink, Setup, at, config, crontab, endpoint, no_answer, run_for, text,
};

/// How many points the next process would find.
fn on_disk(dir: &Path) -> usize {
    let copy = tempfile::tempdir().unwrap();
    let file = "outbox.spool";
    std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
    let (points, bytes) = (10_000, usize::MAX);
    let limits = Limits { points, bytes };
    let opened = Spool::open(copy.path(), limits, at(TimeDelta::zero())).unwrap();
    assert_eq!(opened.damage, None);
    opened.restored
}

#[tokio::test]
async fn what_is_sent_is_on_disk_and_what_was_accepted_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let clock = FakeClock::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = FakeSink::new(&clock, {
        let (dir, seen) = (dir.path().to_owned(), seen.clone());
        move |_, batch| {
            seen.lock().unwrap().push((batch.len(), on_disk(&dir)));
            Ok(())
        }
    });
    let lines: String = (0..2500)
        .map(|i| format!("* * * * * name=M{i} value=1\n"))
        .collect();
    let mut config = crontab(&lines, &[]);
    config.spool_dir = Some(dir.path().to_owned());
    let summary = once(config, sink, clock, pending()).await.unwrap();
    assert_eq!(summary.sent, 2500);
    let expected = [(1000, 2500), (1000, 1500), (500, 500)];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(on_disk(dir.path()), 0);
}

#[tokio::test]
async fn points_of_an_earlier_process_are_told_and_go_out_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, clock) = (Capture::start(), FakeClock::new());
    let lines = ["A", "B", "C"].map(|name| format!("@yearly name={name} value=1\n"));
    let spooled = |on_start| {
        let variables = [("PUBLISH_ON_START", on_start), ("RETRY_MAX", "0")];
        let mut config = crontab(&lines.concat(), &variables);
        config.spool_dir = Some(dir.path().to_owned());
        config
    };
    let down = FakeSink::down_until(&clock, TimeDelta::days(1), no_answer());
    let earlier = run_for(spooled("true"), &clock, &down, TimeDelta::seconds(1)).await;
    assert_eq!((earlier.unsent, earlier.spooled), (3, true));
    assert!(log.lines("spool read").is_empty());

    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let later = run_for(spooled("false"), &clock, &sink, TimeDelta::seconds(1)).await;
    assert_eq!((later.sent, later.unsent), (3, 0));
    assert_eq!(sink.puts().len(), 1);
    assert_eq!(log.lines("spool read")[0]["points"], 3);
}

#[tokio::test]
async fn what_a_lower_bound_leaves_of_a_spool_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (log, clock) = (Capture::start(), FakeClock::new());
    let large: String = (0..30)
        .map(|i| format!("D{i}={},", "v".repeat(1000)))
        .collect();
    let line = |i| {
        format!(
            "@yearly name=M{i} value=1 dimensions={}\n",
            large.trim_end_matches(',')
        )
    };
    let lines: String = (0..40).map(line).collect();
    let spooled = |on_start, bytes| {
        let variables = [
            ("PUBLISH_ON_START", on_start),
            ("BUFFER_BYTES", bytes),
            ("RETRY_MAX", "0"),
        ];
        let mut config = crontab(&lines, &variables);
        config.spool_dir = Some(dir.path().to_owned());
        config
    };
    let down = FakeSink::down_until(&clock, TimeDelta::days(1), no_answer());
    let second = TimeDelta::seconds(1);
    let earlier = run_for(spooled("true", "16MiB"), &clock, &down, second).await;
    assert_eq!((earlier.unsent, earlier.dropped.total()), (40, 0));
    let later = run_for(spooled("false", "512KiB"), &clock, &down, second).await;
    assert!((12..15).contains(&later.unsent), "{}", later.unsent);
    assert_eq!(later.dropped.overflowed_bytes, 40 - later.unsent as u64);
    let lost = log.lines("points lost");
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0]["points"], later.dropped.overflowed_bytes);
    assert_eq!(lost[0]["reason"], "the buffer is full (BUFFER_BYTES)");
}

#[tokio::test]
async fn disk_that_refuses_and_takes_again_is_told_once_each() {
    let dir = tempfile::tempdir().unwrap();
    // A damaged file is written anew at the first change, and a folder is in the way.
    std::fs::write(dir.path().join("outbox.spool"), "damaged").unwrap();
    let in_the_way = dir.path().join("outbox.spool.new");
    std::fs::create_dir(&in_the_way).unwrap();
    let (log, clock) = (Capture::start(), FakeClock::new());
    let sink = FakeSink::new(&clock, move |now, _| {
        if now > at(TimeDelta::milliseconds(1500)) {
            let _ = std::fs::remove_dir(&in_the_way);
        }
        Ok(())
    });
    let mut config = config(&[("PUBLISH_ON_START", "false"), ("SCHEDULE", "* * * * * *")]);
    config.spool_dir = Some(dir.path().to_owned());
    let summary = run_for(config, &clock, &sink, TimeDelta::seconds(4)).await;
    assert!(summary.sent >= 3);
    for message in ["spool failed", "spool recovered"] {
        let lines = log.lines(message);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[tokio::test]
async fn sources_that_block_leave_threads_for_the_spool_and_for_names() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let crontab = dir.path().join("crontab");
    let slow = (0..150).map(|i| format!("* * * * * name=S{i} value='exec:/bin/sleep 30'\n"));
    let quick = "* * * * * * name=Quick value=1\n".to_owned();
    std::fs::write(&crontab, slow.chain([quick]).collect::<String>()).unwrap();
    let publisher = Setup::new(&endpoint.url().replace("127.0.0.1", "localhost"))
        .with("SPOOL_DIR", dir.path().display())
        .with("CRONTAB", crontab.display())
        .with("SOURCE_TIMEOUT", "60s")
        .with("SHUTDOWN_GRACE", "1s")
        .start();
    endpoint.received_at_least(8).await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.lines("spool failed").len(), 0);
    assert_eq!(ended.lines("source timed out").len(), 0);
}

#[tokio::test]
async fn pipe_in_the_place_of_a_file_is_bad_configuration() {
    for file in ["outbox.lock", "outbox.spool"] {
        let dir = tempfile::tempdir().unwrap();
        // Opening a pipe waits for its other end.
        let pipe = dir.path().join(file);
        mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for command in ["run", "once"] {
            let setup = Setup::new("http://127.0.0.1:1").with("SPOOL_DIR", dir.path().display());
            let ended = setup.arg(command).finish().await;
            assert_eq!(ended.code(), Some(78), "{ended:#?}");
            let line = ended.line("invalid configuration");
            assert_eq!(line["setting"], "SPOOL_DIR");
            let problem = text(&line, "problem");
            assert!(
                problem.contains(file) && problem.contains("no regular file"),
                "{line}"
            );
        }
    }
}
