//! The reader, on any bytes and on files that were damaged in any way.
//! `PROPTEST_CASES` sets how many of each are tried.

use std::collections::BTreeMap;

use proptest::prelude::*;
use test_support::cases;

use super::*;
use crate::outbox::Lost;

/// Few enough that a bound is met now and then.
const LIMIT: usize = 12;

/// What a file holds, as the next process would find it.
struct Read {
    held: BTreeMap<Id, Point>,
    bytes: usize,
    lost: Vec<Lost>,
    damage: Option<Damage>,
}

fn read(file: &[u8], limits: Limits) -> Read {
    let disk = Memory::holding(file);
    let opened = Spool::open_on(Box::new(disk), "spool".into(), limits, now());
    let opened = opened.unwrap_or_else(|error| panic!("{error}"));
    let held = held(&opened.outbox).into_iter();
    Read {
        held: held.map(|held| (held.id, held.point)).collect(),
        bytes: opened.outbox.bytes(),
        lost: opened.lost,
        damage: opened.damage,
    }
}

/// What a file is made of: ticks, and whether a namespace is accepted after each.
fn history() -> impl Strategy<Value = Vec<(usize, Option<usize>)>> {
    prop::collection::vec((1..4usize, prop::option::weighted(0.4, 0..2usize)), 1..8)
}

/// A file, and every point that was ever written to it.
fn written(history: &[(usize, Option<usize>)]) -> (Vec<u8>, BTreeMap<Id, Point>) {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let mut all = BTreeMap::new();
    for (minute, (count, accepted)) in history.iter().enumerate() {
        opened
            .outbox
            .push(tick(&metrics()[..*count], minute as i64));
        opened.spool.sync(&mut opened.outbox);
        all.extend(
            held(&opened.outbox)
                .into_iter()
                .map(|held| (held.id, held.point)),
        );
        if let Some(namespace) = accepted
            && let Some(batch) = opened.outbox.next_batch(&metrics()[*namespace].namespace)
        {
            opened.outbox.accept(&batch);
            opened.spool.sync(&mut opened.outbox);
        }
    }
    (disk.content(), all)
}

