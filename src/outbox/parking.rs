//! How points are parked and tried again, and how the backlog goes on behind points that the
//! service refuses as a whole.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;

use super::Outbox;
use super::batch::Batch;
use super::queued_point::QueuedPoint;

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
            if queue.parked.park(id, next, reason.clone()) {
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
        self.batch(namespace, queue.parked.due(now))
    }

    /// When the first parked point of a namespace is tried next.
    #[must_use]
    pub fn next_parked_try(&self, namespace: &Namespace) -> Option<DateTime<Utc>> {
        self.queues.get(namespace)?.parked.first_try()
    }

    /// How many points are parked.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.queues.values().map(|queue| queue.parked.len()).sum()
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
