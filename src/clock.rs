//! The time, as an argument: the system's in service, a paused one in tests.

use std::error::Error;
use std::future::Future;

use chrono::{DateTime, Utc};
use cron_schedule::Beat;

/// What tells the time and wakes at every whole minute or second.
pub trait Clock: Send + Sync + 'static {
    /// A running series of beats.
    type Beats: Beats;

    /// The moment it is.
    fn now(&self) -> DateTime<Utc>;

    /// Begins to beat. What passed between two beats is worked out from [`Clock::now`],
    /// so a beat may come late, doubled or not at all.
    fn beats(
        &self,
        beat: Beat,
    ) -> impl Future<Output = Result<Self::Beats, Box<dyn Error + Send + Sync>>> + Send;
}

/// A running series of beats.
pub trait Beats: Send {
    /// Waits for the next beat.
    fn next(&mut self) -> impl Future<Output = ()> + Send;

    /// Ends the series.
    fn stop(self) -> impl Future<Output = ()> + Send;
}
