//! How long to go on trying.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::DockerClientError;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// An engine that breaks off in the same place every time will not do better.
const FRUITLESS: u32 = 5;

/// Failures since the last success.
#[derive(Debug)]
pub(crate) struct Outage {
    limit: Duration,
    since: Option<Instant>,
    delay: Duration,
    fruitless: u32,
}

impl Outage {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            since: None,
            delay: Duration::ZERO,
            fruitless: 0,
        }
    }

    /// The engine answers again.
    pub(crate) fn over(&mut self) {
        self.since = None;
    }

    /// Something was read that was not known.
    pub(crate) fn progress(&mut self) {
        self.since = None;
        self.delay = Duration::ZERO;
        self.fruitless = 0;
    }

    /// Waits before the next try, or gives the error back if there shall be none. `fruitless`
    /// is a failure of the answer's own, which another try would meet again.
    pub(crate) async fn wait(
        &mut self,
        error: DockerClientError,
        fruitless: bool,
    ) -> Result<(), DockerClientError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.fruitless += u32::from(fruitless);
        if !error.is_transient() || since.elapsed() >= self.limit || self.fruitless >= FRUITLESS {
            return Err(error);
        }
        self.pause().await;
        Ok(())
    }

    /// Waits before the next try: not at all, then longer each time until there is progress.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.delay).await;
        self.delay = (self.delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY);
    }
}
