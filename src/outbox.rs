//! The points that CloudWatch has not accepted yet: their order, their bounds, the
//! batches they leave in, and how far a copy of them on disk is behind.
//!
//! A point leaves in four ways and no other: it was accepted, it was refused as
//! bad, it grew too old for the service, or a bound was hit and it was the
//! oldest. The last three are dropped, counted by reason.
//!
//! Whatever happens to some points takes time by their number, not by the number of all.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatch_metric::{Namespace, Point};

mod batch;
mod copy;
mod dropped;
mod durability;
mod metrics;
mod parked;
mod parking;
mod queued_point;
mod restore;
mod share;

pub use batch::{BATCH_BYTES_MAX, BATCH_POINTS_MAX, Batch};
use copy::DiskCopy;
pub use copy::Removed;
use dropped::Tally;
pub use dropped::{Dropped, Lost, Reason};
pub use durability::{Change, Lend};
use metrics::Metrics;
pub use parked::PARKED_RETRY;
use parked::Parked;
pub use queued_point::{Id, QueuedPoint};
pub use restore::Restoring;
pub use share::Share;

/// The service refuses points older than two weeks (API Reference, `MetricDatum`,
/// `Timestamp`); an hour less leaves room for the way there.
pub const AGE_MAX: TimeDelta = TimeDelta::hours(14 * 24 - 1);

/// About how much memory a point takes beside its metric: 40 bytes in the order of arrival
/// and 8 in that of its namespace, in trees whose nodes are half full at worst.
pub const POINT_BYTES: usize = 96;

/// How much is held at most. The oldest points go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many points.
    pub points: usize,
    /// How much memory they take, about.
    pub bytes: usize,
}

/// Points not yet accepted, a queue for each namespace.
///
/// Points of one moment are a tick. The newest tick of a namespace goes out first,
/// because alarms read it; everything older is backlog, oldest first.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    next_id: Id,
    points: BTreeMap<Id, Point>,
    metrics: Metrics,
    queues: BTreeMap<Namespace, Queue>,
    dropped: Dropped,
    /// How many points the service accepted.
    accepted: u64,
    /// No point held is older; none if no point was held since it was last made sure.
    oldest: Option<DateTime<Utc>>,
    /// Counts the changes of what is held.
    revision: u64,
    on_disk: Option<DiskCopy>,
    /// What is to take the place of the copy on disk, while it is being written.
    rewritten: Option<DiskCopy>,
}

#[derive(Debug, Default)]
struct Queue {
    /// All points but the parked ones.
    ids: BTreeSet<Id>,
    /// The first id of the newest tick; everything before it is backlog.
    tick_start: Id,
    /// The moment of that tick; none before the first.
    tick_at: Option<DateTime<Utc>>,
    /// The points that wait behind all others.
    parked: Parked,
    /// The id that the next batch of the backlog begins at.
    backlog_from: Id,
    dropped: Dropped,
}

impl Queue {
    /// Whether a point of the newest tick still waits.
    fn has_tick(&self) -> bool {
        self.ids.last().is_some_and(|last| *last >= self.tick_start)
    }

