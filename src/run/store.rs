//! What is held, and the account of it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use cloudwatch_metric::{Namespace, Point};
use tokio::sync::watch;
use tracing::{info, warn};

use super::spooler::SpoolThread;
use super::{Summary, rfc3339};
use crate::outbox::{Batch, Dropped, Lend, Limits, Lost, Outbox, Reason};
use crate::spool::{Damage, Opened, Spool, SpoolError};

mod share;

pub(super) use share::Share;

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

impl Lend for &SharedStore {
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T {
        f(&mut self.lock().outbox)
    }
}

/// The outbox with its account.
pub(super) struct Store {
    outbox: Outbox,
    sent: u64,
    /// Tells the spool of changes of what is held.
    changed: watch::Sender<()>,
}

impl Store {
    /// A store with these limits, with what an earlier process left in the folder and
    /// the thread that writes there, if a folder is given.
    pub(super) async fn open(
        limits: Limits,
        dir: Option<PathBuf>,
        now: DateTime<Utc>,
    ) -> Result<(Self, Option<SpoolThread>), SpoolError> {
        let Some(dir) = dir else {
            return Ok((Self::new(Outbox::new(limits)), None));
        };
        let open = move || {
            let Opened {
                mut spool,
                outbox,
                restored,
                lost,
                damage,
            } = Spool::open(&dir, limits, now)?;
            let sync = move |mut store: &SharedStore| spool.sync(&mut store);
            Ok(((outbox, restored, lost, damage), sync))
        };
        let ((outbox, restored, lost, damage), thread) = SpoolThread::open(open).await?;
        log_opened(restored, damage);
        lost.iter().for_each(log_dropped);
        Ok((Self::new(outbox), Some(thread)))
    }

    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            sent: 0,
            changed: watch::Sender::new(()),
        }
    }

    /// Takes points of a tick.
    pub(super) fn push(&mut self, tick: Vec<Point>) {
        self.outbox.push(tick).iter().for_each(log_dropped);
        self.changed();
    }

    /// Drops what the service would refuse for its age.
    fn expire(&mut self, now: DateTime<Utc>) {
        if let Some(expired) = self.outbox.expire(now) {
            log_dropped(&expired);
            self.changed();
        }
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

    pub(super) fn demote(&mut self, batch: &Batch) {
        self.outbox.demote(batch);
    }

    pub(super) fn held(&self) -> usize {
        self.outbox.len()
    }

    pub(super) fn held_of(&self, namespace: &Namespace) -> usize {
        self.outbox.len_of(namespace)
    }

    pub(super) fn dropped_of(&self, namespace: &Namespace) -> Dropped {
        self.outbox.dropped_of(namespace)
    }

    pub(super) fn dropped(&self) -> Dropped {
        self.outbox.dropped()
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        self.outbox.namespaces().cloned().collect()
    }

    /// Tells how often what is held has changed.
    pub(super) fn revision(&self) -> u64 {
        self.outbox.revision()
    }

    /// Tells of every later change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn summary(&self, spooled: bool) -> Summary {
        Summary {
            sent: self.sent,
            dropped: self.outbox.dropped(),
            unsent: self.outbox.len(),
            span: self.outbox.span(),
            spooled,
            failed_samples: 0,
        }
    }

    fn changed(&self) {
        self.changed.send_replace(());
    }
}

fn log_opened(restored: usize, damage: Option<Damage>) {
    if let Some(damage) = damage {
        warn!(
            bytes_skipped = damage.bytes,
            points_lost = damage.points,
            "spool was damaged"
        );
    }
    if restored > 0 {
        info!(points = restored, "spool read");
    }
}

fn log_dropped(lost: &Lost) {
    let reason = match lost.reason {
        Reason::Age => "older than CloudWatch accepts",
        Reason::Number => "the buffer is full (BUFFER_LIMIT)",
        Reason::Bytes => "the buffer is full (BUFFER_BYTES)",
    };
    warn!(
        points = lost.points,
        reason,
        lost_from = rfc3339(lost.from),
        lost_to = rfc3339(lost.to),
        "points lost"
    );
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use cloudwatch_metric::{Metric, Resolution, Unit, Value};

    use super::*;
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
        let bytes = usize::MAX;
        let mut store = Store::new(Outbox::new(Limits { points, bytes }));
        store.push(vec![point(); points]);
        (store, point().metric.namespace.clone())
    }

    #[test]
    fn account_tells_what_was_sent_what_was_lost_and_what_is_held() {
        let (mut store, namespace) = store(9);
        let (batch, _) = store
            .next_batch(&namespace, DateTime::UNIX_EPOCH, false)
            .unwrap();
        assert_eq!(store.accept(&batch.part(0..2).unwrap()), 2);
        store.refuse(&batch.part(2..5).unwrap());
        let dropped = Dropped {
            refused: 3,
            ..Dropped::default()
        };
        let expected = Summary {
            sent: 2,
            dropped,
            unsent: 4,
            span: Some((DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH)),
            spooled: true,
            failed_samples: 0,
        };
        assert_eq!(store.summary(true), expected);
        assert_eq!((store.held(), store.dropped()), (4, dropped));
        assert_eq!(store.held_of(&namespace), 4);
        assert_eq!(store.dropped_of(&namespace), dropped);
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
            let _ = store.next_batch(&namespace, DateTime::UNIX_EPOCH + age, false);
            assert_eq!(store.revision(), revision, "{age}");
        }
    }
}
