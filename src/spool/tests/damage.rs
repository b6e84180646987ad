//! Files that are not as they were written.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// A file of 52 points with some removed, and what it holds.
fn sample() -> (Vec<u8>, Vec<QueuedPoint>) {
    let disk = Memory::default();
    let mut opened = open(&disk);
    for minute in 0..13 {
        opened.outbox.push(tick(&metrics(), minute));
        opened.spool.sync(&mut opened.outbox);
        if minute == 5 {
            accept(&mut opened.outbox, &metrics()[0].namespace);
        }
    }
    (disk.content(), held(&opened.outbox))
}

/// Where each record of a file begins, and the id if it is a point's.
fn records(file: &[u8]) -> Vec<(usize, Option<Id>)> {
    let mut records = Vec::new();
    let mut at = record::HEADER_LEN;
    while let Some((record, length)) = record::read(&file[at..]) {
        let id = match record {
            record::Record::Point(held) => Some(held.id),
            _ => None,
        };
        records.push((at, id));
        at += length;
    }
    assert_eq!(at, file.len());
    records
}

/// The record that a byte belongs to, none if that is the header.
fn record_at(records: &[(usize, Option<Id>)], at: usize) -> Option<usize> {
    let behind = records.partition_point(|(start, _)| *start <= at);
    behind.checked_sub(1)
}

/// Opens a file, and again after the first write, which must leave no damage.
fn survivors(file: &[u8]) -> (Vec<QueuedPoint>, Option<Damage>) {
    let disk = Memory::holding(file);
    let mut opened = open(&disk);
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
    (held(&opened.outbox), opened.damage)
}

/// Those of the points found that were held. Where a removal is lost, what it removed
/// is back, which costs nothing but a second sending.
fn known(found: Vec<QueuedPoint>, all: &[QueuedPoint]) -> Vec<QueuedPoint> {
    let known = found.into_iter().filter(|held| all.contains(held));
    known.collect()
}

fn all_but(all: &[QueuedPoint], lost: Option<Id>) -> Vec<QueuedPoint> {
    let kept = all.iter().filter(|held| Some(held.id) != lost);
    kept.cloned().collect()
}

#[test]
fn file_cut_off_anywhere_keeps_every_whole_record_and_says_so() {
    let (file, all) = sample();
    let records = records(&file);
    for length in 0..file.len() {
        let (found, damage) = survivors(&file[..length]);
        let cut = record_at(&records, length);
        let whole = &records[..cut.unwrap_or(0)];
        let expected: Vec<_> = all
            .iter()
            .filter(|held| whole.iter().any(|(_, id)| *id == Some(held.id)))
            .cloned()
            .collect();
        assert_eq!(known(found, &all), expected, "cut to {length}");
        let start = cut.map_or(0, |cut| records[cut].0);
        let told = Damage {
            bytes: (length - start) as u64,
            points: None,
        };
        assert_eq!(damage, Some(told), "cut to {length}");
    }
}

#[test]
fn changed_byte_costs_its_record_alone_and_is_told() {
    let (file, all) = sample();
    let records = records(&file);
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..1000 {
        let mut changed = file.clone();
        let at = rng.random_range(0..file.len());
        changed[at] ^= rng.random_range(1..=255u8);
        let (found, damage) = survivors(&changed);
        let hit = record_at(&records, at);
        let expected = all_but(&all, hit.and_then(|hit| records[hit].1));
        let lost = (all.len() - expected.len()) as u64;
        assert_eq!(known(found, &all), expected, "changed at {at}");
        let damage = damage.expect("a change is told");
        assert!(damage.bytes > 0);
        let is_end = hit == Some(records.len() - 1);
        // Where removed points are back they hide how many are lost.
        let is_removal = hit.is_some_and(|hit| records[hit].1.is_none());
        let told = if is_end { None } else { Some(lost) };
        assert!(is_removal && !is_end || damage.points == told, "{at}");
    }
}

