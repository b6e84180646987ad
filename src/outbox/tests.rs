use std::sync::Arc;

use cloudwatch_metric::{Metric, Value};

use super::*;

pub(super) fn metric(namespace: &str, dimensions: &str) -> Arc<Metric> {
    Arc::new(Metric {
        namespace: namespace.parse().unwrap(),
        name: "M".parse().unwrap(),
        unit: cloudwatch_metric::Unit::Count,
        dimensions: dimensions.parse().unwrap(),
        resolution: cloudwatch_metric::Resolution::Standard,
    })
}

pub(super) fn moment(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_040 + minute * 60, 0).unwrap()
}

/// An outbox for so many points.
fn holding(points: usize) -> Outbox {
    let bytes = usize::MAX;
    Outbox::new(Limits { points, bytes })
}

/// The points of one tick; a point's value is its minute, to tell it again.
pub(super) fn tick(metric: &Arc<Metric>, minute: i64, count: usize) -> Vec<Point> {
    let point = Point {
        metric: metric.clone(),
        at: moment(minute),
        value: Value::try_from(minute as f64).unwrap(),
    };
    vec![point; count]
}

pub(super) fn minutes(batch: &Batch) -> Vec<f64> {
    batch.points().map(|point| point.value.get()).collect()
}

#[test]
fn newest_tick_goes_first_then_the_backlog_oldest_first() {
    let metric = metric("A", "");
    let mut outbox = holding(100);
    for minute in 1..=3 {
        outbox.push(tick(&metric, minute, 1));
    }
    let newest = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&newest), [3.0]);
    assert_eq!(outbox.accept(&newest), 1);
    assert!(!outbox.has_tick(&metric.namespace));
    let backlog = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&backlog), [1.0, 2.0]);
    assert!(!outbox.is_empty());
    outbox.accept(&backlog);
    assert!(outbox.is_empty());
    assert_eq!(outbox.next_batch(&metric.namespace), None);
}

#[test]
fn demoted_tick_joins_the_backlog_in_its_place() {
    let metric = metric("A", "");
    let mut outbox = holding(100);
    for minute in 1..=2 {
        outbox.push(tick(&metric, minute, 1));
        assert!(outbox.has_tick(&metric.namespace));
        let batch = outbox.next_batch(&metric.namespace).unwrap();
        outbox.demote(&batch);
        assert!(!outbox.has_tick(&metric.namespace));
    }
    let backlog = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&backlog), [1.0, 2.0]);
}

#[test]
fn tick_that_came_while_another_failed_stays_the_newest() {
    let metric = metric("A", "");
    let mut outbox = holding(100);
    outbox.push(tick(&metric, 1, 1));
    let failed = outbox.next_batch(&metric.namespace).unwrap();
    outbox.push(tick(&metric, 2, 1));
    outbox.demote(&failed);
    let next = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&next), [2.0]);
}

#[test]
fn late_points_join_the_newest_tick_while_it_waits() {
    let metric = metric("A", "");
    for late in [1, 2] {
        let mut outbox = holding(100);
        outbox.push(tick(&metric, 0, 1));
        outbox.push(tick(&metric, 2, 2));
        outbox.push(tick(&metric, late, 1));
        let newest = outbox.next_batch(&metric.namespace).unwrap();
        assert_eq!(minutes(&newest), [2.0, 2.0, late as f64]);
        outbox.demote(&newest);
        assert!(!outbox.has_tick(&metric.namespace), "{late}");
    }
}

#[test]
fn late_point_of_an_older_tick_does_not_tear_the_newest() {
    let metric = metric("A", "");
    let mut outbox = holding(100);
    for minute in [2, 1, 2] {
        outbox.push(tick(&metric, minute, 1));
    }
    let newest = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&newest), [2.0, 1.0, 2.0]);
}

#[test]
fn late_points_of_a_tick_that_is_gone_go_first() {
    let metric = metric("A", "");
    let mut outbox = holding(100);
    outbox.push(tick(&metric, 1, 1));
    let failed = outbox.next_batch(&metric.namespace).unwrap();
    outbox.demote(&failed);
    outbox.push(tick(&metric, 1, 2));
    assert_eq!(outbox.next_batch(&metric.namespace).unwrap().len(), 2);
}

