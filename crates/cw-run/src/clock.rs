//! The one place that asks for the time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use docker_client::Timestamp;

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    now().millis()
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the clock's edge")]
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The day, UTC, as `2026-11-21`.
pub(crate) fn today() -> String {
    now().to_string().chars().take(10).collect()
}