#[derive(Clone, Debug)]
enum Damaging {
    Flip {
        at: usize,
        bit: u8,
    },
    Cut {
        from: usize,
        length: usize,
    },
    Splice {
        from: usize,
        length: usize,
        to: usize,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
}

fn damaging() -> impl Strategy<Value = Damaging> {
    let at = 0..usize::MAX;
    prop_oneof![
        4 => (at.clone(), 0..8u8).prop_map(|(at, bit)| Damaging::Flip { at, bit }),
        2 => (at.clone(), 1..200usize).prop_map(|(from, length)| Damaging::Cut { from, length }),
        2 => (at.clone(), 1..300usize, at.clone())
            .prop_map(|(from, length, to)| Damaging::Splice { from, length, to }),
        1 => (at, hostile(40)).prop_map(|(at, bytes)| Damaging::Insert { at, bytes }),
    ]
}

/// Bytes of which many look like the beginning of a record.
fn hostile(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just(vec![0xF7, 0x9D]),
        1 => (any::<u32>(), any::<u16>(), 0..5u8).prop_map(|(crc, length, kind)| {
            let length = length.to_le_bytes();
            [&[0xF7, 0x9D][..], &crc.to_le_bytes(), &length, &[kind]].concat()
        }),
        // A whole record of any kind and content, with its CRC-32.
        1 => (prop::collection::vec(any::<u8>(), 0..80), 0..5u8).prop_map(|(mut body, kind)| {
            body.insert(0, kind);
            sound(&body)
        }),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(first, last)| {
            sound(&[&[2][..], &first.to_le_bytes(), &last.to_le_bytes()].concat())
        }),
        1 => any::<u64>().prop_map(|held| sound(&[&[3][..], &held.to_le_bytes()].concat())),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn sound(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_le_bytes();
    let checked = [&length, body].concat();
    let crc = crc32fast::hash(&checked).to_le_bytes();
    [&[0xF7, 0x9D][..], &crc, &checked].concat()
}

fn damage(file: &mut Vec<u8>, damaging: &Damaging) {
    let place = |at: usize| at % (file.len() + 1);
    match damaging {
        Damaging::Flip { at, bit } => {
            let at = place(*at);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Damaging::Cut { from, length } => {
            let from = place(*from);
            let end = (from + length).min(file.len());
            file.drain(from..end);
        }
        // Records that come twice, or in another place.
        Damaging::Splice { from, length, to } => {
            let (from, to) = (place(*from), place(*to));
            let piece = file[from..(from + length).min(file.len())].to_vec();
            file.splice(to..to, piece);
        }
        Damaging::Insert { at, bytes } => {
            let at = place(*at);
            file.splice(at..at, bytes.iter().copied());
        }
    }
}

/// The points of all records that are whole, up to the first end mark, found by a search
/// that does nothing else: those that are held, and those that are said to have left.
fn whole_records(file: &[u8]) -> (BTreeMap<Id, Point>, BTreeMap<Id, Point>) {
    let (mut held, mut left) = (BTreeMap::new(), BTreeMap::new());
    let mut at = match record::version(file) {
        Some(_) => record::HEADER_LEN,
        None => 0,
    };
    while at < file.len() {
        let Some((record, length)) = record::read(&file[at..]) else {
            at += 1;
            continue;
        };
        at += length;
        match record {
            record::Record::Point(point) => drop(held.insert(point.id, point.point)),
            record::Record::Removed(ids) => left.extend(held.extract_if(ids, |_, _| true)),
            record::Record::End(_) => break,
        }
    }
    (held, left)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 1000, ..cases(256) })]

    #[test]
    fn damaged_file_gives_every_whole_record_and_nothing_that_was_not_written(
        history in history(),
        damagings in prop::collection::vec(damaging(), 0..6),
    ) {
        let (mut file, all) = written(&history);
        for damaging in &damagings {
            damage(&mut file, damaging);
        }
        let read = read(&file, points(20_160));
        let (expected, _) = whole_records(&file);
        prop_assert_eq!(&read.held, &expected);
        prop_assert!(read.lost.is_empty());
        let inserted = damagings.iter().any(|d| matches!(d, Damaging::Insert { .. }));
        for (id, point) in &read.held {
            prop_assert!(inserted || all.get(id) == Some(point), "{:?}", point);
        }
        prop_assert!(!damagings.is_empty() || read.damage.is_none());
    }

    #[test]
    fn bounds_hold_on_any_bytes_and_what_is_dropped_is_counted(
        history in history(),
        bytes in hostile(60),
        at in 0..usize::MAX,
    ) {
        let (mut file, _) = written(&history);
        damage(&mut file, &Damaging::Insert { at, bytes });
        let limits = Limits { points: LIMIT, bytes: 64 << 10 };
        let bounded = read(&file, limits);
        prop_assert!(bounded.held.len() <= LIMIT && bounded.bytes <= limits.bytes);
        let (expected, _) = whole_records(&file);
        for (id, point) in &bounded.held {
            prop_assert_eq!(expected.get(id), Some(point));
        }
        let lost: usize = bounded.lost.iter().map(|lost| lost.points).sum();
        prop_assert_eq!(bounded.held.len() + lost, expected.len());
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in hostile(300)) {
        let read = read(&bytes, points(LIMIT));
        let (expected, _) = whole_records(&bytes);
        prop_assert!(read.held.len() <= expected.len());
    }
}

/// Every sixteen bytes something begins that says it is 64 KB long.
#[test]
fn file_made_to_be_looked_at_over_and_over_takes_no_longer_than_others() {
    let head = [0xF7, 0x9D, 1, 2, 3, 4, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0];
    let file = head.repeat(128 * 1024);
    let mut checked = 0;
    let mut window = &file[..];
    while let Some(next) = window.get(16..) {
        checked += record::checked_bytes(window);
        window = next;
    }
    assert!(checked / file.len() > 1000, "it is what it should be");
    let disk = Memory::holding(&file);
    let began = std::time::Instant::now();
    let opened = open(&disk);
    assert_eq!(opened.damage.unwrap().bytes, file.len() as u64);
    // All of it would be 8 GB, which take longer in any build.
    let elapsed = began.elapsed();
    assert!(elapsed < std::time::Duration::from_secs(5), "{elapsed:?}");
}
