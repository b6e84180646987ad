//! What is held, in memory and on disk, and the account of it.

use chrono::{DateTime, Utc};
use tracing::warn;

use super::{Summary, rfc3339};
use crate::metric::{Namespace, Point};
use crate::outbox::{Batch, Held, Losses, Outbox};

/// The outbox with its account.
pub(super) struct Store {
    outbox: Outbox,
    sent: u64,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            outbox: Outbox::new(limit),
            sent: 0,
        }
    }

    /// Takes the points of a tick.
    pub(super) fn push(&mut self, tick: Vec<Point>) {
        let (_pushed, overflowed) = self.outbox.push(tick);
        tell_lost("the buffer is full (BUFFER_LIMIT)", &overflowed);
    }

    /// What to send next, and whether it belongs to the newest tick. Drops what the
    /// service would refuse for its age first.
    pub(super) fn next_batch(
        &mut self,
        namespace: &Namespace,
        now: DateTime<Utc>,
    ) -> Option<(Batch, bool)> {
        let expired = self.outbox.expire(now);
        tell_lost("older than CloudWatch accepts", &expired);
        let is_tick = self.outbox.has_tick(namespace);
        Some((self.outbox.next_batch(namespace)?, is_tick))
    }

    pub(super) fn accept(&mut self, batch: &Batch) {
        self.sent += batch.len() as u64;
        self.outbox.accept(batch);
    }

    pub(super) fn refuse(&mut self, batch: &Batch) {
        self.outbox.refuse(batch);
    }

    pub(super) fn postpone(&mut self, namespace: &Namespace) {
        self.outbox.postpone(namespace);
    }

    pub(super) fn has_tick(&self, namespace: &Namespace) -> bool {
        self.outbox.has_tick(namespace)
    }

    pub(super) fn held(&self) -> usize {
        self.outbox.len()
    }

    pub(super) fn held_of(&self, namespace: &Namespace) -> usize {
        self.outbox.len_of(namespace)
    }

    pub(super) fn losses_of(&self, namespace: &Namespace) -> Losses {
        self.outbox.losses_of(namespace)
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        self.outbox.namespaces().cloned().collect()
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            sent: self.sent,
            losses: self.outbox.losses(),
            unsent: self.outbox.len(),
            span: self.outbox.span(),
            spooled: false,
            unsampled: 0,
        }
    }
}

fn tell_lost(reason: &'static str, lost: &[Held]) {
    let moments = || lost.iter().map(|held| held.point.at);
    if let (Some(from), Some(to)) = (moments().min(), moments().max()) {
        warn!(
            points = lost.len(),
            reason,
            lost_from = rfc3339(from),
            lost_to = rfc3339(to),
            "points lost"
        );
    }
}