    fn len(&self) -> usize {
        self.ids.len() + self.parked.len()
    }
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_id: 1,
            points: BTreeMap::new(),
            metrics: Metrics::default(),
            queues: BTreeMap::new(),
            dropped: Dropped::default(),
            accepted: 0,
            oldest: None,
            revision: 0,
            on_disk: None,
            rewritten: None,
        }
    }

    /// Takes points of one tick. What comes late joins the newest tick if that still
    /// waits. Returns what the bounds pushed out: the oldest points.
    pub fn push(&mut self, tick: Vec<Point>) -> Vec<Lost> {
        let mut lost = Tally::default();
        for point in tick {
            let id = self.next_id;
            let queue = self.queue(&point.metric.namespace);
            if !queue.has_tick() || queue.tick_at < Some(point.at) {
                queue.tick_start = id;
                queue.tick_at = Some(point.at);
            }
            self.insert(QueuedPoint { id, point });
            while let Some((_, point, reason)) = self.overflow() {
                self.lose(&point, reason, &mut lost);
            }
        }
        lost.into_vec()
    }

    /// The next batch of a namespace: of its newest tick, else of its backlog. The
    /// points stay held until [`Outbox::accept`] or [`Outbox::refuse`] names them.
    #[must_use]
    pub fn next_batch(&self, namespace: &Namespace) -> Option<Batch> {
        let queue = self.queues.get(namespace)?;
        let tick = self.batch(namespace, queue.ids.range(queue.tick_start..));
        tick.or_else(|| self.backlog_batch(namespace))
    }

    /// Whether the newest tick of a namespace waits to be sent.
    #[must_use]
    pub fn has_tick(&self, namespace: &Namespace) -> bool {
        self.queues.get(namespace).is_some_and(Queue::has_tick)
    }

    /// Makes a tick backlog, after its retries are spent. One that came in meanwhile
    /// stays the newest.
    pub fn demote(&mut self, batch: &Batch) {
        let next_id = self.next_id;
        if let Some(queue) = self.queues.get_mut(batch.namespace())
            && batch.first_id() >= queue.tick_start
        {
            queue.tick_start = next_id;
        }
    }

    /// Removes what the service accepted; returns how many of them were still held.
    pub fn accept(&mut self, batch: &Batch) -> usize {
        let removed = self.remove_batch(batch);
        self.accepted += removed as u64;
        removed
    }

    /// Removes what the service refused for its own fault.
    pub fn refuse(&mut self, batch: &Batch) -> usize {
        let removed = self.remove_batch(batch);
        self.queue(batch.namespace()).dropped.refused += removed as u64;
        self.dropped.refused += removed as u64;
        removed
    }

    /// The bounds may have pushed some out while the batch was on its way.
    fn remove_batch(&mut self, batch: &Batch) -> usize {
        let removed = batch.ids().filter_map(|id| self.remove(id));
        removed.count()
    }

    /// Removes the points that the service would refuse for their age.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Option<Lost> {
        let limit = now - AGE_MAX;
        // FileRead before each request, it looks at all points only when one is to go.
        if self.oldest.is_none_or(|oldest| oldest > limit) {
            return None;
        }
        let points = self.points.iter();
        let old: Vec<_> = points
            .filter(|(_, point)| point.at <= limit)
            .map(|(id, _)| *id)
            .collect();
        let mut lost = Tally::default();
        for id in old {
            if let Some(point) = self.remove(id) {
                self.lose(&point, Reason::Age, &mut lost);
            }
        }
        self.oldest = self.points.values().map(|point| point.at).min();
        lost.into_vec().pop()
    }

    /// How many points are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether no point is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// About how much memory the points take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.points.len() * POINT_BYTES + self.metrics.bytes()
    }

    /// How many points the service accepted since this process began.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many points of one namespace are held.
    #[must_use]
    pub fn len_of(&self, namespace: &Namespace) -> usize {
        self.queues.get(namespace).map_or(0, Queue::len)
    }

    /// The namespaces that hold points.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        let waiting = self.queues.iter().filter(|(_, q)| q.len() > 0);
        waiting.map(|(namespace, _)| namespace)
    }

    /// The dropped of one namespace since this process began.
    #[must_use]
    pub fn dropped_of(&self, namespace: &Namespace) -> Dropped {
        self.queues
            .get(namespace)
            .map_or_else(Dropped::default, |q| q.dropped)
    }

    /// The dropped of all namespaces, of what was restored included.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The oldest and the newest moment held.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let moments = || self.points.values().map(|point| point.at);
        Some((moments().min()?, moments().max()?))
    }

    /// All that is held, in order of arrival.
    #[cfg(test)]
    pub(crate) fn held(&self) -> impl Iterator<Item = QueuedPoint> {
        self.points.iter().map(|(id, point)| QueuedPoint {
            id: *id,
            point: point.clone(),
        })
    }

    /// How often what is held has changed.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A batch of the first of these points.
    fn batch<'a>(
        &'a self,
        namespace: &Namespace,
        ids: impl Iterator<Item = &'a Id>,
    ) -> Option<Batch> {
        let point = |id: &Id| Some((*id, self.points.get(id)?));
        Batch::fill(namespace, ids.filter_map(point))
    }

    fn queue(&mut self, namespace: &Namespace) -> &mut Queue {
        self.queues.entry(namespace.clone()).or_default()
    }

    fn insert(&mut self, held: QueuedPoint) {
        let QueuedPoint { id, mut point } = held;
        self.remove(id);
        self.metrics.share(&mut point.metric);
        self.next_id = self.next_id.max(id + 1);
        self.oldest = Some(self.oldest.map_or(point.at, |oldest| oldest.min(point.at)));
        self.queue(&point.metric.namespace).ids.insert(id);
        self.points.insert(id, point);
        self.revision += 1;
    }

    fn remove(&mut self, id: Id) -> Option<Point> {
        let point = self.points.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&point.metric.namespace) {
            queue.ids.remove(&id);
            queue.parked.forget(id);
        }
        self.metrics.release(&point.metric);
        let copies = [&mut self.on_disk, &mut self.rewritten];
        for copy in copies.into_iter().flatten() {
            copy.remove(id, &self.points);
        }
        self.revision += 1;
        Some(point)
    }

    /// Drops the oldest point, of whatever namespace, if a bound does not hold.
    fn overflow(&mut self) -> Option<(Id, Point, Reason)> {
        let reason = if self.points.len() > self.limits.points {
            Reason::Number
        } else if self.bytes() > self.limits.bytes {
            Reason::Bytes
        } else {
            return None;
        };
        let (id, _) = self.points.first_key_value()?;
        let id = *id;
        Some((id, self.remove(id)?, reason))
    }

    /// Counts a point that is gone.
    fn lose(&mut self, point: &Point, reason: Reason, lost: &mut Tally) {
        self.queue(&point.metric.namespace).dropped.count(reason, 1);
        self.dropped.count(reason, 1);
        lost.add(Lost::one(reason, point.at));
    }
}

#[cfg(test)]
mod tests;
