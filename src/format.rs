//! Times and durations as logs and documents show them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment in UTC, to the second (RFC 3339).
#[must_use]
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
