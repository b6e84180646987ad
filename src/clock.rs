//! The time, as an argument: the system's in service, a paused one in tests.

use std::error::Error;
use std::future::Future;

use chrono::{DateTime, Utc};
use cron_schedule::TickRate;

/// What tells the time and wakes at every whole minute or second.
pub trait Clock: Send + Sync + 'static {
    /// A running series of ticks.
    type Ticks: Ticks;

    /// The moment it is.
    fn now(&self) -> DateTime<Utc>;

    /// Begins to tick. What passed between two ticks is worked out from [`Clock::now`],
    /// so a tick may come late, doubled or not at all.
    fn ticks(
        &self,
        rate: TickRate,
    ) -> impl Future<Output = Result<Self::Ticks, Box<dyn Error + Send + Sync>>> + Send;
}

/// A running series of ticks.
pub trait Ticks: Send {
    /// Waits for the next tick.
    fn next(&mut self) -> impl Future<Output = ()> + Send;

    /// Ends the series.
    fn stop(self) -> impl Future<Output = ()> + Send;
}
