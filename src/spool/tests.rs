use std::sync::Arc;

use chrono::DateTime;
use cloudwatch_metric::{Metric, Namespace, Point, Resolution, Unit, Value};

use super::disk::memory::{Memory, Step};
use super::*;
use crate::outbox::{Id, QueuedPoint};

mod bounds;
mod crash;
mod damage;
mod folder;
mod full;
mod model;
mod reader;

/// A file that holds nothing: a header and an end mark.
const EMPTY: usize = record::HEADER_LEN + record::END_LEN as usize;

fn metric(namespace: &str, dimensions: &str) -> Arc<Metric> {
    Arc::new(Metric {
        namespace: namespace.parse().unwrap(),
        name: "M".parse().unwrap(),
        unit: Unit::CountPerSecond,
        dimensions: dimensions.parse().unwrap(),
        resolution: Resolution::High,
    })
}

/// One point of each metric, as a tick gives them.
fn tick(metrics: &[Arc<Metric>], minute: i64) -> Vec<Point> {
    let point = |metric: &Arc<Metric>| Point {
        metric: metric.clone(),
        at: DateTime::from_timestamp(1_700_000_040 + minute * 60, 0).unwrap(),
        value: Value::try_from(minute as f64 / 7.0).unwrap(),
    };
    metrics.iter().map(point).collect()
}

/// Two metrics of each of two namespaces.
fn metrics() -> Vec<Arc<Metric>> {
    let metric_of = |(namespace, dimensions)| metric(namespace, dimensions);
    [("A", ""), ("B", "D=1"), ("A", "D=2,E=x=y"), ("B", "")]
        .map(metric_of)
        .into()
}

/// So many points, of any size.
fn points(points: usize) -> Limits {
    let bytes = usize::MAX;
    Limits { points, bytes }
}

/// A moment at which the first tick is not too old, nor much later ones.
fn now() -> DateTime<Utc> {
    tick(&metrics()[..1], 0)[0].at
}

fn open_within(disk: Memory, limit: usize) -> Result<Opened, SpoolError> {
    Spool::open_on(Box::new(disk), "spool".into(), points(limit), now())
}

fn open(disk: &Memory) -> Opened {
    open_within(disk.clone(), 20_160).unwrap()
}

/// What an outbox holds, in order of arrival.
fn held(outbox: &Outbox) -> Vec<QueuedPoint> {
    outbox.held().collect()
}

/// What the next process would hold.
fn on_disk(disk: &Memory) -> Vec<QueuedPoint> {
    let opened = open(&Memory::holding(&disk.content()));
    assert_eq!(opened.damage, None);
    held(&opened.outbox)
}

fn accept(outbox: &mut Outbox, namespace: &Namespace) {
    let batch = outbox.next_batch(namespace).unwrap();
    outbox.accept(&batch);
}

/// How many files were ever begun.
fn created(disk: &Memory) -> usize {
    let steps = disk.steps();
    let created = steps.iter().filter(|step| matches!(step, Step::Create));
    created.count()
}

fn assert_synced(spool: &mut Spool, outbox: &mut Outbox, disk: &Memory) {
    assert!(spool.sync(outbox).event.is_none());
    assert_eq!(on_disk(disk), held(outbox));
}

#[test]
fn points_are_restored_exactly_and_as_backlog() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let Opened {
            mut spool,
            mut outbox,
            restored,
            damage,
            ..
        } = Spool::open(dir.path(), points(100), now()).unwrap();
        assert_eq!((restored, damage), (0, None));
        for minute in 0..3 {
            outbox.push(tick(&metrics(), minute));
            assert!(spool.sync(&mut outbox).event.is_none());
        }
        accept(&mut outbox, &metrics()[0].namespace);
        assert!(spool.sync(&mut outbox).event.is_none());
        held(&outbox)
    };
    let opened = Spool::open(dir.path(), points(100), now()).unwrap();
    assert_eq!((opened.restored, opened.damage), (10, None));
    assert_eq!(held(&opened.outbox), before);
    assert!(!opened.outbox.has_tick(&metrics()[0].namespace));
}

