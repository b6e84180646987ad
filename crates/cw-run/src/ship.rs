//! Ships what containers print: a reader for each container, a sender for each of its streams,
//! and what they share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::checkpoint::Checkpoint;
use crate::cloudwatch_manager::StreamName;
use crate::event::LineStart;
use crate::job::GroupSettings;
use crate::tee::Tee;

mod budget;
mod follow;
mod lane;
mod lines;
mod patience;
mod sender;
mod tally;

pub use budget::Budget;
pub use follow::{Begin, Ended, Followed, follow};
pub use tally::{Dropped, Summary, Tally};

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

/// A stream that is sent to, whoever does.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: StreamName,
    /// One request at a time; and whether the stream is known to be there.
    pub(crate) turn: tokio::sync::Mutex<bool>,
}

/// Streams by name: several containers may go to one, and several streams are in one group.
#[derive(Debug, Default)]
struct Destinations {
    targets: Mutex<HashMap<StreamName, Arc<Target>>>,
    /// Groups whose retention was set, or could not be.
    retained: Mutex<std::collections::HashSet<String>>,
}

impl Destinations {
    fn target(&self, name: &StreamName) -> Arc<Target> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody sends to any more need not be known.
        targets.retain(|_, target| Arc::strong_count(target) > 1);
        let target = targets.entry(name.clone()).or_insert_with(|| {
            Arc::new(Target {
                name: name.clone(),
                turn: tokio::sync::Mutex::new(false),
            })
        });
        target.clone()
    }

    /// Whether the retention of this group is still to be set; once.
    fn is_to_retain(&self, group: &str) -> bool {
        self.retained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group.to_owned())
    }
}

#[cfg(test)]
mod tests;
