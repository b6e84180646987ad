//! Any sequence of operations, against a map of what is held.

use std::collections::BTreeMap;

use cloudwatch_metric::{Dimension, Dimensions};
use proptest::prelude::*;
use test_support::cases;

use super::*;
use crate::outbox::AGE_MAX;

#[derive(Clone, Debug)]
enum Operation {
    Push { metrics: Vec<usize>, minute: i64 },
    Accept { namespace: usize },
    RefuseOne { namespace: usize, position: usize },
    Expire { minute: i64 },
    Full { room: usize },
    Free,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (prop::collection::vec(0..4usize, 1..20), 0..50_000i64)
            .prop_map(|(metrics, minute)| Operation::Push { metrics, minute }),
        3 => (0..2usize).prop_map(|namespace| Operation::Accept { namespace }),
        2 => (0..2usize, 0..20usize)
            .prop_map(|(namespace, position)| Operation::RefuseOne { namespace, position }),
        1 => (20_000..50_000i64).prop_map(|minute| Operation::Expire { minute }),
        1 => (0..3000usize).prop_map(|room| Operation::Full { room }),
        2 => Just(Operation::Free),
        2 => Just(Operation::Reopen),
    ]
}

fn point(held: &QueuedPoint) -> (Id, Point) {
    (held.id, held.point.clone())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn disk_holds_what_the_outbox_holds(
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let disk = Memory::default();
        let limit = 60;
        let reopen = || open_within(disk.clone(), limit).unwrap();
        let mut opened = reopen();
        let mut model = BTreeMap::new();
        for operation in operations {
            let outbox = &mut opened.outbox;
            let batch = |outbox: &Outbox, namespace: usize| {
                outbox.next_batch(&metrics()[namespace].namespace)
            };
            match operation {
                Operation::Push { metrics: of, minute } => {
                    let of: Vec<_> = of.iter().map(|i| metrics()[*i].clone()).collect();
                    outbox.push(tick(&of, minute));
                    let held = held(outbox);
                    model.extend(held[held.len() - of.len()..].iter().map(point));
                    // The bound takes the oldest.
                    while model.len() > limit {
                        model.pop_first();
                    }
                }
                Operation::Accept { namespace } => {
                    if let Some(batch) = batch(outbox, namespace) {
                        outbox.accept(&batch);
                        batch.ids().for_each(|id| drop(model.remove(&id)));
                    }
                }
                Operation::RefuseOne { namespace, position } => {
                    let batch = batch(outbox, namespace);
                    if let Some(one) = batch.and_then(|b| b.part(position..position + 1)) {
                        outbox.refuse(&one);
                        one.ids().for_each(|id| drop(model.remove(&id)));
                    }
                }
                Operation::Expire { minute } => {
                    let now = tick(&metrics()[..1], minute)[0].at;
                    outbox.expire(now);
                    model.retain(|_, point| point.at > now - AGE_MAX);
                }
                Operation::Full { room } => disk.set_room(Some(disk.content().len() + room)),
                Operation::Free => disk.set_room(None),
                Operation::Reopen => {
                    // What is in memory only is lost, which the model must not see.
                    if !opened.spool.is_degraded() {
                        opened = reopen();
                        prop_assert_eq!(opened.damage, None);
                    }
                }
            }
            let was_degraded = opened.spool.is_degraded();
            let event = opened.spool.sync(&mut opened.outbox).event;
            let is_degraded = opened.spool.is_degraded();
            prop_assert_eq!(event.is_some(), was_degraded != is_degraded);
            let found: BTreeMap<_, _> = on_disk(&disk).iter().map(point).collect();
            if is_degraded {
                prop_assert!(found.values().all(|point| point.metric.name.as_str() == "M"));
            } else {
                prop_assert_eq!(&found, &model);
            }
        }
    }

    #[test]
    fn every_point_reads_back_as_it_was(
        (namespace, name) in ("[a-zA-Z0-9/ ._-]{0,254}[a-zA-Z]", "[ -~]{0,254}[!-~]"),
        dimensions in prop::collection::btree_map("[a-z]{1,255}", "[!-~]{1,1024}", 0..=30),
        unit in prop::sample::select(Unit::ALL),
        high in any::<bool>(),
        seconds in -10_000_000_000..10_000_000_000i64,
        value in -1e108..1e108f64,
        id in 1..1u64 << 62,
    ) {
        let dimensions = dimensions.iter().map(|(n, v)| Dimension::new(n, v).unwrap());
        let metric = Arc::new(Metric {
            namespace: namespace.parse().unwrap(),
            name: name.parse().unwrap(),
            unit,
            dimensions: Dimensions::new(dimensions.collect()).unwrap(),
            resolution: if high { Resolution::High } else { Resolution::Standard },
        });
        let at = DateTime::from_timestamp(seconds, 0).unwrap();
        let value = Value::try_from(value).unwrap();
        let held = QueuedPoint { id, point: Point { metric, at, value } };
        let mut bytes = Vec::new();
        record::put_point(&mut bytes, &held);
        prop_assert_eq!(record::read(&bytes), Some((record::Record::Point(held), bytes.len())));
    }
}

#[test]
fn largest_metric_fits_a_record() {
    let dimension = |i| Dimension::new(&format!("{i:0255}"), &"v".repeat(1024)).unwrap();
    let metric = Arc::new(Metric {
        namespace: "n".repeat(255).parse().unwrap(),
        name: "n".repeat(255).parse().unwrap(),
        unit: Unit::KilobytesPerSecond,
        dimensions: Dimensions::new((0..30).map(dimension).collect()).unwrap(),
        resolution: Resolution::High,
    });
    let disk = Memory::default();
    let mut opened = open(&disk);
    opened.outbox.push(tick(&vec![metric; 12], 1));
    assert_synced(&mut opened.spool, &mut opened.outbox, &disk);
}

/// Whoever changes these bytes raises the version and still reads version 1.
#[test]
fn version_1_has_these_bytes() {
    let disk = Memory::default();
    let mut opened = open(&disk);
    let metric = Arc::new(Metric {
        namespace: "CustomMetrics".parse().unwrap(),
        name: "TestMetric".parse().unwrap(),
        unit: Unit::Count,
        dimensions: "D=v".parse().unwrap(),
        resolution: Resolution::Standard,
    });
    let other = super::metric("B", "");
    opened.outbox.push(tick(&[metric, other.clone()], 7));
    opened.spool.sync(&mut opened.outbox);
    accept(&mut opened.outbox, &other.namespace);
    opened.spool.sync(&mut opened.outbox);
    let file = disk.content();
    let point = b"\x01\x01\0\0\0\0\0\0\0\xcc\xf2\x53\x65\0\0\0\0\0\0\0\0\0\0\xf0\x3f\x3c\
        \x0d\0CustomMetrics\x0a\0TestMetric\x05\0Count\x01\0D\x01\0v";
    assert_eq!(&file[..12], b"\x89CWSPL\r\n\x01\0\0\0");
    assert_eq!(&file[16..18], b"\xf7\x9d");
    assert_eq!(&file[22..24], [66, 0]);
    assert_eq!(&file[24..][..point.len()], point);
    assert_eq!(
        &file[file.len() - 34..][..17],
        b"\x02\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"
    );
    assert_eq!(&file[file.len() - 9..], b"\x03\x01\0\0\0\0\0\0\0");
    // CRC-32 of the bytes behind it, computed with Python's zlib.crc32.
    assert_eq!(file[12..16], 0x41198ca3u32.to_le_bytes());
    assert_eq!(file[18..22], 0x7e34baa8u32.to_le_bytes());
}
