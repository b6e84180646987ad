//! Which of the held points go next.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;

use super::Store;
use crate::outbox::{Batch, QueuedPoint};

/// What a batch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Share {
    /// The newest tick.
    Tick,
    /// What is older.
    Backlog,
    /// What the service refused for an unknown reason, once its next try has come.
    Parked,
}

impl Store {
    /// What to send next: of the newest tick unless it is the backlog's turn, of the
    /// backlog, or of what is parked. Drops what the service would refuse for its age first.
    pub(in crate::run) fn next_batch(
        &mut self,
        namespace: &Namespace,
        now: DateTime<Utc>,
        backlog_first: bool,
    ) -> Option<(Batch, Share)> {
        self.expire(now);
        let outbox = &self.outbox;
        let backlog = || Some((outbox.backlog_batch(namespace)?, Share::Backlog));
        let first = backlog_first.then(backlog).flatten();
        if first.is_none() && outbox.has_tick(namespace) {
            return Some((outbox.next_batch(namespace)?, Share::Tick));
        }
        let parked = || Some((outbox.parked_batch(namespace, now)?, Share::Parked));
        first.or_else(backlog).or_else(parked)
    }

    /// Whether the newest tick of a namespace waits to be sent.
    pub(in crate::run) fn has_tick(&self, namespace: &Namespace) -> bool {
        self.outbox.has_tick(namespace)
    }

    /// How many points of a namespace wait for nothing but their turn.
    pub(in crate::run) fn sendable_of(&self, namespace: &Namespace) -> usize {
        self.outbox.sendable_of(namespace)
    }

    /// Puts a batch behind all others. Gives the moment of its next try, and the points
    /// that were not parked for this reason before.
    pub(in crate::run) fn park(
        &mut self,
        batch: &Batch,
        reason: &Arc<str>,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, Vec<QueuedPoint>) {
        self.outbox.park(batch, reason, now)
    }

    /// How many points are parked.
    pub(in crate::run) fn parked(&self) -> usize {
        self.outbox.parked()
    }

    /// When the first parked point of a namespace is tried next.
    pub(in crate::run) fn next_parked_try(&self, namespace: &Namespace) -> Option<DateTime<Utc>> {
        self.outbox.next_parked_try(namespace)
    }

    /// Lets the backlog go on behind a batch that was refused as a whole.
    pub(in crate::run) fn pass_over(&mut self, batch: &Batch) {
        self.outbox.pass_over(batch);
    }

    /// Removes the queue of a namespace that nothing comes for any more, once it is empty.
    pub(in crate::run) fn remove_queue(&mut self, namespace: &Namespace) {
        self.outbox.remove_queue(namespace);
    }
}
