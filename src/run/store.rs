//! What is held, in memory and on disk, and the account of it.

use std::path::Path;

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use super::{Summary, rfc3339};
use crate::metric::{Namespace, Point};
use crate::outbox::{Batch, Held, Losses, Outbox};
use crate::spool::{Event, Opened, Spool, SpoolError};
use crate::telemetry::chain;

/// Why points are lost at the bound, for the log.
const BUFFER_FULL: &str = "the buffer is full (BUFFER_LIMIT)";

/// The outbox with its spool and its account.
pub(super) struct Store {
    outbox: Outbox,
    spool: Option<Spool>,
    sent: u64,
}

impl Store {
    /// A store that holds at most `limit` points, and what an earlier process left in
    /// the folder, if one is given.
    pub(super) fn open(limit: usize, dir: Option<&Path>) -> Result<Self, SpoolError> {
        let Some(dir) = dir else {
            return Ok(Self {
                outbox: Outbox::new(limit),
                spool: None,
                sent: 0,
            });
        };
        let opened = Spool::open(dir, limit)?;
        tell_opened(&opened);
        tell_lost(BUFFER_FULL, &opened.overflowed);
        Ok(Self {
            outbox: opened.outbox,
            spool: Some(opened.spool),
            sent: 0,
        })
    }

    /// Takes the points of a tick; when this returns they are on disk.
    pub(super) fn push(&mut self, tick: Vec<Point>) {
        let overflowed = self.outbox.push(tick);
        tell_lost(BUFFER_FULL, &overflowed);
        self.sync();
    }

    /// What to send next, and whether it belongs to the newest tick. Drops what the
    /// service would refuse for its age first.
    pub(super) fn next_batch(
        &mut self,
        namespace: &Namespace,
        now: DateTime<Utc>,
    ) -> Option<(Batch, bool)> {
        let expired = self.outbox.expire(now);
        if !expired.is_empty() {
            tell_lost("older than CloudWatch accepts", &expired);
            self.sync();
        }
        let is_tick = self.outbox.has_tick(namespace);
        Some((self.outbox.next_batch(namespace)?, is_tick))
    }

    /// Tells how many of the points were still held.
    pub(super) fn accept(&mut self, batch: &Batch) -> usize {
        let accepted = self.outbox.accept(batch);
        self.sent += accepted as u64;
        self.sync();
        accepted
    }

    pub(super) fn refuse(&mut self, batch: &Batch) {
        self.outbox.refuse(batch);
        self.sync();
    }

    pub(super) fn postpone(&mut self, batch: &Batch) {
        self.outbox.postpone(batch);
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

    pub(super) fn losses(&self) -> Losses {
        self.outbox.losses()
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
            spooled: self.spool.as_ref().is_some_and(|s| !s.is_degraded()),
            unsampled: 0,
        }
    }

    fn sync(&mut self) {
        let Some(spool) = &mut self.spool else {
            return;
        };
        match spool.sync(&self.outbox) {
            Some(Event::Degraded(failure)) => error!(
                points_held = self.outbox.len(),
                error = chain(&failure),
                hint = "free some space; until then the points are held in memory only",
                "spool failed"
            ),
            Some(Event::Healed) => info!(points_held = self.outbox.len(), "spool healed"),
            None => {}
        }
    }
}

fn tell_opened(opened: &Opened) {
    if let Some(damage) = opened.damage {
        warn!(
            bytes_skipped = damage.bytes,
            points_lost = damage.points,
            "spool was damaged"
        );
    }
    if opened.restored > 0 {
        info!(points = opened.restored, "spool read");
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
