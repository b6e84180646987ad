//! What is held, and the account of it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::{Summary, rfc3339};
use crate::metric::{Namespace, Point};
use crate::outbox::{Batch, Held, Losses, Outbox};
use crate::spool::{Opened, Spool, SpoolError};

/// Why points are lost at the bound, for the log.
const BUFFER_FULL: &str = "the buffer is full (BUFFER_LIMIT)";

/// A store that several tasks use.
pub(super) struct SharedStore(Mutex<Store>);

impl SharedStore {
    pub(super) fn new(store: Store) -> Self {
        Self(Mutex::new(store))
    }

    /// The lock is held for moments only, never across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outbox with its account.
pub(super) struct Store {
    outbox: Outbox,
    sent: u64,
    /// Counts the changes of what is held, for the spool.
    revision: watch::Sender<u64>,
}

impl Store {
    /// A store that holds at most `limit` points, with what an earlier process left in
    /// the folder and the spool to go on with, if a folder is given.
    pub(super) async fn open(
        limit: usize,
        dir: Option<PathBuf>,
    ) -> Result<(Self, Option<Spool>), SpoolError> {
        let Some(dir) = dir else {
            return Ok((Self::new(Outbox::new(limit)), None));
        };
        let opened = spawn_blocking(move || Spool::open(&dir, limit));
        let opened = opened.await.expect("its panic is one of the run")?;
        tell_opened(&opened);
        tell_lost(BUFFER_FULL, &opened.overflowed);
        Ok((Self::new(opened.outbox), Some(opened.spool)))
    }

    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            sent: 0,
            revision: watch::Sender::new(0),
        }
    }

    /// Takes points of a tick.
    pub(super) fn push(&mut self, tick: Vec<Point>) {
        let overflowed = self.outbox.push(tick);
        tell_lost(BUFFER_FULL, &overflowed);
        self.changed();
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
            self.changed();
        }
        let is_tick = self.outbox.has_tick(namespace);
        Some((self.outbox.next_batch(namespace)?, is_tick))
    }

    /// Tells how many of the points were still held.
    pub(super) fn accept(&mut self, batch: &Batch) -> usize {
        let accepted = self.outbox.accept(batch);
        self.sent += accepted as u64;
        self.changed();
        accepted
    }

    pub(super) fn refuse(&mut self, batch: &Batch) {
        self.outbox.refuse(batch);
        self.changed();
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

    /// Tells how often what is held has changed.
    pub(super) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// Tells of every later change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// What is held, and the revision that it is.
    pub(super) fn snapshot(&self) -> (u64, Vec<Held>) {
        (self.revision(), self.outbox.held().cloned().collect())
    }

    pub(super) fn summary(&self, spooled: bool) -> Summary {
        Summary {
            sent: self.sent,
            losses: self.outbox.losses(),
            unsent: self.outbox.len(),
            span: self.outbox.span(),
            spooled,
            unsampled: 0,
        }
    }

    fn changed(&self) {
        self.revision.send_modify(|revision| *revision += 1);
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

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metric::{Metric, Resolution, Unit, Value};
    use crate::outbox::AGE_MAX;

    /// A point of the namespace "N" and of 1970.
    pub(in crate::run) fn point() -> Point {
        let metric = Metric {
            namespace: "N".parse().unwrap(),
            name: "M".parse().unwrap(),
            unit: Unit::Count,
            dimensions: "".parse().unwrap(),
            resolution: Resolution::Standard,
        };
        Point {
            metric: Arc::new(metric),
            at: DateTime::UNIX_EPOCH,
            value: Value::try_from(1.0).unwrap(),
        }
    }

    /// A store with so many points, and their namespace.
    fn store(points: usize) -> (Store, Namespace) {
        let mut store = Store::new(Outbox::new(points));
        store.push(vec![point(); points]);
        (store, point().metric.namespace.clone())
    }

    #[test]
    fn account_tells_what_was_sent_what_was_lost_and_what_is_held() {
        let (mut store, namespace) = store(9);
        let (batch, _) = store.next_batch(&namespace, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(store.accept(&batch.part(0..2).unwrap()), 2);
        store.refuse(&batch.part(2..5).unwrap());
        let losses = Losses {
            refused: 3,
            ..Losses::default()
        };
        let expected = Summary {
            sent: 2,
            losses,
            unsent: 4,
            span: Some((DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH)),
            spooled: true,
            unsampled: 0,
        };
        assert_eq!(store.summary(true), expected);
        assert_eq!((store.held(), store.losses()), (4, losses));
        assert_eq!(store.held_of(&namespace), 4);
        assert_eq!(store.losses_of(&namespace), losses);
        assert_eq!(store.namespaces(), [namespace]);
    }

    #[test]
    fn looking_for_a_batch_changes_the_store_only_when_points_grow_too_old() {
        let (mut store, namespace) = store(1);
        let pushed = store.revision();
        for (age, revision) in [
            (AGE_MAX / 2, pushed),
            (AGE_MAX, pushed + 1),
            (AGE_MAX * 2, pushed + 1),
        ] {
            let _ = store.next_batch(&namespace, DateTime::UNIX_EPOCH + age);
            assert_eq!(store.revision(), revision, "{age}");
        }
    }
}