#[test]
fn restored_points_share_their_metrics() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    for minute in 0..3 {
        opened.outbox.push(tick(&metrics(), minute));
    }
    opened.spool.sync(&mut opened.outbox);
    let restored = on_disk(&disk);
    assert!(Arc::ptr_eq(
        &restored[0].point.metric,
        &restored[4].point.metric
    ));
}

#[test]
fn lowered_limit_drops_the_oldest_from_disk_too() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    opened.outbox.push(tick(&metrics(), 0));
    opened.spool.sync(&mut opened.outbox);
    let mut opened = open_within(disk.clone(), 3).unwrap();
    assert_eq!((opened.restored, opened.outbox.len()), (4, 3));
    assert_eq!(opened.outbox.dropped().overflowed, 1);
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
}

#[test]
fn delivered_points_leave_an_empty_file_and_wait_for_no_flush() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let metrics = [metric("A", "")];
    for minute in 0..5 {
        opened.outbox.push(tick(&metrics, minute));
        let before = disk.steps().len();
        assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
        let steps = &disk.steps()[before..];
        assert!(matches!(steps, [Step::Write(..), Step::Sync]), "{steps:?}");
        accept(&mut opened.outbox, &metrics[0].namespace);
        let before = disk.steps().len();
        assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
        let steps = &disk.steps()[before..];
        assert!(
            matches!(steps, [Step::Write(..), Step::Truncate(..)]),
            "{steps:?}"
        );
        assert_eq!(disk.content().len(), EMPTY);
    }
}

#[test]
fn steady_delivery_never_writes_a_new_file() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    for minute in 0..600 {
        opened.outbox.push(tick(&metrics(), minute));
        opened.spool.sync(&mut opened.outbox);
        for metric in &metrics()[..2] {
            accept(&mut opened.outbox, &metric.namespace);
            opened.spool.sync(&mut opened.outbox);
        }
        assert_eq!(disk.content().len(), EMPTY);
    }
    assert_eq!(created(&disk), 1);
}

#[test]
fn long_backlog_that_leaves_at_once_empties_the_file() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let many = vec![metric("A", ""); 2000];
    opened.outbox.push(tick(&many, 0));
    opened.spool.sync(&mut opened.outbox);
    for _ in 0..2 {
        accept(&mut opened.outbox, &many[0].namespace);
    }
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    assert_eq!((disk.content().len(), created(&disk)), (EMPTY, 1));
}

#[test]
fn emptied_file_in_a_folder_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = Spool::open(dir.path(), points(10), now()).unwrap();
    let length = || {
        let file = std::fs::metadata(dir.path().join(disk::FILE)).unwrap();
        file.len() as usize
    };
    opened.outbox.push(tick(&[metric("A", "")], 0));
    opened.spool.sync(&mut opened.outbox);
    assert!(length() > EMPTY);
    accept(&mut opened.outbox, &metric("A", "").namespace);
    opened.spool.sync(&mut opened.outbox);
    assert_eq!(length(), EMPTY);
}

#[test]
fn many_points_are_written_in_pieces() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    opened.outbox.push(tick(&vec![metric("A", ""); 5000], 0));
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    for step in disk.steps() {
        let fits = |bytes: &[u8]| bytes.len() < log::CHUNK + 100;
        assert!(!matches!(step, Step::Write(_, bytes, _) if !fits(&bytes)));
    }
}

#[test]
fn unchanged_outbox_writes_nothing() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    opened.outbox.push(tick(&metrics(), 0));
    opened.spool.sync(&mut opened.outbox);
    let steps = disk.steps().len();
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    assert_eq!(disk.steps().len(), steps);
}

