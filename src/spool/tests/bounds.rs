//! What a change costs, and how much of a file is taken up.

use super::*;
use crate::outbox::{AGE_MAX, Reason};

/// An outbox that counts what is asked of it.
struct Counting<'a> {
    outbox: &'a mut Outbox,
    lent: usize,
}

impl Lend for Counting<'_> {
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T {
        self.lent += 1;
        f(self.outbox)
    }
}

#[test]
fn accepted_request_is_written_without_a_look_at_the_rest() {
    let disk = Memory::default();
    let mut opened = open_within(disk.clone(), 50_000).unwrap();
    let metric = metric("A", "");
    opened.outbox.push(tick(&vec![metric.clone(); 50_000], 0));
    opened.spool.sync(&mut opened.outbox);
    let created = created(&disk);
    let mut steps = disk.steps().len();
    for request in 0..25 {
        let batch = opened.outbox.next_batch(&metric.namespace).unwrap();
        opened.outbox.accept(&batch);
        let change = opened.outbox.next_change();
        let Change::Removed(runs) = &change else {
            panic!("{change:?}");
        };
        assert_eq!(runs.len(), 1, "{request}");
        assert_eq!(runs[0].points, 1000);
        opened.outbox.take_back(change);
        let mut counting = Counting {
            outbox: &mut opened.outbox,
            lent: 0,
        };
        opened.spool.sync(&mut counting);
        assert_eq!(counting.lent, 2, "the removal, and that nothing is left");
        let written: usize = disk.steps()[steps..].iter().map(bytes).sum();
        assert!(written < 50, "{written} bytes in request {request}");
        steps = disk.steps().len();
    }
    assert_eq!(super::created(&disk), created);
}

fn bytes(step: &Step) -> usize {
    match step {
        Step::Write(_, bytes, _) => bytes.len(),
        _ => 0,
    }
}

#[test]
fn file_is_written_anew_a_thousand_points_at_a_time() {
    let disk = Memory::default();
    let mut opened = open_within(disk.clone(), 20_000).unwrap();
    let metrics = vec![metric("A", ""); 10_000];
    opened.outbox.push(tick(&metrics, 0));
    opened.outbox.push(tick(&metrics, 1));
    opened.spool.sync(&mut opened.outbox);
    opened.outbox.begin_rewrite();
    let mut written = 0;
    loop {
        let some = opened.outbox.next_to_rewrite();
        assert!(some.len() <= 1000);
        written += some.len();
        if some.is_empty() {
            break;
        }
    }
    opened.outbox.end_rewrite(false);
    assert_eq!(written, 20_000);
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
}

/// Accepts points and takes new ones while the file is being written, so many times.
struct Busy<'a> {
    outbox: &'a mut Outbox,
    changes: usize,
}

impl Lend for Busy<'_> {
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T {
        let given = f(self.outbox);
        let namespace = metrics()[0].namespace.clone();
        if self.changes > 0
            && let Some(batch) = self.outbox.next_batch(&namespace)
        {
            self.changes -= 1;
            // Some that were written and some that were not.
            let (middle, end) = (batch.len() / 2, batch.len());
            let few = middle.saturating_sub(3)..(middle + 3).min(end);
            if let Some(part) = batch.part(few) {
                self.outbox.accept(&part);
            }
            self.outbox.push(tick(&metrics()[..1], 3));
        }
        given
    }
}

#[test]
fn what_changes_while_the_file_is_written_anew_is_on_disk_as_well() {
    for failing in [&[][..], &["create"], &["sync"], &["publish"]] {
        let disk = Memory::default();
        let mut opened = open(&disk);
        let many: Vec<_> = std::iter::repeat_with(metrics)
            .take(900)
            .flatten()
            .collect();
        opened.outbox.push(tick(&many, 0));
        opened.spool.sync(&mut opened.outbox);
        // Enough of it is dead for a new one.
        for _ in 0..2 {
            accept(&mut opened.outbox, &metrics()[1].namespace);
        }
        for failing in [failing, &[]] {
            disk.set_failing(failing);
            let mut busy = Busy {
                outbox: &mut opened.outbox,
                changes: 40,
            };
            opened.spool.sync(&mut busy);
            assert!(busy.changes < 40, "{failing:?}");
        }
        assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    }
}

/// A file with so many points of different metrics, each of about 31 KB.
fn large_file(points: usize) -> Memory {
    let disk = Memory::default();
    let mut opened = open(&disk);
    for number in 0..points {
        let dimension = |i| format!("D{i}={number}{}", "v".repeat(1000));
        let dimensions: Vec<_> = (0..30).map(dimension).collect();
        let metric = metric("A", &dimensions.join(","));
        opened.outbox.push(tick(&[metric], number as i64));
    }
    opened.spool.sync(&mut opened.outbox);
    disk
}

#[test]
fn bound_in_bytes_holds_while_a_file_is_read() {
    let disk = large_file(100);
    let limits = Limits {
        points: 1000,
        bytes: 1024 * 1024,
    };
    let open = || Spool::open_on(Box::new(disk.clone()), "spool".into(), limits, now());
    let mut opened = open().unwrap();
    assert_eq!(opened.damage, None);
    assert_eq!(opened.restored, 100);
    assert!(opened.outbox.bytes() <= limits.bytes);
    let [lost] = opened.lost[..] else {
        panic!("{:?}", opened.lost);
    };
    assert_eq!(lost.reason, Reason::Bytes);
    assert_eq!(lost.points, 100 - opened.outbox.len());
    assert_eq!(lost.from, now());
    assert_eq!(opened.outbox.dropped().overflowed_bytes, lost.points as u64);
    let left = held(&opened.outbox);
    assert_eq!(left.last().unwrap().id, 100);
    assert!((24..29).contains(&left.len()), "{}", left.len());
    // The file is as long as the bound allows after the first change.
    opened.outbox.push(tick(&metrics()[..1], 200));
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    assert!(disk.content().len() <= limits.bytes);
}

#[test]
fn points_that_grew_too_old_on_disk_are_not_taken_up() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    for minute in 0..10 {
        opened.outbox.push(tick(&metrics(), minute));
    }
    accept(&mut opened.outbox, &metrics()[0].namespace);
    opened.spool.sync(&mut opened.outbox);
    let later = tick(&metrics(), 3)[0].at + AGE_MAX;
    let reopened = Spool::open_on(Box::new(disk), "spool".into(), points(100), later).unwrap();
    assert_eq!(reopened.restored, 38);
    let [lost] = reopened.lost[..] else {
        panic!("{:?}", reopened.lost);
    };
    assert_eq!((lost.reason, lost.points), (Reason::Age, 16));
    assert_eq!(reopened.outbox.dropped().expired, 16);
    assert_eq!(reopened.outbox.len(), 22);
}

#[test]
fn lowered_limit_does_not_count_what_had_left_as_lost() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let metric = metric("A", "");
    opened.outbox.push(tick(&vec![metric.clone(); 3000], 0));
    opened.spool.sync(&mut opened.outbox);
    for _ in 0..2 {
        accept(&mut opened.outbox, &metric.namespace);
    }
    opened.spool.sync(&mut opened.outbox);
    let reopened = open_within(Memory::holding(&disk.content()), 600).unwrap();
    assert_eq!((reopened.restored, reopened.outbox.len()), (1000, 600));
    assert_eq!(reopened.outbox.dropped().overflowed, 400);
}
