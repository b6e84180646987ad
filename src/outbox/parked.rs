//! Points that the service refuses for what nobody knows: they wait behind all others
//! and are tried once an hour. It may be the point or a fault that passes, so that
//! nothing but its age or the bound takes it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::queued_point::Id;

/// How long a parked point waits for its next try: what is refused for no known reason
/// is seldom put right within minutes, and a request an hour costs next to nothing.
pub const PARKED_RETRY: TimeDelta = TimeDelta::hours(1);

/// The points of a queue that are parked.
#[derive(Debug, Default)]
pub(super) struct Parked(BTreeMap<Id, Try>);

#[derive(Debug)]
struct Try {
    next: DateTime<Utc>,
    /// What the point was refused for.
    reason: Arc<str>,
}

impl Try {
    /// A clock that was put back must not put the try off for longer than usual.
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        now >= self.next || now < self.next - PARKED_RETRY
    }
}

impl Parked {
    pub(super) fn forget(&mut self, id: Id) {
        self.0.remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Parks a point; tells whether it was not parked for this reason before.
    pub(super) fn park(&mut self, id: Id, next: DateTime<Utc>, reason: Arc<str>) -> bool {
        let parked = Try {
            next,
            reason: reason.clone(),
        };
        let before = self.0.insert(id, parked);
        before.is_none_or(|before| before.reason != reason)
    }

    /// The points whose next try has come.
    pub(super) fn due(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Id> {
        let due = self.0.iter().filter(move |(_, parked)| parked.is_due(now));
        due.map(|(id, _)| id)
    }

    /// When the first is tried next.
    pub(super) fn first_try(&self) -> Option<DateTime<Utc>> {
        self.0.values().map(|parked| parked.next).min()
    }

    /// When one that is parked now is tried next: the points of a queue are tried together.
    pub(super) fn next_try(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let waiting = self.0.values().filter(|parked| !parked.is_due(now));
        let next = waiting.map(|parked| parked.next).min();
        next.unwrap_or(now + PARKED_RETRY)
    }
}
