//! Refusals that nobody knows: what was refused alone is parked, everything else gets
//! through, and where nothing does, all of it stays held.

use proptest::prelude::*;
use test_support::cases;

use super::*;

/// The requests of [`RETRY`] to what is never accepted.
const TRIES: usize = 4;

/// A service that refuses requests with one of these points for what nobody knows.
fn puzzled<'a>(by: &'a BTreeSet<usize>) -> impl FnMut(&[usize]) -> Result<(), RequestError> + 'a {
    move |sent| match sent.iter().any(|point| by.contains(point)) {
        true => Err(refusal(400, "SomethingNew", String::new())),
        false => Ok(()),
    }
}

/// The requests after which something must have been accepted, the last try of the whole
/// included.
fn fruitless_max(points: usize) -> usize {
    2 * points.next_power_of_two().ilog2() as usize + 2
}

#[test]
fn point_that_is_refused_alone_for_what_nobody_knows_is_parked_and_the_others_arrive() {
    for points in [2_usize, 3, 10, 999, 1000] {
        for unknown in (0..points).step_by(points.div_ceil(37)) {
            let unknown = BTreeSet::from([unknown]);
            let fate = deliver(points, &mut puzzled(&unknown));
            assert_eq!(fate.parked, unknown, "of {points}");
            assert_eq!(fate.accepted.len(), points - 1, "{unknown:?} of {points}");
            assert_eq!((fate.rejected.len(), fate.held), (0, 0));
            assert_eq!(fate.delays.len(), 3, "only the whole is sent again");
            assert!(
                fate.requests < TRIES + fruitless_max(points),
                "{} requests for {unknown:?} of {points}",
                fate.requests
            );
        }
    }
}

#[test]
fn member_that_is_named_is_parked_with_two_more_requests() {
    let unknown = BTreeSet::from([500]);
    let fate = deliver(1000, &mut |sent| {
        let position = sent.iter().position(|point| unknown.contains(point));
        position.map_or(Ok(()), |at| Err(refusal(400, "SomethingNew", named(at))))
    });
    assert_eq!((fate.parked, fate.requests), (unknown, TRIES + 2));
}

#[test]
fn batch_is_held_whole_if_nothing_of_it_is_accepted_within_the_requests_for_one_point() {
    for points in [1, 2, 3, 8, 1000] {
        let fate = deliver(points, &mut puzzled(&(0..points).collect()));
        assert!(fate.held > 0, "{points}");
        assert!(fate.accepted.is_empty() && fate.parked.is_empty() && fate.rejected.is_empty());
        assert!(
            fate.requests < TRIES + fruitless_max(points),
            "{} requests for {points}",
            fate.requests
        );
    }
    // What is known to be bad is not dropped either: the service may be out of its mind.
    let mut requests = 0;
    let delivery = Delivery::new(batch(1000), Retry::NEVER);
    let fate = fate_of(delivery, &mut |_| {
        requests += 1;
        let code = if requests % 2 == 0 {
            "SomethingNew"
        } else {
            "InvalidParameterValue"
        };
        Err(refusal(400, code, String::new()))
    });
    assert!(fate.held > 0 && fate.rejected.is_empty() && fate.parked.is_empty());
}

#[test]
fn one_good_point_is_found_where_halving_leads_to_it() {
    let unknown: BTreeSet<_> = (1..1000).collect();
    let fate = deliver(1000, &mut puzzled(&unknown));
    assert_eq!(fate.accepted, BTreeSet::from([0]));
    assert_eq!(fate.parked, unknown, "a service that takes one point works");
}

#[test]
fn good_part_of_any_size_is_found_beside_the_way_to_one_point() {
    for bad in [1, 2, 3, 200, 499, 500, 700] {
        let unknown: BTreeSet<_> = (0..bad).collect();
        let fate = deliver(1000, &mut puzzled(&unknown));
        assert_eq!(fate.accepted, (bad..1000).collect(), "{bad}");
        assert_eq!(fate.parked, unknown, "{bad}");
    }
}

#[test]
fn refusal_that_is_known_to_last_is_not_retried_and_another_is() {
    for (lasting, tries) in [("400 SomethingNew", 1), ("400 SomethingElse", TRIES)] {
        let delivery = Delivery::new(batch(2), RETRY).expecting(Some(lasting.into()));
        let fate = fate_of(delivery, &mut puzzled(&BTreeSet::from([1])));
        assert_eq!(fate.parked, BTreeSet::from([1]));
        assert_eq!(fate.requests, tries + 2, "{lasting}");
    }
}

