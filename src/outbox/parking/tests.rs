use std::ops::Range;

use cloudwatch_metric::Metric;

use super::*;
use crate::outbox::tests::{metric, minutes, moment, tick};
use crate::outbox::{AGE_MAX, Limits};

fn outbox_of(points: usize) -> Outbox {
    let bytes = usize::MAX;
    Outbox::new(Limits { points, bytes })
}

/// An outbox with a point of each of these minutes, all of them backlog.
fn backlog(minutes: Range<i64>) -> (Outbox, Arc<Metric>) {
    let metric = metric("A", "");
    let mut outbox = outbox_of(10_000);
    for minute in minutes {
        let _ = outbox.push(tick(&metric, minute, 1));
    }
    while outbox.has_tick(&metric.namespace) {
        let newest = outbox.next_batch(&metric.namespace).unwrap();
        outbox.demote(&newest);
    }
    (outbox, metric)
}

/// Parks the points at these positions of what goes next; gives the moment of their try.
fn park(outbox: &mut Outbox, of: &Metric, positions: Range<usize>, minute: i64) -> DateTime<Utc> {
    let batch = outbox.next_batch(&of.namespace).unwrap();
    let parked = batch.part(positions).unwrap();
    outbox.park(&parked, &"400 New".into(), moment(minute)).0
}

#[test]
fn parked_point_waits_behind_the_backlog_until_its_hour_has_come() {
    let (mut outbox, metric) = backlog(0..3);
    let namespace = &metric.namespace;
    let next = park(&mut outbox, &metric, 0..1, 10);
    assert_eq!(next, moment(70));
    assert_eq!(minutes(&outbox.next_batch(namespace).unwrap()), [1.0, 2.0]);
    assert_eq!(
        (outbox.len(), outbox.parked(), outbox.sendable_of(namespace)),
        (3, 1, 2)
    );
    assert_eq!(outbox.parked_batch(namespace, moment(69)), None);
    let due = outbox.parked_batch(namespace, moment(70)).unwrap();
    assert_eq!(minutes(&due), [0.0]);
    assert_eq!(outbox.accept(&due), 1);
    assert_eq!((outbox.len(), outbox.parked()), (2, 0));
    assert_eq!(outbox.next_parked_try(namespace), None);
}

#[test]
fn tick_that_is_all_parked_waits_no_more_and_the_next_one_goes() {
    let metric = metric("A", "");
    let mut outbox = outbox_of(100);
    let _ = outbox.push(tick(&metric, 1, 2));
    park(&mut outbox, &metric, 0..2, 1);
    assert!(!outbox.has_tick(&metric.namespace));
    assert_eq!(outbox.next_batch(&metric.namespace), None);
    let _ = outbox.push(tick(&metric, 2, 1));
    assert!(outbox.has_tick(&metric.namespace));
    assert_eq!(
        minutes(&outbox.next_batch(&metric.namespace).unwrap()),
        [2.0]
    );
}

#[test]
fn parked_points_of_a_namespace_are_tried_together() {
    let (mut outbox, metric) = backlog(0..3);
    assert_eq!(park(&mut outbox, &metric, 0..1, 10), moment(70));
    assert_eq!(park(&mut outbox, &metric, 0..1, 40), moment(70));
    assert_eq!(
        park(&mut outbox, &metric, 0..1, 70),
        moment(130),
        "the try is over then"
    );
    let due = outbox.parked_batch(&metric.namespace, moment(70)).unwrap();
    assert_eq!(minutes(&due), [0.0, 1.0]);
}

#[test]
fn parking_tells_what_is_new_and_what_was_refused_otherwise_before() {
    let (mut outbox, metric) = backlog(0..2);
    let batch = outbox.next_batch(&metric.namespace).unwrap();
    let mut news = |batch: &Batch, reason: &str| {
        let (_, news) = outbox.park(batch, &reason.into(), moment(10));
        news.len()
    };
    assert_eq!(news(&batch.part(0..1).unwrap(), "400 New"), 1);
    assert_eq!(news(&batch, "400 New"), 1);
    assert_eq!(news(&batch, "400 New"), 0);
    assert_eq!(news(&batch, "404"), 2);
}

#[test]
fn clock_that_was_put_back_puts_no_try_off() {
    let (mut outbox, metric) = backlog(0..1);
    park(&mut outbox, &metric, 0..1, 100);
    assert!(
        outbox
            .parked_batch(&metric.namespace, moment(101))
            .is_none()
    );
    assert!(outbox.parked_batch(&metric.namespace, moment(99)).is_some());
}

#[test]
fn parked_point_leaves_as_any_other_and_is_forgotten_then() {
    let (mut outbox, metric) = backlog(0..3);
    park(&mut outbox, &metric, 0..3, 10);
    let all = outbox.parked_batch(&metric.namespace, moment(70)).unwrap();
    outbox.refuse(&all.part(2..3).unwrap());
    assert_eq!(outbox.parked(), 2);
    assert_eq!(outbox.expire(moment(0) + AGE_MAX).unwrap().points, 1);
    assert_eq!(outbox.parked(), 1);
    let pushed_out = outbox.push(tick(&metric, 4, 10_000));
    assert_eq!(pushed_out.len(), 1);
    assert_eq!((outbox.parked(), outbox.len()), (0, 10_000));
    let (_, news) = outbox.park(&all, &"400 New".into(), moment(70));
    assert!(news.is_empty(), "what is gone is not parked");
    assert_eq!(outbox.parked(), 0);
}

#[test]
fn backlog_goes_on_behind_what_was_refused_as_a_whole_and_comes_back_to_it() {
    let (mut outbox, metric) = backlog(0..2500);
    let next = |outbox: &Outbox| outbox.next_batch(&metric.namespace).unwrap();
    for first in [0.0, 1000.0, 2000.0, 0.0] {
        let batch = next(&outbox);
        assert_eq!(minutes(&batch)[0], first);
        outbox.pass_over(&batch);
    }
    let accepted = next(&outbox);
    outbox.accept(&accepted);
    assert_eq!(minutes(&next(&outbox))[0], 2000.0);
}

#[test]
fn backlog_can_go_before_a_tick() {
    let (mut outbox, metric) = backlog(0..2);
    let _ = outbox.push(tick(&metric, 5, 1));
    assert_eq!(
        minutes(&outbox.next_batch(&metric.namespace).unwrap()),
        [5.0]
    );
    let backlog = outbox.backlog_batch(&metric.namespace).unwrap();
    assert_eq!(minutes(&backlog), [0.0, 1.0]);
    outbox.accept(&backlog);
    assert_eq!(outbox.backlog_batch(&metric.namespace), None);
}

#[test]
fn queue_is_removed_once_it_is_empty_and_its_losses_stay() {
    let (mut outbox, metric) = backlog(0..2);
    outbox.remove_queue(&metric.namespace);
    let batch = outbox.next_batch(&metric.namespace).unwrap();
    outbox.refuse(&batch.part(0..1).unwrap());
    outbox.accept(&batch);
    assert_eq!(outbox.queues.len(), 1);
    outbox.remove_queue(&metric.namespace);
    assert!(outbox.queues.is_empty());
    assert_eq!(outbox.dropped().refused, 1);
}
