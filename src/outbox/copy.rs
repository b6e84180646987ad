//! How far a copy of the outbox on disk is behind it.
//!
//! Nothing is kept for the points that a copy lacks: ids ascend, so they are those from
//! some id on, and the outbox has them. What is kept is which of the points that the copy
//! has are held no more, and of those there are never more than the copy has.

use std::collections::BTreeMap;

use cloudwatch_metric::Point;

use super::queued_point::{Id, QueuedPoint};

/// So many points are written at a time: a request's worth.
const POINTS_AT_A_TIME: usize = 1000;

/// Points that are held no more, neighbours in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The first of them.
    pub first: Id,
    /// The last of them. No point between the two is held.
    pub last: Id,
    /// How many of them the copy has.
    pub points: usize,
}

/// What one copy has.
#[derive(Debug, Default)]
pub(super) struct DiskCopy {
    /// The copy has every point with a lower id that is or was held.
    written: Id,
    /// Those with a lower id were given to be written.
    given: Id,
    removed: Vec<Removed>,
}

impl DiskCopy {
    /// A copy that has every point with a lower id.
    pub(super) fn up_to(next: Id) -> Self {
        Self {
            written: next,
            given: next,
            removed: Vec::new(),
        }
    }

    /// A point is held no more.
    pub(super) fn remove(&mut self, id: Id, points: &BTreeMap<Id, Point>) {
        if id >= self.given {
            return;
        }
        match self.removed.last_mut() {
            // What is being written may fail and is undone by itself, so it stays apart.
            Some(run)
                if run.last < id
                    && (run.last < self.written) == (id < self.written)
                    && points.range(run.last + 1..id).next().is_none() =>
            {
                run.last = id;
                run.points += 1;
            }
            _ => self.removed.push(Removed {
                first: id,
                last: id,
                points: 1,
            }),
        }
    }

    /// Gives away what is to be removed from the copy.
    pub(super) fn give_removed(&mut self) -> Vec<Removed> {
        std::mem::take(&mut self.removed)
    }

    /// It could not be removed.
    pub(super) fn take_back_removed(&mut self, runs: Vec<Removed>) {
        self.removed.splice(..0, runs);
    }

    /// Gives away the next points that the copy lacks, none if there is none.
    pub(super) fn give_added(&mut self, points: &BTreeMap<Id, Point>) -> Vec<QueuedPoint> {
        let lacking = points.range(self.given..).take(POINTS_AT_A_TIME);
        let added: Vec<_> = lacking
            .map(|(id, point)| QueuedPoint {
                id: *id,
                point: point.clone(),
            })
            .collect();
        if let Some(last) = added.last() {
            self.given = last.id + 1;
        }
        added
    }

    /// The copy has what was given.
    pub(super) fn added(&mut self) {
        self.written = self.given;
    }

    /// The copy has nothing of what was given.
    pub(super) fn take_back_added(&mut self) {
        let written = self.written;
        self.given = written;
        self.removed.retain(|run| run.first < written);
    }
}