#[test]
fn isolation_that_is_throttled_goes_on_and_loses_none_of_its_requests() {
    let unknown = BTreeSet::from([999]);
    for every in [2, 3] {
        let (mut puzzled, mut requests) = (puzzled(&unknown), 0);
        let fate = deliver(1000, &mut |sent: &[usize]| {
            requests += 1;
            match requests > TRIES && requests % every == 1 {
                true => Err(refusal(400, "Throttling", String::new())),
                false => puzzled(sent),
            }
        });
        assert_eq!((fate.accepted.len(), fate.held), (999, 0), "{every}");
        assert_eq!(fate.parked, unknown, "{every}");
    }
}

#[test]
fn unknown_refusal_that_passes_costs_no_point() {
    let mut requests = 0;
    let fate = deliver(1000, &mut |_| {
        requests += 1;
        match requests {
            ..=TRIES => Err(refusal(400, "SomethingNew", String::new())),
            _ => Ok(()),
        }
    });
    assert_eq!((fate.accepted.len(), fate.held), (1000, 0));
}

#[test]
fn service_that_goes_away_during_the_isolation_is_asked_again_then_the_rest_is_held() {
    let unknown = BTreeSet::from([7]);
    let mut service = puzzled(&unknown);
    let fate = deliver(8, &mut |sent| match sent.len() {
        ..=2 => Err(no_answer()),
        _ => service(sent),
    });
    assert_eq!(fate.accepted, BTreeSet::from([0, 1, 2, 3]));
    assert_eq!((fate.requests, fate.held), (TRIES + 1 + TRIES, 1));
    assert!(fate.parked.is_empty());
}

/// The requests that isolating so many points may take beside the retries.
fn isolation_bound(points: usize, bad: usize) -> usize {
    let halvings = points.next_power_of_two().ilog2() as usize;
    (2 * bad * halvings + 2).min(2 * points + 1)
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever is bad in a batch, each point gets what is due to it, or all stays held.
    #[test]
    fn good_points_arrive_bad_ones_are_dropped_and_unknown_ones_parked(
        points in 1_usize..200,
        picks in proptest::collection::vec((any::<proptest::sample::Index>(), 0..3_u8), 0..12),
        names in any::<bool>(),
    ) {
        let (mut bad, mut unknown, mut large) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (pick, kind) in picks {
            let point = pick.index(points);
            if !(bad.contains(&point) || unknown.contains(&point) || large.contains(&point)) {
                [&mut bad, &mut unknown, &mut large][usize::from(kind)].insert(point);
            }
        }
        let fate = deliver(points, &mut |sent: &[usize]| {
            for (position, point) in sent.iter().enumerate() {
                let message = if names { named(position) } else { String::new() };
                if bad.contains(point) {
                    return Err(refusal(400, "InvalidParameterValue", message));
                } else if unknown.contains(point) {
                    return Err(refusal(400, "SomethingNew", message));
                } else if large.contains(point) {
                    return Err(refusal(413, "", String::new()));
                }
            }
            Ok(())
        });
        let all_bad = bad.len() + unknown.len() + large.len();
        if fate.accepted.is_empty() {
            prop_assert!(fate.parked.is_empty());
            prop_assert!(fate.held > 0 || all_bad == bad.len());
            prop_assert!(fate.rejected.is_empty() || unknown.is_empty());
            prop_assert!(unknown.is_empty() || fate.requests <= fate.delays.len() + fruitless_max(points)
                || all_bad > unknown.len());
        } else {
            let dropped: BTreeSet<_> = bad.union(&large).copied().collect();
            let good = (0..points).filter(|p| !dropped.contains(p) && !unknown.contains(p));
            prop_assert_eq!(fate.accepted, good.collect());
            prop_assert_eq!(fate.rejected, dropped);
            prop_assert_eq!(fate.parked, unknown);
            prop_assert_eq!(fate.held, 0);
        }
        let bound = isolation_bound(points, all_bad);
        prop_assert!(
            fate.requests <= fate.delays.len() + bound,
            "{} requests, {} retries, bound {}", fate.requests, fate.delays.len(), bound
        );
    }
}
