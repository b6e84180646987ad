//! What is to be sent of a batch, and what a refusal changes about that. Nothing here sends or
//! waits.

use std::ops::Range;
use std::time::Duration;

use crate::verdict::Verdict;

/// How often a refusal that nobody knows is met with the same request again.
const UNKNOWN_RETRIES: u32 = 3;

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    length: usize,
    /// What is still to be sent, the next at the end.
    parts: Vec<Range<usize>>,
    /// Refused alone for a fault of their own.
    dropped: Vec<usize>,
    /// Refused alone for an unknown reason. What that means shows when something else is taken.
    suspects: Vec<usize>,
    /// Whatever lies before came to its end. Parts are sent in order.
    settled: usize,
    unknown: u32,
    /// Requests of a search since something was accepted.
    searched: u32,
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send what is next now.
    Next,
    /// Send it again soon.
    Retry {
        /// Not before.
        after: Option<Duration>,
    },
    /// Send it again, later and later.
    Throttled {
        /// Not before.
        after: Option<Duration>,
    },
    /// Keep it until somebody has acted.
    Hold,
    /// Create group and stream first.
    Create,
    /// This one cannot be delivered; go on with the next.
    Drop(usize),
}

impl Delivery {
    /// A batch of so many events.
    #[must_use]
    pub fn new(length: usize) -> Self {
        let whole = 0..length;
        Self {
            length,
            parts: if length == 0 { Vec::new() } else { vec![whole] },
            dropped: Vec::new(),
            suspects: Vec::new(),
            settled: 0,
            unknown: 0,
            searched: 0,
        }
    }

    /// Which events the next request has; none if the batch is done with.
    #[must_use]
    pub fn part(&self) -> Option<Range<usize>> {
        self.parts.last().cloned()
    }

    /// The part was taken.
    pub fn accepted(&mut self) {
        if let Some(part) = self.parts.pop() {
            self.settled = part.end;
        }
        self.unknown = 0;
        self.searched = 0;
    }

    /// The part was refused.
    pub fn refused(&mut self, verdict: Verdict) -> Step {
        match verdict {
            Verdict::Done => {
                self.accepted();
                Step::Next
            }
            Verdict::Missing => Step::Create,
            Verdict::Retry { after } => Step::Retry { after },
            // A token was sent with it already.
            Verdict::Token => Step::Retry { after: None },
            Verdict::Throttled { after } => Step::Throttled { after },
            Verdict::Hold => Step::Hold,
            Verdict::Isolate | Verdict::Split => match self.halve() {
                Some(alone) => {
                    self.dropped.push(alone);
                    Step::Drop(alone)
                }
                None => Step::Next,
            },
            Verdict::Unknown { after } => self.search(after),
        }
    }

    /// Those that were refused alone for an unknown reason while others were taken. Comes when the
    /// batch is done with.
    #[must_use]
    pub fn parked(&self) -> &[usize] {
        &self.suspects
    }

    fn search(&mut self, after: Option<Duration>) -> Step {
        self.unknown += 1;
        if self.unknown <= UNKNOWN_RETRIES {
            return Step::Retry { after };
        }
        self.searched += 1;
        if self.searched > self.bound() {
            return self.hold();
        }
        let alone = self.halve();
        self.suspects.extend(alone);
        match self.parts.is_empty() && self.settled == 0 {
            true => self.hold(),
            false => Step::Next,
        }
    }

    /// If nothing was taken within so many requests, something refuses whatever is sent.
    fn bound(&self) -> u32 {
        2 * self.length.ilog2() + 2
    }

    /// All behind what was accepted is sent again as it was, but for what was dropped.
    fn hold(&mut self) -> Step {
        self.dropped.sort_unstable();
        self.parts.clear();
        let mut start = self.settled;
        let gone = self.dropped.iter().copied();
        for gone in gone
            .filter(|gone| *gone >= self.settled)
            .chain([self.length])
        {
            if start < gone {
                self.parts.push(start..gone);
            }
            start = gone + 1;
        }
        self.parts.reverse();
        self.suspects.retain(|suspect| *suspect < self.settled);
        // The next refusal begins no search before the same was retried.
        self.unknown = 0;
        self.searched = 0;
        Step::Hold
    }

