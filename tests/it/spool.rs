//! What is on disk while points are sent, and a disk that does not answer, as a network
//! file system may do.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::{TimeDelta, Utc};
use cw_publisher::spool::Spool;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::task::spawn_blocking;

use crate::support::{FakeClock, FakeSink, Setup, crontab, endpoint, run_for};

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
    let spool = dir.path().display().to_string();
    let variables = [("SPOOL_DIR", &*spool), ("PUBLISH_ON_START", "false")];
    let summary = run_for(
        crontab(&lines, &variables),
        &clock,
        &sink,
        TimeDelta::minutes(2),
    );
    assert_eq!(summary.await.sent, 5000);
    let tick = [(1000, 2500), (1000, 1500), (500, 500)];
    assert_eq!(*seen.lock().unwrap(), [tick, tick].concat());
    assert_eq!(on_disk(dir.path()), 0);
}

/// What the program writes to next hangs: opening a pipe waits for its other end.
fn hang(dir: &Path) {
    let path = dir.join("outbox.spool.new");
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// What hangs goes on: it cannot write to a pipe, and finds a folder without one then.
async fn release(dir: &Path) {
    let path = dir.join("outbox.spool.new");
    let open = {
        let path = path.clone();
        move || OpenOptions::new().read(true).open(path).unwrap()
    };
    let _end: File = spawn_blocking(open).await.unwrap();
    std::fs::remove_file(path).unwrap();
}

/// Every second but the next three, in which the test gets ready.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test goes by the clock"
)]
fn schedule() -> String {
    let seconds = (4..60).map(|after| (Utc::now().timestamp() + after) % 60);
    let seconds: BTreeSet<_> = seconds.collect();
    let seconds: Vec<_> = seconds.iter().map(i64::to_string).collect();
    format!("{} * * * * *", seconds.join(","))
}

#[tokio::test]
async fn disk_that_hangs_holds_up_neither_ticks_nor_delivery() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    // A damaged file is written anew at the first change.
    std::fs::write(dir.path().join("outbox.spool"), "damaged").unwrap();
    let publisher = Setup::new(&endpoint.url())
        .with("SPOOL_DIR", dir.path().display())
        .with("SCHEDULE", schedule())
        .with("METRIC_RESOLUTION", 1)
        .with("METRIC_VALUE", "timestamp")
        .with("PUBLISH_ON_START", "false")
        .start();
    publisher.line("spool was damaged").await;
    hang(dir.path());

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
