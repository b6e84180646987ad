//! The points that CloudWatch has not accepted yet: their order, their bound and
//! the batches they leave in.
//!
//! A point leaves in four ways and no other: it was accepted, it was refused as
//! bad, it grew too old for the service, or the bound was hit and it was the
//! oldest. The last three are losses, counted by reason.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::metric::{Namespace, Point};

mod batch;

pub use batch::{BATCH_BYTES_MAX, BATCH_POINTS_MAX, Batch};

/// The service refuses points older than two weeks (API Reference, `MetricDatum`,
/// `Timestamp`); an hour less leaves room for the way there.
pub const AGE_MAX: TimeDelta = TimeDelta::hours(14 * 24 - 1);

/// A point's place in the order of arrival; never used twice.
pub type Id = u64;

/// A point with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The place in the order of arrival.
    pub id: Id,
    /// The point itself.
    pub point: Point,
}

/// Points not yet accepted, a queue for each namespace.
///
/// Points of one moment are a tick. The newest tick of a namespace goes out first,
/// because alarms read it; everything older is backlog, oldest first.
#[derive(Debug)]
pub struct Outbox {
    limit: usize,
    next_id: Id,
    held: usize,
    queues: BTreeMap<Namespace, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In ascending order of id.
    points: VecDeque<Held>,
    /// The first id of the newest tick; everything before it is backlog.
    tick_start: Id,
    /// The moment of that tick; none before the first.
    tick_at: Option<DateTime<Utc>>,
    losses: Losses,
}

/// How many points were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Refused by the service for a fault of their own.
    pub refused: u64,
    /// Too old for the service to accept.
    pub expired: u64,
    /// Pushed out by newer ones at `BUFFER_LIMIT`.
    pub overflowed: u64,
}

impl Queue {
    /// Whether a point of the newest tick still waits.
    fn has_tick(&self) -> bool {
        let last = self.points.back();
        last.is_some_and(|last| last.id >= self.tick_start)
    }
}

impl Losses {
    /// All reasons together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.refused + self.expired + self.overflowed
    }
}

impl std::ops::Add for Losses {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            refused: self.refused + more.refused,
            expired: self.expired + more.expired,
            overflowed: self.overflowed + more.overflowed,
        }
    }
}

