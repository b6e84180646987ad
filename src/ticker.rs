//! The clock's edge: one `tokio-cron-scheduler` job that ticks once a minute or once
//! a second. A tick only wakes its receiver, which works out with
//! [`elapsed_ticks`](cron_schedule::elapsed_ticks) what passed since the last one; so a tick
//! that is late, doubled or lost costs nothing.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cron_schedule::TickRate;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{error, warn};

use crate::clock::{Clock, Ticks};

/// How late a tick may be: the library looks every 500 ms whether its job is due.
const LATE_MAX: Duration = Duration::from_secs(2);

/// Longest wait for the library to forget a job.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the clock does not run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TickerError {
    #[error("cannot set up the scheduler")]
    SetUp { source: JobSchedulerError },
    #[error("cannot add the job {expression:?} to the scheduler")]
    Add {
        expression: &'static str,
        source: JobSchedulerError,
    },
    #[error("cannot start the scheduler")]
    Start { source: JobSchedulerError },
}

/// The system's clock, which ticks with `tokio-cron-scheduler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    type Ticks = SystemTicks;

    #[expect(clippy::disallowed_methods, reason = "this is the clock's edge")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn ticks(&self, rate: TickRate) -> Result<SystemTicks, Box<dyn Error + Send + Sync>> {
        Ok(SystemTicks::start(rate).await?)
    }
}

/// The ticks of the system's clock: the scheduler with its one job. While a tick waits to be
/// taken, further ones are dropped.
pub struct SystemTicks {
    scheduler: JobScheduler,
    rate: TickRate,
    /// None while it could not be made anew.
    job: Option<Job>,
    sender: mpsc::Sender<()>,
    ticks: mpsc::Receiver<()>,
    /// When a tick must have come.
    due: Instant,
}

impl fmt::Debug for SystemTicks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemTicks")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl SystemTicks {
    /// Starts the clock. A tick comes soon (within half a second or so) after every whole
    /// minute or second.
    pub async fn start(rate: TickRate) -> Result<Self, TickerError> {
        let scheduler = JobScheduler::new()
            .await
            .map_err(|source| TickerError::SetUp { source })?;
        // A tick that waits says all that further ones would.
        let (sender, ticks) = mpsc::channel(1);
        let job = add_job(&scheduler, rate, &sender).await?;
        scheduler
            .start()
            .await
            .map_err(|source| TickerError::Start { source })?;
        Ok(Self {
            scheduler,
            rate,
            job: Some(job),
            sender,
            ticks,
            due: Instant::now() + silence_max(rate),
        })
    }

    async fn recreate_job(&mut self) {
        self.remove_job().await;
        match add_job(&self.scheduler, self.rate, &self.sender).await {
            Ok(job) => self.job = Some(job),
            Err(error) => error!(%error, "clock's job could not be recreated"),
        }
    }

    async fn remove_job(&mut self) {
        let Some(job) = self.job.take() else {
            return;
        };
        match timeout(REMOVE_TIMEOUT, self.scheduler.remove(&job.guid())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "scheduler did not remove the clock's job"),
            Err(error) => warn!(%error, "scheduler did not remove the clock's job"),
        }
    }
}

impl Ticks for SystemTicks {
    /// The library waits for the wall clock to reach the job's next time. When the clock is
    /// put back that may take hours, so a job that stays silent is made anew. Whoever stops
    /// waiting in the middle of that leaves at worst one job too many, and its ticks are dropped.
    async fn next(&mut self) {
        let silence_max = silence_max(self.rate);
        while timeout_at(self.due, self.ticks.recv()).await.is_err() {
            warn!(
                silent_s = silence_max.as_secs(),
                "clock did not tick, recreating its job"
            );
            self.due = Instant::now() + silence_max;
            self.recreate_job().await;
        }
        self.due = Instant::now() + silence_max;
    }

    async fn stop(mut self) {
        // The library's tasks outlive it; without the job they hold nothing of ours.
        self.remove_job().await;
        match timeout(REMOVE_TIMEOUT, self.scheduler.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "scheduler did not shut down"),
            Err(error) => warn!(%error, "scheduler did not shut down"),
        }
    }
}

fn silence_max(rate: TickRate) -> Duration {
    rate.period() + LATE_MAX
}

async fn add_job(
    scheduler: &JobScheduler,
    rate: TickRate,
    sender: &mpsc::Sender<()>,
) -> Result<Job, TickerError> {
    let expression = match rate {
        TickRate::Minute => "0 * * * * *",
        TickRate::Second => "* * * * * *",
    };
    let failed = |source| TickerError::Add { expression, source };
    let sender = sender.clone();
    let job = Job::new(expression, move |_, _| {
        let _ = sender.try_send(());
    });
    let job = job.map_err(failed)?;
    scheduler.add(job.clone()).await.map_err(failed)?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for two ticks a second apart and a job made anew between them.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn clock_ticks_every_second_until_it_is_stopped() {
        let mut ticks = SystemTicks::start(TickRate::Second).await.unwrap();
        for _ in 0..2 {
            timeout(PATIENCE, ticks.next()).await.unwrap();
        }
        let sender = ticks.sender.clone();
        ticks.stop().await;
        assert!(sender.is_closed());
    }

    #[tokio::test]
    async fn clock_put_back_ticks_again_whoever_stops_waiting_meanwhile() {
        let mut ticks = SystemTicks::start(TickRate::Second).await.unwrap();
        // To the library, a clock that is put back is a next time far ahead.
        let far: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        let context = ticks.scheduler.context();
        let mut jobs = context.metadata_storage.write().await;
        let job = ticks.job.as_ref().unwrap().guid();
        jobs.set_next_and_last_tick(job, Some(far), None)
            .await
            .unwrap();
        drop(jobs);
        let often = Duration::from_millis(100);
        let ticked = async { while timeout(often, ticks.next()).await.is_err() {} };
        timeout(PATIENCE, ticked).await.unwrap();
        ticks.stop().await;
    }
}
