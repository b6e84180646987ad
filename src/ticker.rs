//! The clock's edge: one `tokio-cron-scheduler` job that ticks once a minute or once
//! a second. A tick only wakes its receiver, which works out with
//! [`elapsed_ticks`](cron_schedule::elapsed_ticks) what passed since the last one; so a tick
//! that is late, doubled or lost costs nothing.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cron_schedule::TickRate;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{error, warn};

use crate::clock;

/// How late a tick may be: the library looks every 500 ms whether its job is due.
const LATE_MAX: Duration = Duration::from_secs(2);

/// Longest wait for the library to forget a job.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A running clock. It stops when it is dropped, too, only nobody waits for it then.
#[derive(Debug)]
pub struct Ticker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

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

impl Ticker {
    /// Starts the clock. The receiver gets a tick soon (within half a second or so) after
    /// every whole minute or second; while one waits to be taken, further ones are dropped.
    pub async fn start(rate: TickRate) -> Result<(Self, mpsc::Receiver<()>), TickerError> {
        let mut clock = Clock::start(rate).await?;
        let (ticks, receiver) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = clock.forward(&ticks) => {}
                _ = stopped => {}
            }
            clock.shut_down().await;
        });
        Ok((Self { stop, task }, receiver))
    }

    /// Stops the clock; the receiver sees its channel closed.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            error!(%error, "ticker task panicked");
        }
    }
}

/// The system's clock, which ticks with `tokio-cron-scheduler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl clock::Clock for SystemClock {
    type Ticks = SystemTicks;

    #[expect(clippy::disallowed_methods, reason = "this is the clock's edge")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn ticks(&self, rate: TickRate) -> Result<SystemTicks, Box<dyn Error + Send + Sync>> {
        let (ticker, receiver) = Ticker::start(rate).await?;
        Ok(SystemTicks { ticker, receiver })
    }
}

/// The ticks of the system's clock.
#[derive(Debug)]
pub struct SystemTicks {
    ticker: Ticker,
    receiver: mpsc::Receiver<()>,
}

impl clock::Ticks for SystemTicks {
    async fn next(&mut self) {
        if self.receiver.recv().await.is_none() {
            // Only a ticker that was stopped is silent for good.
            std::future::pending().await
        }
    }

    async fn stop(self) {
        self.ticker.stop().await;
    }
}

/// The scheduler with its one job.
struct Clock {
    scheduler: JobScheduler,
    rate: TickRate,
    job: Job,
    sender: mpsc::Sender<()>,
    ticks: mpsc::Receiver<()>,
}

impl Clock {
    async fn start(rate: TickRate) -> Result<Self, TickerError> {
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
            job,
            sender,
            ticks,
        })
    }

    /// Passes ticks on until nobody takes them any more.
    ///
    /// The library waits for the wall clock to reach the job's next time. When the clock
    /// is put back that may take hours, so a job that stays silent is made anew.
    async fn forward(&mut self, receiver: &mpsc::Sender<()>) {
        let silence_max = self.rate.period() + LATE_MAX;
        while !receiver.is_closed() {
            if timeout(silence_max, self.ticks.recv()).await.is_ok() {
                // Full means that the receiver has a tick to come back to.
                let _ = receiver.try_send(());
                continue;
            }
            warn!(
                silent_s = silence_max.as_secs(),
                "clock did not tick, recreating its job"
            );
            self.remove_job().await;
            match add_job(&self.scheduler, self.rate, &self.sender).await {
                Ok(job) => self.job = job,
                Err(error) => error!(%error, "clock's job could not be made anew"),
            }
        }
    }

    async fn shut_down(mut self) {
        // The library's tasks outlive it; without the job they hold nothing of ours.
        self.remove_job().await;
        match timeout(REMOVE_TIMEOUT, self.scheduler.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "scheduler did not shut down"),
            Err(error) => warn!(%error, "scheduler did not shut down"),
        }
    }

    async fn remove_job(&self) {
        let id = self.job.guid();
        match timeout(REMOVE_TIMEOUT, self.scheduler.remove(&id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "scheduler did not remove the clock's job"),
            Err(error) => warn!(%error, "scheduler did not remove the clock's job"),
        }
    }
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
    async fn clock_beats_every_second_until_it_is_stopped() {
        let (ticker, mut ticks) = Ticker::start(TickRate::Second).await.unwrap();
        for _ in 0..2 {
            assert_eq!(timeout(PATIENCE, ticks.recv()).await, Ok(Some(())));
        }
        ticker.stop().await;
        while ticks.try_recv().is_ok() {}
        assert!(ticks.is_closed());
    }

    #[tokio::test]
    async fn clock_put_back_beats_again() {
        let mut clock = Clock::start(TickRate::Second).await.unwrap();
        // To the library, a clock that is put back is a next time far ahead.
        let far: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        let context = clock.scheduler.context();
        let mut jobs = context.metadata_storage.write().await;
        jobs.set_next_and_last_tick(clock.job.guid(), Some(far), None)
            .await
            .unwrap();
        drop(jobs);
        let (sender, mut receiver) = mpsc::channel(1);
        let ticks = async { timeout(PATIENCE, receiver.recv()).await };
        tokio::select! {
            () = clock.forward(&sender) => panic!("the receiver is there"),
            tick = ticks => assert_eq!(tick, Ok(Some(()))),
        }
        clock.shut_down().await;
    }
}