#[test]
fn many_changed_bytes_cost_no_more_than_their_records() {
    let (file, all) = sample();
    let records = records(&file);
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..200 {
        let mut changed = file.clone();
        let mut hit = Vec::new();
        for _ in 0..rng.random_range(2..20) {
            let at = rng.random_range(0..file.len());
            changed[at] = rng.random();
            hit.extend(record_at(&records, at).and_then(|hit| records[hit].1));
        }
        let (found, damage) = survivors(&changed);
        for held in all.iter().filter(|held| !hit.contains(&held.id)) {
            assert!(found.contains(held));
        }
        assert!(damage.is_some() || found == all);
    }
}

#[test]
fn lost_and_added_bytes_in_the_middle_cost_their_record() {
    let (file, all) = sample();
    let records = records(&file);
    for pair in records.windows(2) {
        let ((start, lost), (end, _)) = (pair[0], pair[1]);
        let (left, right) = file.split_at(start.midpoint(end));
        for changed in [
            [left, &right[1..]].concat(),
            [left, b"\xF7", right].concat(),
        ] {
            let (found, damage) = survivors(&changed);
            assert_eq!(known(found, &all), all_but(&all, lost));
            assert!(damage.is_some());
        }
    }
}

#[test]
fn record_behind_more_garbage_than_fits_memory_is_found() {
    let (file, all) = sample();
    let garbage = vec![0xF7; 3 * record::RECORD_MAX];
    let header = record::HEADER_LEN;
    let (found, damage) = survivors(&[&file[..header], &garbage, &file[header..]].concat());
    assert_eq!(found, all);
    let bytes = garbage.len() as u64;
    assert_eq!(
        damage,
        Some(Damage {
            bytes,
            points: Some(0)
        })
    );
}

#[test]
fn random_bytes_open_as_nothing() {
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..300 {
        let mut file = vec![0; rng.random_range(0..5000)];
        rng.fill(&mut file[..]);
        let (found, damage) = survivors(&file);
        assert_eq!(found, []);
        let bytes = file.len() as u64;
        let points = None;
        assert_eq!(damage, Some(Damage { bytes, points }));
    }
}

#[test]
fn bodies_of_random_bytes_under_a_right_crc_never_panic() {
    let mut rng = StdRng::seed_from_u64(4);
    let (file, _) = sample();
    let (start, _) = records(&file)[7];
    let (_, length) = record::read(&file[start..]).unwrap();
    for _ in 0..20_000 {
        let mut record = file[start..start + length].to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(8..length);
            record[at] = rng.random();
        }
        let crc = crc32fast::hash(&record[6..]);
        record[2..6].copy_from_slice(&crc.to_le_bytes());
        if let Some((record::Record::Point(held), _)) = record::read(&record) {
            let mut again = Vec::new();
            record::put_point(&mut again, &held);
            assert_eq!(record::read(&again), record::read(&record));
        }
    }
}

#[test]
fn content_that_no_spool_writes_is_damage_whatever_its_crc() {
    let with_body = |body: &[u8]| {
        let mut record = vec![0xF7, 0x9D, 0, 0, 0, 0, body.len() as u8, 0];
        record.extend(body);
        let crc = crc32fast::hash(&record[6..]);
        record[2..6].copy_from_slice(&crc.to_le_bytes());
        record::read(&record).is_some()
    };
    let ids = |first: u64, last: u64| {
        let numbers = [first.to_le_bytes(), last.to_le_bytes()];
        [&[2], &numbers.concat()[..]].concat()
    };
    assert!(with_body(&ids(3, 3)));
    assert!(!with_body(&ids(4, 3)), "a run that ends first");
    assert!(!with_body(&ids(4, u64::MAX)), "no ids left");
    assert!(!with_body(&[&ids(3, 3)[..], &[0]].concat()));
    assert!(!with_body(&[4]), "an unknown kind");
    assert!(!with_body(&[]));
}

#[test]
fn what_follows_the_end_mark_does_not_count_and_is_cut_off() {
    let (file, all) = sample();
    let mut end = Vec::new();
    record::put_end(&mut end, 0);
    let header = record::HEADER_LEN;
    let emptied = [&file[..header], &end, &file[header + end.len()..]].concat();
    let disk = Memory::holding(&emptied);
    let mut opened = open(&disk);
    assert_eq!((opened.restored, opened.damage), (0, None));
    assert!(opened.spool.sync(&mut opened.outbox).event.is_none());
    assert_eq!(disk.content().len(), EMPTY);
    assert!(!all.is_empty());
}