    /// Takes the part in two; gives it if it is one event.
    fn halve(&mut self) -> Option<usize> {
        let part = self.parts.pop()?;
        if part.len() == 1 {
            return Some(part.start);
        }
        let middle = part.start + part.len() / 2;
        self.parts.push(middle..part.end);
        self.parts.push(part.start..middle);
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    const UNKNOWN: Verdict = Verdict::Unknown { after: None };

    #[derive(Debug, Default, PartialEq)]
    struct Outcome {
        accepted: Vec<usize>,
        dropped: Vec<usize>,
        parked: Vec<usize>,
        requests: usize,
        held: usize,
    }

    /// Sends to a service that refuses whatever holds one of these.
    fn deliver(length: usize, bad: &[usize], verdict: Verdict) -> Outcome {
        let mut delivery = Delivery::new(length);
        let mut outcome = Outcome::default();
        while let Some(part) = delivery.part() {
            outcome.requests += 1;
            if !bad.iter().any(|event| part.contains(event)) {
                outcome.accepted.extend(part);
                delivery.accepted();
                continue;
            }
            match delivery.refused(verdict) {
                Step::Drop(event) => outcome.dropped.push(event),
                Step::Hold => {
                    outcome.held += 1;
                    return outcome;
                }
                _ => {}
            }
        }
        outcome.parked = delivery.parked().to_vec();
        outcome
    }

    #[test]
    fn poison_among_ten_thousand_is_dropped_alone() {
        for bad in [0, 1, 4999, 5000, 9999] {
            let outcome = deliver(10_000, &[bad], Verdict::Isolate);
            assert_eq!(outcome.dropped, [bad]);
            assert_eq!(outcome.accepted.len(), 9_999);
            assert!(outcome.accepted.is_sorted());
            assert!(outcome.requests <= 2 * 14 + 1, "{}", outcome.requests);
        }
    }

    #[test]
    fn too_large_a_request_is_sent_in_halves() {
        let mut delivery = Delivery::new(4);
        assert_eq!(delivery.refused(Verdict::Split), Step::Next);
        assert_eq!(delivery.part(), Some(0..2));
        delivery.accepted();
        assert_eq!(delivery.part(), Some(2..4));
        delivery.accepted();
        assert_eq!(delivery.part(), None);
    }

    #[test]
    fn refusal_that_is_unknown_parks_the_event_that_meets_it() {
        let outcome = deliver(1000, &[321], UNKNOWN);
        assert_eq!(
            (outcome.parked, outcome.dropped.len(), outcome.held),
            (vec![321], 0, 0)
        );
        assert_eq!(outcome.accepted.len(), 999);
    }

    #[test]
    fn whole_is_held_if_nothing_is_taken_for_an_unknown_reason() {
        for length in [1, 2, 3, 1000] {
            let all: Vec<_> = (0..length).collect();
            let outcome = deliver(length, &all, UNKNOWN);
            assert_eq!(
                (outcome.held, outcome.accepted.len(), outcome.parked.len()),
                (1, 0, 0)
            );
            let bound = 2 * length.ilog2() as usize + 2 + UNKNOWN_RETRIES as usize + 1;
            assert!(outcome.requests <= bound, "{length}: {}", outcome.requests);
        }
    }

    #[test]
    fn rest_is_held_if_nothing_more_is_taken_for_an_unknown_reason() {
        let mut delivery = Delivery::new(1000);
        while delivery.part() != Some(0..500) {
            assert!(matches!(
                delivery.refused(UNKNOWN),
                Step::Retry { .. } | Step::Next
            ));
        }
        delivery.accepted();
        let mut requests = 1;
        while delivery.refused(UNKNOWN) != Step::Hold {
            requests += 1;
        }
        assert!(requests <= 30, "{requests}");
        assert_eq!(delivery.part(), Some(500..1000));
        delivery.accepted();
        assert_eq!((delivery.part(), delivery.parked()), (None, &[][..]));
    }

    #[test]
    fn what_was_dropped_is_not_sent_again_with_the_whole() {
        let mut delivery = Delivery::new(3);
        assert_eq!(delivery.refused(Verdict::Isolate), Step::Next);
        assert_eq!(delivery.refused(Verdict::Isolate), Step::Drop(0));
        while delivery.refused(UNKNOWN) != Step::Hold {}
        assert_eq!(delivery.part(), Some(1..3));
        delivery.accepted();
        assert_eq!(delivery.part(), None);
    }

    #[test]
    fn what_is_no_fault_of_the_events_leaves_the_part_as_it_is() {
        for (verdict, step) in [
            (Verdict::Retry { after: None }, Step::Retry { after: None }),
            (
                Verdict::Throttled { after: None },
                Step::Throttled { after: None },
            ),
            (Verdict::Hold, Step::Hold),
            (Verdict::Missing, Step::Create),
        ] {
            let mut delivery = Delivery::new(10);
            assert_eq!(delivery.refused(verdict), step);
            assert_eq!(delivery.part(), Some(0..10));
        }
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn every_event_has_one_end(length in 1usize..200, bad in prop::collection::vec(any::<prop::sample::Index>(), 0..8), unknown: bool) {
            let bad: Vec<_> = bad.iter().map(|index| index.index(length)).collect();
            let outcome = deliver(length, &bad, if unknown { UNKNOWN } else { Verdict::Isolate });
            let mut all = [outcome.accepted, outcome.dropped, outcome.parked].concat();
            if outcome.held == 0 {
                all.sort_unstable();
                prop_assert_eq!(all, (0..length).collect::<Vec<_>>());
            }
        }
    }
}
