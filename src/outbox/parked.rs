//! Points that the service refuses for what nobody knows: they wait behind all others
//! and are tried once an hour. It may be the point or a fault that passes, so that
//! nothing but its age or the bound takes it out. Beside them, how the backlog goes on
//! behind points that the service refuses as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatch_metric::Namespace;

use super::{Batch, Id, Outbox, QueuedPoint};

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

    /// The points of a queue are tried together.
    fn next_try(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let waiting = self.0.values().filter(|parked| !parked.is_due(now));
        let next = waiting.map(|parked| parked.next).min();
        next.unwrap_or(now + PARKED_RETRY)
    }
}

impl Outbox {
    /// Puts the points of a batch behind all others, until the next try, whose moment is
    /// returned with the points that were not parked for this reason before.
    pub fn park(
        &mut self,
        batch: &Batch,
        reason: &Arc<str>,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, Vec<QueuedPoint>) {
        let mut news = Vec::new();
        let Some(queue) = self.queues.get_mut(batch.namespace()) else {
            return (now, news);
        };
        let next = queue.parked.next_try(now);
        for id in batch.ids() {
            // The bounds may have pushed it out meanwhile.
            let Some(point) = self.points.get(&id) else {
                continue;
            };
            queue.ids.remove(&id);
            let reason = reason.clone();
            let before = queue.parked.0.insert(id, Try { next, reason });
            if before.is_none_or(|before| before.reason != queue.parked.0[&id].reason) {
                let point = point.clone();
                news.push(QueuedPoint { id, point });
            }
        }
        (next, news)
    }

    /// The parked points of a namespace whose next try has come.
    #[must_use]
    pub fn parked_batch(&self, namespace: &Namespace, now: DateTime<Utc>) -> Option<Batch> {
        let queue = self.queues.get(namespace)?;
        let parked = queue.parked.0.iter();
        let due = parked.filter(|(_, parked)| parked.is_due(now));
        self.batch(namespace, due.map(|(id, _)| id))
    }

    /// When the first parked point of a namespace is tried next.
    #[must_use]
    pub fn next_parked_try(&self, namespace: &Namespace) -> Option<DateTime<Utc>> {
        let parked = &self.queues.get(namespace)?.parked;
        parked.0.values().map(|parked| parked.next).min()
    }

    /// How many points are parked.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.queues.values().map(|queue| queue.parked.0.len()).sum()
    }

    /// How many points of one namespace are held and not parked.
    #[must_use]
    pub fn sendable_of(&self, namespace: &Namespace) -> usize {
        let queue = self.queues.get(namespace);
        queue.map_or(0, |queue| queue.ids.len())
    }

    /// The next batch of the backlog, whether a tick waits or not.
    #[must_use]
    pub fn backlog_batch(&self, namespace: &Namespace) -> Option<Batch> {
        let queue = self.queues.get(namespace)?;
        let end = queue.tick_start;
        let from = queue.backlog_from.min(end);
        let batch = |ids| self.batch(namespace, queue.ids.range(ids));
        batch(from..end).or_else(|| batch(0..end))
    }

    /// The backlog goes on behind a batch that was refused as a whole, and comes back to
    /// it after its last point.
    pub fn pass_over(&mut self, batch: &Batch) {
        if let Some(queue) = self.queues.get_mut(batch.namespace()) {
            queue.backlog_from = batch.ids().last().map_or(0, |id| id + 1);
        }
    }

    /// Removes the queue of a namespace that nothing comes for any more, once it is
    /// empty.
    pub fn remove_queue(&mut self, namespace: &Namespace) {
        if self.len_of(namespace) == 0 {
            self.queues.remove(namespace);
        }
    }
}

#[cfg(test)]
mod tests;
