use std::collections::BTreeSet;
use std::sync::Arc;

use cloudwatch_metric::{Metric, Point, Resolution, Unit, Value};

use super::*;
use crate::outbox::{Limits, Outbox};
use crate::publish::RequestErrorKind;

mod unknown;

const RETRY: Retry = Retry {
    max: 3,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(20),
};

/// What a scripted service says to a request with these values.
type Service<'a> = dyn FnMut(&[usize]) -> Result<(), RequestError> + 'a;

/// What became of a batch of points whose values are their positions.
#[derive(Debug, Default)]
struct Fate {
    accepted: BTreeSet<usize>,
    rejected: BTreeSet<usize>,
    parked: BTreeSet<usize>,
    held: usize,
    delays: Vec<Duration>,
    requests: usize,
}

fn batch(points: usize) -> Batch {
    let metric = Arc::new(Metric {
        namespace: "A".parse().unwrap(),
        name: "M".parse().unwrap(),
        unit: Unit::Count,
        dimensions: "".parse().unwrap(),
        resolution: Resolution::Standard,
    });
    let point = |i: usize| Point {
        metric: metric.clone(),
        at: chrono::DateTime::UNIX_EPOCH,
        value: Value::try_from(i as f64).unwrap(),
    };
    let mut outbox = Outbox::new(Limits {
        points: usize::MAX,
        bytes: usize::MAX,
    });
    outbox.push((0..points).map(point).collect());
    outbox.next_batch(&metric.namespace).unwrap()
}

fn values(batch: &Batch) -> Vec<usize> {
    batch.points().map(|p| p.value.get() as usize).collect()
}

fn deliver(points: usize, service: &mut Service) -> Fate {
    fate_of(Delivery::new(batch(points), RETRY), service)
}

fn fate_of(mut delivery: Delivery, service: &mut Service) -> Fate {
    let mut fate = Fate::default();
    loop {
        match delivery.step() {
            Step::Done => {
                assert_eq!(delivery.attempts() as usize, fate.requests);
                return fate;
            }
            Step::Wait(delay) => fate.delays.push(delay),
            Step::Send(batch) => {
                fate.requests += 1;
                assert!(fate.requests < 10_000, "the delivery does not end");
                for outcome in delivery.answer(service(&values(&batch)), &mut rand::rng()) {
                    match outcome {
                        Outcome::Accepted(batch) => fate.accepted.extend(values(&batch)),
                        Outcome::Rejected(batch, _) => fate.rejected.extend(values(&batch)),
                        Outcome::Parked(batch, _) => fate.parked.extend(values(&batch)),
                        Outcome::Held(_) => fate.held += 1,
                        Outcome::Retrying { .. } | Outcome::Splitting(_) => {}
                    }
                }
            }
        }
    }
}

fn refusal(status: u16, code: &str, message: String) -> RequestError {
    RequestError {
        kind: RequestErrorKind::Rejected {
            status,
            code: code.to_owned(),
            message,
            retry_after: None,
        },
        source: None,
    }
}

fn no_answer() -> RequestError {
    RequestError {
        kind: RequestErrorKind::NoResponse,
        source: None,
    }
}

/// A service that refuses requests with a bad point; `name` picks what it says of it.
fn poisoned<'a>(
    bad: &'a BTreeSet<usize>,
    name: impl Fn(usize) -> String + 'a,
) -> impl FnMut(&[usize]) -> Result<(), RequestError> + 'a {
    move |sent| match sent.iter().position(|point| bad.contains(point)) {
        Some(position) => Err(refusal(400, "InvalidParameterValue", name(position))),
        None => Ok(()),
    }
}

fn named(position: usize) -> String {
    format!("The parameter MetricData.member.{}.Value", position + 1)
}

/// The sets of bad points that each batch size is tried with.
fn poisons(points: usize) -> Vec<BTreeSet<usize>> {
    let mut sets = vec![BTreeSet::new(), (0..points).collect()];
    let steps = points.div_ceil(37);
    for first in (0..points).step_by(steps) {
        sets.push(BTreeSet::from([first]));
        for second in (first + 1..points).step_by(steps) {
            sets.push(BTreeSet::from([first, second]));
        }
    }
    sets
}