#[test]
fn neighbours_are_removed_by_one_record() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let (a, b) = (metric("A", ""), metric("B", ""));
    opened.outbox.push(tick(&vec![a.clone(); 1000], 0));
    opened.outbox.push(tick(&[b], 0));
    opened.spool.sync(&mut opened.outbox);
    let before = disk.content().len();
    accept(&mut opened.outbox, &a.namespace);
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    assert_eq!(disk.content().len() - before, 25);
}

#[test]
fn file_stays_bounded_while_the_outbox_overflows() {
    let disk = Memory::default();
    let mut opened = open_within(disk.clone(), 500).unwrap();
    let mut largest = 0;
    for minute in 0..3000 {
        opened.outbox.push(tick(&[metric("A", "")], minute));
        assert!(opened.spool.sync(&mut opened.outbox).event.is_none());
        largest = largest.max(disk.content().len());
        if minute == 1200 {
            opened = open_within(disk.clone(), 500).unwrap();
        }
    }
    assert_eq!(on_disk(&disk), held(&opened.outbox));
    assert_eq!(created(&disk), 4, "one at first, then one in 750 ticks");
    let point = 65;
    assert!(largest < (500 + 500 + 1000) * point, "{largest}");
}

#[test]
fn file_taken_up_has_no_more_dead_records_than_it_had() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let metric = metric("A", "");
    opened.outbox.push(tick(&vec![metric.clone(); 2100], 0));
    opened.spool.sync(&mut opened.outbox);
    let mut opened = open(&disk);
    accept(&mut opened.outbox, &metric.namespace);
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    assert_eq!(created(&disk), 1, "1001 dead of 2101 are not yet too many");
}

#[test]
fn second_process_is_refused_until_the_first_ends() {
    let dir = tempfile::tempdir().unwrap();
    let first = Spool::open(dir.path(), points(1), now()).unwrap();
    let error = Spool::open(dir.path(), points(1), now()).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }), "{error}");
    drop(first);
    Spool::open(dir.path(), points(1), now()).unwrap();
}

#[test]
fn folder_that_cannot_be_used_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    for missing in [&file, &file.join("below")] {
        let error = Spool::open(missing, points(1), now()).unwrap_err();
        assert!(matches!(error, SpoolError::NotAFolder { .. }), "{error}");
        std::fs::write(&file, "").unwrap();
    }
    // A folder stands where the spool's file would be.
    std::fs::create_dir(dir.path().join(disk::FILE)).unwrap();
    let error = Spool::open(dir.path(), points(1), now()).unwrap_err();
    assert!(matches!(error, SpoolError::Read { .. }), "{error}");
}

#[test]
fn disk_that_cannot_be_read_is_told() {
    let disk = Memory::holding(b"anything");
    disk.set_failing(&["read"]);
    let opened = open_within(disk, 1);
    let error = opened.unwrap_err();
    assert!(matches!(error, SpoolError::Read { .. }), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn folder_that_takes_no_file_is_refused() {
    let error = Spool::open(Path::new("/proc"), points(1), now()).unwrap_err();
    assert!(matches!(error, SpoolError::NotWritable { .. }), "{error}");
}

#[test]
fn half_a_new_file_of_a_killed_process_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    Spool::open(dir.path(), points(1), now()).unwrap();
    std::fs::write(dir.path().join("outbox.spool.new"), "half").unwrap();
    let _opened = Spool::open(dir.path(), points(1), now()).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["outbox.lock", "outbox.spool"]);
}

#[test]
fn newer_format_is_refused_and_left_alone() {
    let mut file = record::header().to_vec();
    file[8..12].copy_from_slice(&2u32.to_le_bytes());
    let crc = crc32fast::hash(&file[..12]);
    file[12..].copy_from_slice(&crc.to_le_bytes());
    let disk = Memory::holding(&file);
    let error = open_within(disk.clone(), 1).unwrap_err();
    assert!(
        matches!(error, SpoolError::Newer { version: 2, .. }),
        "{error}"
    );
    assert_eq!(disk.content(), file);
}
