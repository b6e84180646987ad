//! The outbox that the tasks of a run share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use cloudwatch_metric::Point;
use tokio::sync::watch;
use tracing::warn;

use crate::format::rfc3339;
use crate::outbox::{Lend, Lost, Outbox, Reason};

/// An outbox that several tasks use.
pub(super) struct SharedOutbox {
    outbox: Mutex<Outbox>,
    /// Tells the spool of changes of what is held.
    changed: watch::Sender<()>,
}

impl SharedOutbox {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            outbox: Mutex::new(outbox),
            changed: watch::Sender::new(()),
        }
    }

    /// For looking, and for what changes the order alone. The lock is held for moments
    /// only, never across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is held.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Outbox) -> T) -> T {
        let outcome = change(&mut self.lock());
        self.changed.send_replace(());
        outcome
    }

    /// Tells of every later change.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes points of a tick.
    pub(super) fn push(&self, tick: Vec<Point>) {
        let lost = self.change(|outbox| outbox.push(tick));
        lost.iter().for_each(log_dropped);
    }

    /// Drops what the service would refuse for its age.
    pub(super) fn expire(&self, now: DateTime<Utc>) {
        let expired = self.lock().expire(now);
        if let Some(expired) = expired {
            log_dropped(&expired);
            self.changed.send_replace(());
        }
    }
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
    use std::sync::Arc;

    use cloudwatch_metric::{Metric, Resolution, Unit, Value};

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

    #[test]
    fn outbox_is_told_to_have_changed_only_when_points_grow_too_old() {
        let (points, bytes) = (9, usize::MAX);
        let shared = SharedOutbox::new(Outbox::new(Limits { points, bytes }));
        shared.push(vec![point()]);
        let mut changes = shared.changes();
        for (age, has_changed) in [(AGE_MAX / 2, false), (AGE_MAX, true), (AGE_MAX * 2, false)] {
            shared.expire(DateTime::UNIX_EPOCH + age);
            assert_eq!(changes.has_changed().unwrap(), has_changed, "{age}");
            changes.mark_unchanged();
        }
    }
}
