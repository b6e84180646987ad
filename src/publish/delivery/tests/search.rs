//! Refusals that nobody knows: what they may be about stays held, and everything else
//! gets through.

use super::*;

/// The requests of [`RETRY`] to what is never accepted.
const TRIES: usize = 4;

/// A service that refuses requests with one of these points for what nobody knows.
fn puzzled<'a>(by: &'a BTreeSet<usize>) -> impl FnMut(&[usize]) -> Result<(), Failure> + 'a {
    move |sent| match sent.iter().any(|point| by.contains(point)) {
        true => Err(refusal(400, "SomethingNew", String::new())),
        false => Ok(()),
    }
}

/// The requests that the search for one point may take.
fn search_bound(points: usize) -> usize {
    (2.0 * (points as f64).log2() + 2.0) as usize
}

#[test]
fn point_that_is_refused_for_what_nobody_knows_is_held_and_the_others_arrive() {
    for points in [2_usize, 3, 10, 999, 1000] {
        for stuck in (0..points).step_by(points.div_ceil(37)) {
            let fate = deliver(points, &mut puzzled(&BTreeSet::from([stuck])));
            assert_eq!(fate.accepted.len(), points - 1, "{stuck} of {points}");
            assert!(!fate.accepted.contains(&stuck), "{stuck} of {points}");
            assert_eq!((fate.refused.len(), fate.held), (0, 1));
            assert_eq!(fate.delays.len(), 3, "only the whole is sent again");
            assert!(
                fate.requests <= TRIES + search_bound(points),
                "{} requests for {stuck} of {points}",
                fate.requests
            );
        }
    }
}

#[test]
fn search_that_is_throttled_goes_on() {
    for throttled in TRIES..TRIES + 15 {
        let stuck = BTreeSet::from([700]);
        let mut puzzled = puzzled(&stuck);
        let mut requests = 0;
        let fate = deliver(1000, &mut |sent: &[usize]| {
            requests += 1;
            match requests == throttled + 1 {
                true => Err(refusal(400, "Throttling", String::new())),
                false => puzzled(sent),
            }
        });
        assert_eq!((fate.accepted.len(), fate.held), (999, 1), "{throttled}");
    }
}

#[test]
fn what_is_refused_whatever_it_holds_is_held_after_two_more_requests() {
    for points in [2, 3, 1000] {
        let fate = deliver(points, &mut puzzled(&(0..points).collect()));
        assert_eq!(fate.requests, TRIES + 2, "of {points}");
        assert!(fate.held > 0 && fate.accepted.is_empty() && fate.refused.is_empty());
    }
    let lone = deliver(1, &mut puzzled(&BTreeSet::from([0])));
    assert_eq!((lone.requests, lone.held), (TRIES, 1));
}

#[test]
fn search_for_several_points_has_an_end_and_lets_the_larger_parts_through_first() {
    let stuck = (0..10).collect();
    let fate = deliver(1000, &mut puzzled(&stuck));
    assert!(fate.accepted.len() >= 980, "{}", fate.accepted.len());
    assert!(fate.held > 0 && fate.refused.is_empty());
    assert!(
        fate.requests <= TRIES + search_bound(1000),
        "{}",
        fate.requests
    );

    let half: BTreeSet<_> = (500..1000).collect();
    let fate = deliver(1000, &mut puzzled(&half));
    assert_eq!(fate.accepted, (0..500).collect());
    assert!(
        fate.requests <= TRIES + search_bound(1000),
        "{}",
        fate.requests
    );
}

#[test]
fn search_for_two_points_ends_with_the_first_refusal_beyond_its_requests() {
    // Six requests are to find one point of eight. Of what both halves of the first four
    // hold, the second half is looked into first.
    for (stuck, requests, unsent) in [([0, 2], 7, vec![1]), ([1, 3], 8, vec![])] {
        let fate = deliver(8, &mut puzzled(&BTreeSet::from(stuck)));
        let sent = (0..8).filter(|point| !stuck.contains(point) && !unsent.contains(point));
        assert_eq!(fate.accepted, sent.collect(), "{stuck:?}");
        assert_eq!(fate.requests, TRIES + requests, "{stuck:?}");
    }
}

#[test]
fn requests_that_are_throttled_cost_a_search_no_other() {
    let stuck = BTreeSet::from([1, 3]);
    let (mut puzzled, mut requests) = (puzzled(&stuck), 0);
    let fate = deliver(8, &mut |sent: &[usize]| {
        requests += 1;
        match requests > TRIES && requests % 2 == 1 {
            true => Err(refusal(400, "Throttling", String::new())),
            false => puzzled(sent),
        }
    });
    assert_eq!(fate.accepted, BTreeSet::from([0, 2, 4, 5, 6, 7]));
    assert_eq!(fate.requests, TRIES + 2 * 8);
}

#[test]
fn refusal_that_nobody_knows_and_that_passes_costs_no_point() {
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
fn service_that_goes_away_during_the_search_is_asked_again_then_the_rest_is_held() {
    let stuck = BTreeSet::from([0]);
    let mut service = puzzled(&stuck);
    let fate = deliver(8, &mut |sent| match sent.len() {
        ..=2 => Err(no_answer()),
        _ => service(sent),
    });
    assert_eq!(fate.accepted, BTreeSet::from([4, 5, 6, 7]));
    assert_eq!((fate.requests, fate.held), (TRIES + 2 + TRIES, 1));
}

#[test]
fn bad_points_are_dropped_and_only_they_beside_one_that_nobody_knows_about() {
    let bad = BTreeSet::from([3]);
    for stuck in [0, 2, 4, 9] {
        let stuck = BTreeSet::from([stuck]);
        let (mut poisoned, mut puzzled) = (poisoned(&bad, named), puzzled(&stuck));
        let fate = deliver(10, &mut |sent| poisoned(sent).and_then(|()| puzzled(sent)));
        assert_eq!((fate.refused, fate.accepted.len()), (bad.clone(), 8));
        assert_eq!(fate.held, 1);
        let (mut poisoned, mut puzzled) = (self::poisoned(&bad, named), self::puzzled(&stuck));
        let fate = deliver(10, &mut |sent| puzzled(sent).and_then(|()| poisoned(sent)));
        assert_eq!((fate.refused, fate.accepted.len()), (bad.clone(), 8));
    }
}