impl Outbox {
    /// An empty outbox that holds at most `limit` points.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            next_id: 1,
            held: 0,
            queues: BTreeMap::new(),
        }
    }

    /// Takes back points that an earlier process held, as backlog. The ids must
    /// ascend. Returns the points that the bound pushed out.
    #[must_use]
    pub fn restore(&mut self, held: impl IntoIterator<Item = Held>) -> Vec<Held> {
        for held in held {
            self.next_id = self.next_id.max(held.id + 1);
            let queue = self.queue(&held.point.metric.namespace);
            queue.tick_start = held.id + 1;
            queue.points.push_back(held);
            self.held += 1;
        }
        self.overflow()
    }

    /// Takes points of one tick. What comes late joins the newest tick if that still
    /// waits. Returns the oldest points, which the bound pushed out.
    pub fn push(&mut self, tick: Vec<Point>) -> Vec<Held> {
        for point in tick {
            let id = self.next_id;
            self.next_id += 1;
            let queue = self.queue(&point.metric.namespace);
            if !queue.has_tick() || queue.tick_at < Some(point.at) {
                queue.tick_start = id;
                queue.tick_at = Some(point.at);
            }
            queue.points.push_back(Held { id, point });
            self.held += 1;
        }
        self.overflow()
    }

    /// The next batch of a namespace: of its newest tick, else of its backlog. The
    /// points stay held until [`Outbox::accept`] or [`Outbox::refuse`] names them.
    #[must_use]
    pub fn next_batch(&self, namespace: &Namespace) -> Option<Batch> {
        let queue = self.queues.get(namespace)?;
        let newest = queue.points.partition_point(|h| h.id < queue.tick_start);
        let start = if newest < queue.points.len() {
            newest
        } else {
            0
        };
        Batch::fill(namespace, queue.points.range(start..))
    }

    /// Whether the newest tick of a namespace waits to be sent.
    #[must_use]
    pub fn has_tick(&self, namespace: &Namespace) -> bool {
        self.queues.get(namespace).is_some_and(Queue::has_tick)
    }

    /// Makes a tick backlog, after its retries are spent. One that came in meanwhile
    /// stays the newest.
    pub fn postpone(&mut self, batch: &Batch) {
        let next_id = self.next_id;
        if let Some(queue) = self.queues.get_mut(batch.namespace())
            && batch.first_id() >= queue.tick_start
        {
            queue.tick_start = next_id;
        }
    }

    /// Removes what the service accepted; returns how many of them were still held.
    pub fn accept(&mut self, batch: &Batch) -> usize {
        self.remove(batch)
    }

    /// Removes what the service refused for its own fault.
    pub fn refuse(&mut self, batch: &Batch) -> usize {
        let removed = self.remove(batch);
        self.queue(batch.namespace()).losses.refused += removed as u64;
        removed
    }

    /// Removes and returns the points that the service would refuse for their age.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Vec<Held> {
        let oldest = now - AGE_MAX;
        let mut expired = Vec::new();
        for queue in self.queues.values_mut() {
            let before = expired.len();
            queue.points.retain(|held| {
                let keep = held.point.at > oldest;
                if !keep {
                    expired.push(held.clone());
                }
                keep
            });
            queue.losses.expired += (expired.len() - before) as u64;
        }
        self.held -= expired.len();
        expired
    }

    /// How many points are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether no point is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// How many points of one namespace are held.
    #[must_use]
    pub fn len_of(&self, namespace: &Namespace) -> usize {
        self.queues.get(namespace).map_or(0, |q| q.points.len())
    }

    /// The namespaces that hold points.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        let waiting = self.queues.iter().filter(|(_, q)| !q.points.is_empty());
        waiting.map(|(namespace, _)| namespace)
    }

    /// The losses of one namespace.
    #[must_use]
    pub fn losses_of(&self, namespace: &Namespace) -> Losses {
        self.queues
            .get(namespace)
            .map_or_else(Losses::default, |q| q.losses)
    }

    /// The losses of all namespaces.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let all = self.queues.values().map(|queue| queue.losses);
        all.fold(Losses::default(), std::ops::Add::add)
    }

    /// The oldest and the newest moment held.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let moments = || self.held().map(|held| held.point.at);
        Some((moments().min()?, moments().max()?))
    }

    /// All held points, namespace by namespace, in order of arrival within each.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.queues.values().flat_map(|queue| queue.points.iter())
    }

    fn queue(&mut self, namespace: &Namespace) -> &mut Queue {
        self.queues.entry(namespace.clone()).or_default()
    }

    /// Removes the points of a batch that are still held; the bound may have pushed
    /// some out while the batch was on its way.
    fn remove(&mut self, batch: &Batch) -> usize {
        let Some(queue) = self.queues.get_mut(batch.namespace()) else {
            return 0;
        };
        let before = queue.points.len();
        let start = queue.points.partition_point(|h| h.id < batch.first_id());
        let mut kept = queue.points.split_off(start);
        let mut ids = batch.ids().peekable();
        kept.retain(|held| {
            while ids.next_if(|id| *id < held.id).is_some() {}
            ids.next_if_eq(&held.id).is_none()
        });
        queue.points.append(&mut kept);
        let removed = before - queue.points.len();
        self.held -= removed;
        if queue.points.is_empty() {
            // A long outage leaves a large buffer behind; an idle queue needs none.
            queue.points = VecDeque::new();
        }
        removed
    }

    /// Drops the oldest points, of whatever namespace, until the bound holds.
    fn overflow(&mut self) -> Vec<Held> {
        let mut dropped = Vec::new();
        while self.held > self.limit {
            let oldest = self
                .queues
                .values_mut()
                .filter(|queue| !queue.points.is_empty())
                .min_by_key(|queue| queue.points.front().map(|held| held.id));
            let Some(queue) = oldest else { break };
            dropped.extend(queue.points.pop_front());
            queue.losses.overflowed += 1;
            self.held -= 1;
        }
        dropped
    }
}

#[cfg(test)]
mod tests;
