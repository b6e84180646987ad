//! The clock's edge: one `tokio-cron-scheduler` job that beats once a minute or once
//! a second. A beat only wakes its receiver, which works out with
//! [`moments`](cron_schedule::moments) what passed since the last one; so a beat
//! that is late, doubled or lost costs nothing.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cron_schedule::Beat;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{error, warn};

use crate::clock;

/// How late a beat may be: the library looks every 500 ms whether its job is due.
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
    /// Starts the clock. The receiver gets a beat soon (within half a second or so) after
    /// every whole minute or second; while one waits to be taken, further ones are dropped.
    pub async fn start(beat: Beat) -> Result<(Self, mpsc::Receiver<()>), TickerError> {
        let mut clock = Clock::start(beat).await?;
        let (beats, receiver) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = clock.forward(&beats) => {}
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
            error!(%error, "ticker ended in disorder");
        }
    }
}

/// The system's clock, which beats with `tokio-cron-scheduler`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl clock::Clock for SystemClock {
    type Beats = SystemBeats;

    #[expect(clippy::disallowed_methods, reason = "this is the clock's edge")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn beats(&self, beat: Beat) -> Result<SystemBeats, Box<dyn Error + Send + Sync>> {
        let (ticker, receiver) = Ticker::start(beat).await?;
        Ok(SystemBeats { ticker, receiver })
    }
}

/// The beats of the system's clock.
#[derive(Debug)]
pub struct SystemBeats {
    ticker: Ticker,
    receiver: mpsc::Receiver<()>,
}

impl clock::Beats for SystemBeats {
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
    beat: Beat,
    job: Job,
    sender: mpsc::Sender<()>,
    beats: mpsc::Receiver<()>,
}

impl Clock {
    async fn start(beat: Beat) -> Result<Self, TickerError> {
        let scheduler = JobScheduler::new()
            .await
            .map_err(|source| TickerError::SetUp { source })?;
        // A beat that waits says all that further ones would.
        let (sender, beats) = mpsc::channel(1);
        let job = add_job(&scheduler, beat, &sender).await?;
        scheduler
            .start()
            .await
            .map_err(|source| TickerError::Start { source })?;
        Ok(Self {
            scheduler,
            beat,
            job,
            sender,
            beats,
        })
    }

    /// Passes beats on until nobody takes them any more.
    ///
    /// The library waits for the wall clock to reach the job's next time. When the clock
    /// is put back that may take hours, so a job that stays silent is made anew.
    async fn forward(&mut self, receiver: &mpsc::Sender<()>) {
        let silence_max = self.beat.period() + LATE_MAX;
        while !receiver.is_closed() {
            if timeout(silence_max, self.beats.recv()).await.is_ok() {
                // Full means that the receiver has a beat to come back to.
                let _ = receiver.try_send(());
                continue;
            }
            warn!(
                silent_s = silence_max.as_secs(),
                "clock gave no beat, its job is made anew"
            );
            self.remove_job().await;
            match add_job(&self.scheduler, self.beat, &self.sender).await {
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
    beat: Beat,
    sender: &mpsc::Sender<()>,
) -> Result<Job, TickerError> {
    let expression = match beat {
        Beat::Minute => "0 * * * * *",
        Beat::Second => "* * * * * *",
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

    /// Long enough for two beats a second apart and a job made anew between them.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn clock_beats_every_second_until_it_is_stopped() {
        let (ticker, mut beats) = Ticker::start(Beat::Second).await.unwrap();
        for _ in 0..2 {
            assert_eq!(timeout(PATIENCE, beats.recv()).await, Ok(Some(())));
        }
        ticker.stop().await;
        while beats.try_recv().is_ok() {}
        assert!(beats.is_closed());
    }

    #[tokio::test]
    async fn clock_put_back_beats_again() {
        let mut clock = Clock::start(Beat::Second).await.unwrap();
        // To the library, a clock that is put back is a next time far ahead.
        let far: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        let context = clock.scheduler.context();
        let mut jobs = context.metadata_storage.write().await;
        jobs.set_next_and_last_tick(clock.job.guid(), Some(far), None)
            .await
            .unwrap();
        drop(jobs);
        let (sender, mut receiver) = mpsc::channel(1);
        let beats = async { timeout(PATIENCE, receiver.recv()).await };
        tokio::select! {
            () = clock.forward(&sender) => panic!("the receiver is there"),
            beat = beats => assert_eq!(beat, Ok(Some(()))),
        }
        clock.shut_down().await;
    }
}