#[test]
fn batch_holds_a_thousand_points() {
    let metric = metric("A", "");
    let mut outbox = holding(10_000);
    outbox.push(tick(&metric, 1, 1001));
    let first = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(first.len(), BATCH_POINTS_MAX);
    outbox.accept(&first);
    assert_eq!(outbox.next_batch(&metric.namespace).unwrap().len(), 1);
}

#[test]
fn batch_stays_below_the_byte_limit() {
    let long = (0..30)
        .map(|i| format!("D{i}={}", "v".repeat(1024)))
        .collect::<Vec<_>>()
        .join(",");
    let metric = metric("A", &long);
    let mut outbox = holding(10_000);
    outbox.push(tick(&metric, 1, 100));
    let batch = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(batch.len(), BATCH_BYTES_MAX / metric.request_bytes_max());
}

#[test]
fn namespaces_do_not_mix() {
    let (a, b) = (metric("A", ""), metric("B", ""));
    let mut outbox = holding(100);
    outbox.push([tick(&a, 1, 2), tick(&b, 1, 3)].concat());
    assert_eq!(outbox.next_batch(&a.namespace).unwrap().len(), 2);
    assert_eq!(outbox.next_batch(&b.namespace).unwrap().len(), 3);
    assert_eq!(outbox.namespaces().count(), 2);
    assert_eq!((outbox.len(), outbox.len_of(&b.namespace)), (5, 3));
}

#[test]
fn bound_drops_the_oldest_of_all_namespaces_and_counts_them() {
    let (a, b) = (metric("A", ""), metric("B", ""));
    let mut outbox = holding(3);
    outbox.push(tick(&b, 1, 2));
    let dropped = outbox.push(tick(&a, 2, 3));
    let two = Lost {
        points: 2,
        ..Lost::one(Reason::Number, moment(1))
    };
    assert_eq!(dropped, [two]);
    assert_eq!(outbox.len(), 3);
    assert_eq!(outbox.dropped_of(&b.namespace).overflowed, 2);
    assert_eq!(outbox.dropped_of(&a.namespace).total(), 0);
    assert_eq!(outbox.dropped().total(), 2);
}

#[test]
fn accepting_what_the_bound_pushed_out_meanwhile_removes_the_rest() {
    let metric = metric("A", "");
    let mut outbox = holding(2);
    outbox.push(tick(&metric, 1, 2));
    let batch = outbox.next_batch(&metric.namespace).unwrap();
    outbox.push(tick(&metric, 2, 1));
    assert_eq!(outbox.accept(&batch), 1);
    assert_eq!(outbox.len(), 1);
}

#[test]
fn points_expire_an_hour_before_the_service_refuses_them() {
    let (a, b) = (metric("A", ""), metric("B", ""));
    let mut outbox = holding(10);
    for minute in 0..=1 {
        outbox.push([tick(&a, minute, 2), tick(&b, minute, 1)].concat());
    }
    assert_eq!(outbox.expire(moment(1)), None);
    let expired = outbox.expire(moment(0) + AGE_MAX);
    let three = Lost {
        points: 3,
        ..Lost::one(Reason::Age, moment(0))
    };
    assert_eq!(expired, Some(three));
    assert_eq!(outbox.dropped_of(&a.namespace).expired, 2);
    assert_eq!(outbox.dropped_of(&b.namespace).expired, 1);
    assert_eq!(outbox.len(), 3);
    assert_eq!(outbox.span(), Some((moment(1), moment(1))));
}

#[test]
fn refused_points_are_counted() {
    let metric = metric("A", "");
    let mut outbox = holding(10);
    outbox.push(tick(&metric, 1, 3));
    let batch = outbox.next_batch(&metric.namespace).unwrap();
    assert_eq!(outbox.refuse(&batch.part(1..2).unwrap()), 1);
    assert_eq!(outbox.dropped().refused, 1);
    assert_eq!(outbox.len(), 2);
}

