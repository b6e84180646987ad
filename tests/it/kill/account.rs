//! What was sampled under the kills, what of it arrived, and what arrived twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloudwatch_local::ReceivedRequest;
use tokio::time::Instant;

use super::{NAMESPACES, SERIES, process_of};

/// What was sampled, and what of it arrived.
pub(super) struct Account {
    /// The process that sampled it, for each tick.
    pub(super) ticks: Vec<usize>,
    /// The ticks that reached the endpoint, accepted or not, and who sent them.
    pub(super) sent: BTreeSet<(u64, usize)>,
    pub(super) requests: Vec<Arc<ReceivedRequest>>,
    /// When the requests came in whose answers were withheld.
    pub(super) unanswered: BTreeSet<Instant>,
}

/// The ticks that did not arrive whole.
pub(super) struct Missing {
    pub(super) lost: usize,
    /// How many of them arrived in part: the kill came in the middle of the write.
    pub(super) torn: usize,
}

/// A tick, a namespace and a series.
type Key<'a> = (u64, &'a str, &'a str);

impl Account {
    /// Only the last tick of a process may be missing, and only if that process sent
    /// nothing of it: what is sent is on disk. The next process may send what a torn
    /// write left of it.
    pub(super) fn missing(&self) -> Missing {
        let mut arrived: BTreeMap<u64, BTreeSet<Key<'_>>> = BTreeMap::new();
        let mut moments = BTreeMap::new();
        for request in &self.requests {
            for (key, moment) in points(request) {
                arrived.entry(key.0).or_default().insert(key);
                let first = moments.entry(key.0).or_insert(moment);
                assert_eq!(*first, moment, "{key:?} changed its timestamp");
            }
        }
        assert!(moments.values().is_sorted(), "{moments:?}");
        let is_whole = |tick: u64| {
            let points = arrived.get(&tick).map_or(0, BTreeSet::len);
            points == SERIES * NAMESPACES.len()
        };
        let mut missing = Missing { lost: 0, torn: 0 };
        for (tick, process) in self.ticks.iter().enumerate() {
            if !is_whole(tick as u64) {
                let is_last = self.ticks.get(tick + 1) != Some(process);
                assert!(
                    is_last,
                    "tick {tick} of {process} is gone, a later one is not"
                );
                let was_sent = self.sent.contains(&(tick as u64, *process));
                assert!(!was_sent, "tick {tick} of {process} was sent and is gone");
                missing.lost += 1;
                missing.torn += usize::from(arrived.contains_key(&(tick as u64)));
            }
        }
        missing
    }

    /// How many requests were accepted with points that came again. Each must be one
    /// whose answer was withheld, or the last of a namespace before the kill.
    pub(super) fn doubled(&self) -> usize {
        let mut last_of = BTreeMap::new();
        let mut last_with = BTreeMap::new();
        for (place, request) in self.requests.iter().enumerate() {
            last_of.insert((process_of(request), &request.namespace), place);
            last_with.extend(points(request).map(|(key, _)| (key, place)));
        }
        let mut doubled = 0;
        for (place, request) in self.requests.iter().enumerate() {
            if points(request).all(|(key, _)| last_with[&key] == place) {
                continue;
            }
            doubled += 1;
            let process = process_of(request);
            let is_last = last_of[&(process, &request.namespace)] == place;
            assert!(
                is_last || self.unanswered.contains(&request.instant),
                "request {place}, of process {process}, was acknowledged and came again"
            );
        }
        doubled
    }
}

/// The points of a request, each with its timestamp.
fn points(request: &ReceivedRequest) -> impl Iterator<Item = (Key<'_>, i64)> {
    request.points.iter().map(|point| {
        let tick = point.value() as u64;
        let series = point.dimension("series").unwrap();
        ((tick, &*point.namespace, series), point.timestamp_ms)
    })
}
