//! What is on disk while points are sent, and a disk that does not answer, as a network
//! file system may do.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use cw_publisher::spool::Spool;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use tokio::task::spawn_blocking;

use crate::support::{
    Capture, FakeClock, FakeSink, Setup, at, config, crontab, endpoint, no_answer, run_for,
};

/// What the spool's file is written anew to.
const NEW_FILE: &str = "outbox.spool.new";

/// How many points the next process would find.
fn on_disk(dir: &Path) -> usize {
    let copy = tempfile::tempdir().unwrap();
    let file = "outbox.spool";
    std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
    let opened = Spool::open(copy.path(), 10_000).unwrap();
    assert_eq!(opened.damage, None);
    opened.restored
}

#[tokio::test(start_paused = true)]
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
    let mut config = crontab(&lines, &[("PUBLISH_ON_START", "false")]);
    config.spool_dir = Some(dir.path().to_owned());
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(2)).await;
    assert_eq!(summary.sent, 5000);
    let tick = [(1000, 2500), (1000, 1500), (500, 500)];
    assert_eq!(*seen.lock().unwrap(), [tick, tick].concat());
    assert_eq!(on_disk(dir.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn points_of_an_earlier_process_are_told_and_go_out_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, clock) = (Capture::start(), FakeClock::new());
    let spooled = |schedule| {
        let mut config = config(&[("PUBLISH_ON_START", "false"), ("SCHEDULE", schedule)]);
        config.spool_dir = Some(dir.path().to_owned());
        config
    };
    let down = FakeSink::down_until(&clock, TimeDelta::days(1), no_answer());
    let earlier = run_for(spooled("* * * * *"), &clock, &down, TimeDelta::minutes(3)).await;
    assert_eq!((earlier.unsent, earlier.spooled), (3, true));
    assert!(log.lines("spool read").is_empty());

    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let later = run_for(spooled("@yearly"), &clock, &sink, TimeDelta::minutes(3)).await;
    assert_eq!((later.sent, later.unsent), (3, 0));
    assert_eq!(sink.accepted()[0].at, at(TimeDelta::minutes(3)));
    assert_eq!(log.lines("spool read")[0]["points"], 3);
}

#[tokio::test(start_paused = true)]
async fn disk_that_refuses_and_takes_again_is_told_once_each() {
    let dir = tempfile::tempdir().unwrap();
    // A damaged file is written anew at the first change, and a folder is in the way.
    std::fs::write(dir.path().join("outbox.spool"), "damaged").unwrap();
    let in_the_way = dir.path().join(NEW_FILE);
    std::fs::create_dir(&in_the_way).unwrap();
    let (log, clock) = (Capture::start(), FakeClock::new());
    let sink = FakeSink::new(&clock, move |now, _| {
        if now == at(TimeDelta::seconds(90)) {
            std::fs::remove_dir(&in_the_way).unwrap();
        }
        Ok(())
    });
    let mut config = config(&[("PUBLISH_ON_START", "false")]);
    config.spool_dir = Some(dir.path().to_owned());
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(4)).await;
    assert_eq!(summary.sent, 4);
    for message in ["spool failed", "spool healed"] {
        let lines = log.lines(message);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

/// Whoever opens the file next hangs: opening a pipe waits for its other end.
fn hang(dir: &Path, file: &str) {
    let path = dir.join(file);
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// What hangs goes on: it cannot write to a pipe, and finds a folder without one then.
async fn release(dir: &Path) {
    let path = dir.join(NEW_FILE);
    let open = {
        let path = path.clone();
        move || OpenOptions::new().read(true).open(path).unwrap()
    };
    let _end: File = spawn_blocking(open).await.unwrap();
    std::fs::remove_file(path).unwrap();
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
async fn disk_that_hangs_at_the_start_does_not_keep_the_process() {
    let dir = tempfile::tempdir().unwrap();
    hang(dir.path(), "outbox.lock");
    for (command, code) in [("run", 0), ("once", 1)] {
        let setup = Setup::new("http://127.0.0.1:1").with("SPOOL_DIR", dir.path().display());
        let publisher = setup.arg(command).start();
        publisher.line("started").await;
        let ended = publisher.stopped().await;
        assert_eq!(ended.code(), Some(code));
    }
}

#[tokio::test]
async fn disk_that_hangs_holds_up_neither_ticks_nor_delivery() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    // A damaged file is written anew at the first change.
    std::fs::write(dir.path().join("outbox.spool"), "damaged").unwrap();
    let crontab = dir.path().join("crontab");
    let publish = |schedule| {
        let line = format!("{schedule} name=A resolution=1 value=timestamp\n");
        std::fs::write(&crontab, line).unwrap();
    };
    publish("@yearly");
    let publisher = Setup::new(&endpoint.url())
        .with("SPOOL_DIR", dir.path().display())
        .with("CRONTAB", crontab.display())
        .with("PUBLISH_ON_START", "false")
        .start();
    publisher.line("spool was damaged").await;
    hang(dir.path(), NEW_FILE);
    publish("* * * * * *");
    publisher.signal(Signal::HUP);

    let failed = publisher.line("spool failed").await;
    assert_eq!(failed["error"], "the disk does not answer");
    endpoint.received_at_least(8).await;
    let attempts = endpoint.requests().len();
    release(dir.path()).await;
    publisher.line("spool healed").await;
    endpoint.requests_at_least(attempts + 1).await;
    let ended = publisher.stopped().await;

    assert_eq!(ended.code(), Some(0));
    let stopped = ended.line("stopped");
    let points = endpoint.points();
    assert_eq!(stopped["points_sent"], points.len());
    let moments: BTreeSet<_> = points.iter().map(|point| point.unix()).collect();
    assert_eq!(moments.len(), points.len(), "none came twice");
    let (first, last) = (moments.first().unwrap(), moments.last().unwrap());
    assert_eq!(last - first + 1, moments.len() as i64, "none is missing");
    let refused = ended.lines("spool failed");
    assert!(refused.len() <= 2, "{refused:#?}");
}
