//! What a run did, for the closing line and the exit code.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::info;

use crate::format::{millis, rfc3339};
use crate::outbox::Dropped;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Points that the service accepted.
    pub sent: u64,
    /// Points that were lost.
    pub dropped: Dropped,
    /// Points that are still held.
    pub unsent: usize,
    /// The oldest and the newest moment of those.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether those are on disk.
    pub spooled: bool,
    /// Values that could not be had.
    pub failed_samples: u64,
}

impl Summary {
    /// Whether every value was had and every point accepted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unsent == 0 && self.failed_samples == 0 && self.dropped.total() == 0
    }

    /// The closing line.
    pub(super) fn log(&self, uptime: Duration) {
        let (from, to) = self.span.unzip();
        info!(
            points_sent = self.sent,
            points_dropped = self.dropped.total(),
            points_unsent = self.unsent,
            unsent_from = from.map(rfc3339),
            unsent_to = to.map(rfc3339),
            unsent_on_disk = (self.unsent > 0).then_some(self.spooled),
            values_missed = (self.failed_samples > 0).then_some(self.failed_samples),
            uptime_ms = millis(uptime),
            "stopped"
        );
    }
}
