//! Taking up what an earlier process held, within the same bounds.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use super::dropped::Tally;
use super::{AGE_MAX, Id, Limits, Lost, Outbox, QueuedPoint, Reason};

/// So many runs of lost points are told apart while points are taken up. They are many
/// only if the points come in no order at all.
const RUNS_MAX: usize = 1000;

/// An outbox that is being filled with what an earlier process held, point by point and in
/// the order of what happened, so that points come that are said to have left further on.
#[derive(Debug)]
pub struct Restoring {
    outbox: Outbox,
    now: DateTime<Utc>,
    dropped: [DroppedRuns; 3],
}

impl Restoring {
    /// Begins with an empty outbox.
    #[must_use]
    pub fn new(limits: Limits, now: DateTime<Utc>) -> Self {
        let dropped = [Reason::Age, Reason::Number, Reason::Bytes];
        Self {
            outbox: Outbox::new(limits),
            now,
            dropped: dropped.map(DroppedRuns::new),
        }
    }

    /// Takes a point, as backlog. One that has the same place goes.
    pub fn held(&mut self, held: QueuedPoint) {
        let next = held.id + 1;
        for dropped in &mut self.dropped {
            dropped.forget(&(held.id..=held.id));
        }
        self.outbox.next_id = self.outbox.next_id.max(next);
        if held.point.at <= self.now - AGE_MAX {
            self.outbox.remove(held.id);
            return self.lose(held.id, Reason::Age, held.point.at);
        }
        let queue = self.outbox.queue(&held.point.metric.namespace);
        queue.tick_start = queue.tick_start.max(next);
        self.outbox.insert(held);
        while let Some((id, point, reason)) = self.outbox.overflow() {
            self.lose(id, reason, point.at);
        }
    }

    fn lose(&mut self, id: Id, reason: Reason, at: DateTime<Utc>) {
        let mut dropped = self.dropped.iter_mut();
        if let Some(dropped) = dropped.find(|dropped| dropped.reason == reason) {
            dropped.add(id, at);
        }
    }

    /// The points with these ids had left.
    pub fn left(&mut self, ids: RangeInclusive<Id>) {
        for dropped in &mut self.dropped {
            dropped.forget(&ids);
        }
        let left: Vec<_> = self.outbox.points.range(ids).map(|(id, _)| *id).collect();
        for id in left {
            self.outbox.remove(id);
        }
    }

    /// How many points there are, lost or not.
    #[must_use]
    pub fn len(&self) -> usize {
        let lost: usize = self.dropped.iter().map(DroppedRuns::points).sum();
        self.outbox.len() + lost
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The outbox, and what of the points it does not hold.
    #[must_use]
    pub fn done(mut self) -> (Outbox, Vec<Lost>) {
        let mut lost = Tally::default();
        let runs = self
            .dropped
            .iter()
            .flat_map(|dropped| dropped.runs.values());
        for run in runs.filter(|run| run.lost.points > 0) {
            lost.add(run.lost);
        }
        let lost = lost.into_vec();
        for lost in &lost {
            self.outbox.dropped.count(lost.reason, lost.points);
        }
        (self.outbox, lost)
    }
}

/// Points that were dropped for one reason, in bounded memory.
#[derive(Debug)]
struct DroppedRuns {
    reason: Reason,
    /// By the first id of each.
    runs: BTreeMap<Id, Run>,
}

#[derive(Debug)]
struct Run {
    last: Id,
    lost: Lost,
}

impl DroppedRuns {
    fn new(reason: Reason) -> Self {
        Self {
            reason,
            runs: BTreeMap::new(),
        }
    }

    fn points(&self) -> usize {
        self.runs.values().map(|run| run.lost.points).sum()
    }