fn assert_exactly_the_bad_are_dropped(name: impl Fn(usize) -> String + Copy) {
    for points in [1, 2, 3, 10, 999, 1000] {
        for bad in poisons(points) {
            let fate = deliver(points, &mut poisoned(&bad, name));
            assert_eq!(fate.rejected, bad, "of {points}");
            assert_eq!(fate.accepted.len(), points - bad.len(), "of {points}");
            let bound = 2.0 * bad.len() as f64 * (points as f64).log2() + 2.0;
            assert!(
                fate.requests as f64 <= bound,
                "{} requests for {} bad of {points}",
                fate.requests,
                bad.len()
            );
        }
    }
}

#[test]
fn named_bad_points_are_dropped_and_no_other() {
    assert_exactly_the_bad_are_dropped(named);
}

#[test]
fn bad_points_that_are_named_together_cost_a_request_each_and_two() {
    let bad = BTreeSet::from([3, 500, 999]);
    let fate = deliver(1000, &mut |sent| {
        let positions = (0..sent.len()).filter(|position| bad.contains(&sent[*position]));
        let lines: Vec<_> = positions.map(named).collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(refusal(400, "InvalidParameterValue", lines.join("\n")))
    });
    assert_eq!(fate.rejected, bad);
    assert_eq!((fate.accepted.len(), fate.requests), (997, 5));
}

#[test]
fn unnamed_bad_points_are_found_by_halving() {
    assert_exactly_the_bad_are_dropped(|_| String::new());
}

#[test]
fn wrongly_named_members_cost_no_good_point() {
    for wrong in [0, 1, 4, 9, 10, 1000] {
        let bad = BTreeSet::from([3, 7]);
        let fate = deliver(10, &mut poisoned(&bad, |_| named(wrong)));
        assert_eq!(fate.rejected, bad, "member {wrong} named");
        assert_eq!(fate.accepted.len(), 8);
    }
}

#[test]
fn named_bad_point_costs_two_more_requests() {
    let bad = BTreeSet::from([500]);
    assert_eq!(deliver(1000, &mut poisoned(&bad, named)).requests, 3);
}

#[test]
fn unanswered_batch_is_sent_again_then_held() {
    let fate = deliver(5, &mut |_| Err(no_answer()));
    assert_eq!((fate.requests, fate.held), (4, 1));
    assert_eq!(fate.delays.len(), 3);
    for (retry, delay) in (0..).zip(&fate.delays) {
        assert!(*delay <= RETRY.bound(retry), "{delay:?}");
    }
    assert!(fate.accepted.is_empty() && fate.rejected.is_empty());
}

#[test]
fn one_answer_after_two_failures_is_enough() {
    let mut failures = 2;
    let fate = deliver(5, &mut |_| {
        if failures == 0 {
            return Ok(());
        }
        failures -= 1;
        Err(no_answer())
    });
    assert_eq!((fate.requests, fate.accepted.len(), fate.held), (3, 5, 0));
}

#[test]
fn denied_batch_is_held_without_retry() {
    let fate = deliver(5, &mut |_| Err(refusal(403, "AccessDenied", String::new())));
    assert_eq!((fate.requests, fate.held), (1, 1));
}

#[test]
fn failure_during_isolation_holds_the_rest() {
    let mut requests = 0;
    let fate = deliver(4, &mut |sent| {
        requests += 1;
        match requests {
            1 => Err(refusal(400, "InvalidParameterValue", String::new())),
            2 => Ok(()),
            _ if sent.is_empty() => Ok(()),
            _ => Err(no_answer()),
        }
    });
    assert_eq!(fate.accepted, BTreeSet::from([0, 1]));
    assert_eq!((fate.rejected.len(), fate.held), (0, 1));
}

#[test]
fn too_large_batch_is_split_until_it_fits() {
    let fate = deliver(1000, &mut |sent| {
        if sent.len() > 250 {
            return Err(refusal(413, "", String::new()));
        }
        Ok(())
    });
    assert_eq!((fate.accepted.len(), fate.requests), (1000, 7));
}

#[test]
fn point_that_is_too_large_among_others_is_refused() {
    let fate = deliver(4, &mut |sent| {
        if sent.contains(&2) {
            return Err(refusal(413, "", String::new()));
        }
        Ok(())
    });
    assert_eq!(fate.rejected, BTreeSet::from([2]));
    assert_eq!((fate.accepted.len(), fate.held), (3, 0));
}

#[test]
fn nothing_is_lost_to_a_way_that_takes_no_request_at_all() {
    let fate = deliver(4, &mut |_| Err(refusal(413, "", String::new())));
    assert!(fate.rejected.is_empty() && fate.held > 0);
}