#[test]
fn oldest_point_that_leaves_is_two_weeks_less_an_hour_old() {
    assert_eq!(AGE_MAX, TimeDelta::weeks(2) - TimeDelta::hours(1));
}

#[test]
fn losses_add_up_by_reason_and_in_all() {
    let some = Dropped {
        refused: 1,
        expired: 20,
        overflowed: 300,
        overflowed_bytes: 0,
    };
    let more = Dropped {
        refused: 4000,
        expired: 50_000,
        overflowed: 600_000,
        overflowed_bytes: 7_000_000,
    };
    assert_eq!((some.total(), more.total()), (321, 7_654_000));
    let sum = Dropped {
        refused: 4001,
        expired: 50_020,
        overflowed: 600_300,
        overflowed_bytes: 7_000_000,
    };
    assert_eq!(some + more, sum);
}

/// A metric of about 31 KB.
fn large(number: usize) -> Arc<Metric> {
    let dimensions: Vec<_> = (0..30)
        .map(|i| format!("D{i}={number}{}", "v".repeat(1000)))
        .collect();
    metric("A", &dimensions.join(","))
}

#[test]
fn bound_in_bytes_drops_the_oldest_and_counts_them() {
    let mut outbox = Outbox::new(Limits {
        points: 1000,
        bytes: 1024 * 1024,
    });
    let small = metric("A", "");
    outbox.push(tick(&small, 0, 10));
    let mut dropped = 0;
    for number in 0..100 {
        for lost in outbox.push(tick(&large(number), 1 + number as i64, 1)) {
            assert_eq!(lost.reason, Reason::Bytes);
            dropped += lost.points;
        }
        assert!(outbox.bytes() <= 1024 * 1024);
    }
    assert_eq!(outbox.len(), 110 - dropped);
    assert!((24..29).contains(&outbox.len()), "{}", outbox.len());
    assert_eq!(outbox.dropped().overflowed_bytes, dropped as u64);
    assert_eq!(outbox.dropped().total(), dropped as u64);
    let last = outbox.next_batch(&small.namespace).unwrap();
    assert_eq!(minutes(&last), [100.0]);
}

#[test]
fn metric_that_points_share_is_counted_once_and_until_the_last_of_them_left() {
    let mut outbox = holding(10_000);
    outbox.push(tick(&large(0), 1, 1));
    let one = outbox.bytes();
    assert!((36_000..42_000).contains(&one), "{one}");
    // The same again, as each scrape of a page makes it.
    outbox.push(tick(&large(0), 2, 99));
    assert_eq!(outbox.bytes(), one + 99 * POINT_BYTES);
    let namespace = large(0).namespace.clone();
    let batch = outbox.next_batch(&namespace).unwrap();
    let metrics: Vec<_> = batch.points().map(|point| &point.metric).collect();
    assert!(metrics.iter().all(|metric| Arc::ptr_eq(metric, metrics[0])));
    while let Some(batch) = outbox.next_batch(&namespace) {
        assert!(outbox.bytes() > one - 2 * POINT_BYTES);
        outbox.accept(&batch.part(0..1).unwrap());
    }
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn what_the_service_accepted_is_counted_and_what_it_refused_is_not() {
    let metric = metric("A", "");
    let namespace = &metric.namespace;
    let mut outbox = holding(9);
    outbox.push(tick(&metric, 1, 9));
    let batch = outbox.next_batch(namespace).unwrap();
    assert_eq!(outbox.accept(&batch.part(0..2).unwrap()), 2);
    assert_eq!(outbox.refuse(&batch.part(2..5).unwrap()), 3);
    assert_eq!((outbox.accepted(), outbox.len()), (2, 4));
    assert_eq!(outbox.accept(&batch.part(0..2).unwrap()), 0);
    assert_eq!(outbox.accepted(), 2);
    let refused = Dropped {
        refused: 3,
        ..Dropped::default()
    };
    assert_eq!(
        (outbox.dropped(), outbox.dropped_of(namespace)),
        (refused, refused)
    );
}
