//! The outbox that the tasks of a run share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chrono::{DateTime, Utc};
use cloudwatch_metric::{Namespace, Point};
use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::format::rfc3339;
use crate::health::Status;
use crate::outbox::{Lend, Lost, Outbox, Reason};

/// An outbox that several tasks use: ticks put points into it, senders take them out.
pub(super) struct SharedOutbox {
    outbox: Mutex<Outbox>,
    /// Keeps to what is held.
    status: Arc<Status>,
    /// Tells the spool of changes of what is held.
    changed: watch::Sender<()>,
    /// What wakes the sender of a namespace, as long as there is one: it may panic.
    senders: Mutex<BTreeMap<Namespace, Weak<Notify>>>,
    /// Told when points come for a namespace that has no sender.
    unattended: Notify,
}

impl SharedOutbox {
    pub(super) fn new(outbox: Outbox, status: Arc<Status>) -> Self {
        let shared = Self {
            outbox: Mutex::new(outbox),
            status,
            changed: watch::Sender::new(()),
            senders: Mutex::default(),
            unattended: Notify::new(),
        };
        shared.reorder(|_| {});
        shared
    }

    /// For looking. The lock is held for moments only, never across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Changes the order of what is held.
    pub(super) fn reorder<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = self.lock();
        let outcome = change(&mut outbox);
        self.status
            .holds(outbox.len(), outbox.parked(), outbox.dropped());
        outcome
    }

    /// Changes what is held.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let outcome = self.reorder(change);
        self.changed.send_replace(());
        outcome
    }

    /// From now on the sender of a namespace is woken when points come for it.
    pub(super) fn attend(&self, namespace: Namespace, sender: &Arc<Notify>) {
        lock(&self.senders).insert(namespace, Arc::downgrade(sender));
    }

    /// A namespace has no sender any more, nor a queue, if that is empty.
    pub(super) fn leave(&self, namespace: &Namespace) {
        lock(&self.senders).remove(namespace);
        self.lock().remove_queue(namespace);
    }

    /// Waits until points have come for a namespace that has no sender.
    pub(super) async fn unattended(&self) {
        self.unattended.notified().await;
    }

    /// Tells of every later change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes points of a tick and wakes the senders that have to do with them.
    pub(super) fn push(&self, tick: Vec<Point>) {
        if tick.is_empty() {
            return;
        }
        let namespaces: BTreeSet<_> = tick.iter().map(|point| &point.metric.namespace).collect();
        let namespaces: Vec<_> = namespaces.into_iter().cloned().collect();
        let lost = self.change(|outbox| outbox.push(tick));
        lost.iter().for_each(log_dropped);
        let senders = lock(&self.senders);
        for namespace in &namespaces {
            match senders.get(namespace).and_then(Weak::upgrade) {
                Some(sender) => sender.notify_one(),
                None => self.unattended.notify_one(),
            }
        }
    }

    /// Drops what the service would refuse for its age.
    pub(super) fn expire(&self, now: DateTime<Utc>) {
        let expired = self.reorder(|outbox| outbox.expire(now));
        if let Some(expired) = expired {
            log_dropped(&expired);
            self.changed.send_replace(());
        }
    }
}

/// What is locked here is whole at any moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lend for &SharedOutbox {
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T {
        f(&mut self.lock())
    }
}

pub(super) fn log_dropped(lost: &Lost) {
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
    use cloudwatch_metric::{Metric, Resolution, Unit, Value};
    use tokio::time::{Duration, timeout};

    use super::*;
    use crate::outbox::{AGE_MAX, Limits};

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

    /// An outbox for so many points.
    pub(in crate::run) fn holding(points: usize) -> SharedOutbox {
        let bytes = usize::MAX;
        let outbox = Outbox::new(Limits { points, bytes });
        SharedOutbox::new(outbox, Arc::new(Status::new(1)))
    }

    #[tokio::test]
    async fn points_wake_the_sender_of_their_namespace_or_say_that_there_is_none() {
        const SHORT: Duration = Duration::from_millis(10);
        let (shared, wake) = (holding(9), Arc::new(Notify::new()));
        shared.push(vec![point()]);
        shared.unattended().await;
        shared.attend(point().metric.namespace.clone(), &wake);
        shared.push(vec![point()]);
        wake.notified().await;
        assert!(timeout(SHORT, shared.unattended()).await.is_err());
        shared.leave(&point().metric.namespace);
        shared.push(vec![point()]);
        shared.unattended().await;
        assert!(timeout(SHORT, wake.notified()).await.is_err());
        // One that panicked has left nothing behind.
        shared.attend(point().metric.namespace.clone(), &wake);
        drop(wake);
        shared.push(vec![point()]);
        shared.unattended().await;
    }

    #[test]
    fn outbox_is_told_to_have_changed_only_when_points_grow_too_old() {
        let shared = holding(9);
        shared.push(vec![point()]);
        let mut changes = shared.changes();
        for (age, has_changed) in [(AGE_MAX / 2, false), (AGE_MAX, true), (AGE_MAX * 2, false)] {
            shared.expire(DateTime::UNIX_EPOCH + age);
            assert_eq!(changes.has_changed().unwrap(), has_changed, "{age}");
            changes.mark_unchanged();
        }
    }
}