    fn add(&mut self, id: Id, at: DateTime<Utc>) {
        let lost = Lost::one(self.reason, at);
        match self.runs.range_mut(..=id).next_back() {
            // One that comes again is the same one.
            Some((_, run)) if id <= run.last => {}
            Some((_, run)) if id == run.last + 1 => {
                run.last = id;
                run.lost = run.lost.and(lost);
            }
            _ => {
                self.runs.insert(id, Run { last: id, lost });
            }
        }
        self.merge();
    }

    /// Leaves out what had left before it could be lost, or is held after all.
    fn forget(&mut self, ids: &RangeInclusive<Id>) {
        let before = self.runs.range(..ids.start()).next_back();
        let within = self.runs.range(ids.clone());
        let starts: Vec<_> = before
            .into_iter()
            .chain(within)
            .map(|(id, _)| *id)
            .collect();
        for first in starts {
            let Some(Run { last, lost }) = self.runs.remove(&first) else {
                continue;
            };
            let mut points = lost.points;
            if first < *ids.start() {
                points -= self.put(first, last.min(ids.start() - 1), lost);
            }
            if last > *ids.end() {
                self.put(first.max(ids.end() + 1), last, Lost { points, ..lost });
            }
        }
        self.merge();
    }

    /// Puts a part of a run back; gives how many points it can have.
    fn put(&mut self, first: Id, last: Id, whole: Lost) -> usize {
        let ids = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
        let points = whole.points.min(ids);
        let lost = Lost { points, ..whole };
        self.runs.insert(first, Run { last, lost });
        points
    }

    /// Takes two runs for one where there are too many.
    fn merge(&mut self) {
        while self.runs.len() > RUNS_MAX
            && let (Some((first, run)), Some((_, next))) =
                (self.runs.pop_first(), self.runs.pop_first())
        {
            let (last, lost) = (next.last, run.lost.and(next.lost));
            self.runs.insert(first, Run { last, lost });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::tests::{metric, moment, tick};

    fn held(id: Id, minute: i64) -> QueuedPoint {
        QueuedPoint {
            id,
            point: tick(&metric("A", ""), minute, 1).remove(0),
        }
    }

    fn restoring(points: usize) -> Restoring {
        let bytes = usize::MAX;
        Restoring::new(Limits { points, bytes }, moment(0) + AGE_MAX)
    }

    #[test]
    fn restored_points_are_backlog_and_keep_their_places() {
        let mut restoring = restoring(2);
        for id in 7..=9 {
            restoring.held(held(id, 1));
        }
        assert_eq!(restoring.len(), 3);
        let (mut outbox, lost) = restoring.done();
        assert_eq!(lost, [Lost::one(Reason::Number, moment(1))]);
        assert_eq!(outbox.dropped().overflowed, 1);
        let metric = metric("A", "");
        assert!(!outbox.has_tick(&metric.namespace));
        outbox.push(tick(&metric, 4, 1));
        let next = outbox.next_batch(&metric.namespace).unwrap();
        assert_eq!(next.ids().collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn what_had_left_is_neither_held_nor_lost() {
        let mut restoring = restoring(2);
        for id in 1..=9 {
            restoring.held(held(id, if id < 4 { 0 } else { 1 }));
        }
        restoring.left(2..=5);
        restoring.left(9..=9);
        let (outbox, lost) = restoring.done();
        assert_eq!(outbox.len(), 1);
        let two = Lost {
            points: 2,
            ..Lost::one(Reason::Number, moment(1))
        };
        assert_eq!(lost, [Lost::one(Reason::Age, moment(0)), two]);
    }

    #[test]
    fn points_in_no_order_are_counted_in_bounded_memory() {
        let mut restoring = restoring(1);
        for id in (1..=10_000).rev() {
            restoring.held(held(2 * id, 1));
        }
        let runs = &restoring.dropped[1].runs;
        assert!(runs.len() <= RUNS_MAX, "{}", runs.len());
        assert_eq!(restoring.len(), 10_000);
        restoring.left(0..=Id::MAX / 2);
        assert_eq!(restoring.len(), 0);
    }
}
