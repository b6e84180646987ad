//! Ships what containers print: a reader for each container, a sender for each of its streams,
//! and what they share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::checkpoint::Checkpoint;
use crate::event::LineStart;
use crate::job::GroupSettings;
use crate::tee::Tee;

mod budget;
mod follow;
mod followed;
mod hint;
mod lane;
mod lines;
mod patience;
mod sender;
mod settled;
mod tally;
mod target;

pub use budget::Budget;
pub use follow::{Begin, Ended, follow};
pub use followed::Followed;
pub use tally::{Dropped, Summary, Tally};

use target::Destinations;

/// How many bytes of requests may be on their way at once: each is in memory twice more, as it is
/// signed and as it is sent.
const IN_FLIGHT: usize = 4 << 20;

/// What all that ship share.
#[derive(Debug)]
pub struct Shipping<S> {
    /// The service.
    pub service: Arc<S>,
    /// How a group that is missing is made.
    pub group: GroupSettings,
    /// What begins an event.
    pub events: Option<LineStart>,
    /// How long an event may wait for others.
    pub flush_interval: Duration,
    /// The bound on memory.
    pub budget: Arc<Budget>,
    /// What was done.
    pub tally: Arc<Tally>,
    /// What was accepted, on disk.
    pub checkpoint: Option<Checkpoint>,
    /// Prints the lines.
    pub tee: Option<Tee>,
    destinations: Destinations,
    in_flight: Semaphore,
}

impl<S> Shipping<S> {
    /// Nothing is shipped yet.
    pub fn new(
        service: Arc<S>,
        job: &crate::job::Job,
        checkpoint: Option<Checkpoint>,
        tee: Option<Tee>,
    ) -> Self {
        Self {
            service,
            group: job.group.clone(),
            events: job.events.clone(),
            flush_interval: job.delivery.flush_interval,
            budget: Arc::new(Budget::new(job.delivery.buffer_bytes)),
            tally: Arc::default(),
            checkpoint,
            tee,
            destinations: Destinations::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
        }
    }
}

#[cfg(test)]
mod tests;
