//! Wires everything: beats become ticks, ticks become points, points leave.
//!
//! Sampling never waits for sending. The sampler puts the points of a tick into the
//! store and wakes the lane of each namespace; a lane sends what the store holds for
//! its namespace, one request at a time. Lanes do not wait for each other, so a
//! namespace that is refused holds up no other.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use cron_schedule::{Beat, Missed, moments};
use diagnostics::chain;
use metric_source::Resources;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use crate::clock::{Beats, Clock};
use crate::config::{Config, Entry};
use crate::health::Status;
use crate::publish::{Failure, FailureKind, Retry, Sink};
use crate::spool::SpoolError;

mod lane;
mod lanes;
mod renewal;
mod sampler;
mod slot;
mod spooler;
mod store;
mod summary;

use lanes::{Lanes, Phase};
use sampler::{Sampler, Which};
pub use summary::Summary;

/// What the run is told while it goes on.
#[derive(Debug)]
pub struct Controls<F> {
    /// Completes when the run shall stop.
    pub shutdown: F,
    /// New entries, which take effect at the next tick.
    pub reload: mpsc::Receiver<Vec<Entry>>,
    /// Where the run tells how it is.
    pub status: Arc<Status>,
}

/// Why the run ended in disorder.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error("no AWS credentials were found")]
    NoCredentials { source: Failure },
    #[error("cannot use the spool folder (SPOOL_DIR)")]
    Spool { source: SpoolError },
    #[error("the clock does not beat")]
    Clock {
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Publishes until the shutdown comes, then sends what is held once more.
pub async fn run<S: Sink, C: Clock>(
    config: Config,
    sink: S,
    clock: C,
    controls: Controls<impl Future<Output = ()>>,
) -> Result<Summary, RunError> {
    let Controls {
        shutdown,
        mut reload,
        status,
    } = controls;
    tokio::pin!(shutdown);
    let started = Instant::now();
    let began = clock.now();
    status.started(began);
    let clock = Arc::new(clock);
    let grace = config.shutdown_grace;
    let mut lanes = tokio::select! {
        lanes = open(sink, &clock, &config, &status) => lanes?,
        () = &mut shutdown => return Ok(nothing_done(started)),
    };
    let resources = Arc::new(Resources::new(config.http.clone()));
    let mut sampler = Sampler::new(
        config.entries,
        config.source_timeout,
        resources,
        status.clone(),
    );
    status.publishes(sampler.namespaces());
    lanes.publish_in(sampler.namespaces());
    let mut beat_rate = sampler.beat();
    let mut beats = start_beats(&*clock, beat_rate).await?;
    status.expect(beat_rate, sampler.schedules());
    // Ticks may have passed while the credentials were waited for.
    let now = clock.now();
    let mut last = if config.publish_on_start {
        tell_missed(&sampler, moments(began, now, beat_rate).missed);
        sampler.start(whole_second(now), Which::All);
        now
    } else {
        sample_until(now, began, beat_rate, &mut sampler)
    };
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = beats.next() => {
                last = sample_until(clock.now(), last, beat_rate, &mut sampler);
                status.beat();
                status.unsampled(sampler.unsampled());
                lanes.maintain();
            }
            Some(points) = sampler.next() => lanes.push(points),
            Some(entries) = reload.recv() => {
                // What has passed is the old entries' and on their beat: the new ones
                // neither missed it nor make up for it.
                last = sample_until(clock.now(), last, beat_rate, &mut sampler);
                sampler.replace(entries).await;
                status.publishes(sampler.namespaces());
                lanes.publish_in(sampler.namespaces());
                if sampler.beat() != beat_rate {
                    match start_beats(&*clock, sampler.beat()).await {
                        Ok(new) => {
                            beat_rate = sampler.beat();
                            std::mem::replace(&mut beats, new).stop().await;
                        }
                        Err(failure) => error!(
                            error = chain(&failure),
                            "clock keeps its old rate, restart to change it"
                        ),
                    }
                }
                status.expect(beat_rate, sampler.schedules());
            }
        }
    }
    status.stopping();
    info!(
        grace_ms = millis(grace),
        points_held = lanes.held(),
        "stopping"
    );
    let grace = finish_sampling(&mut sampler, &mut lanes, grace).await;
    let (mut summary, ()) = tokio::join!(lanes.finish(Phase::Stopping, grace), beats.stop());
    summary.unsampled = sampler.unsampled();
    summary.log(started.elapsed());
    Ok(summary)
}

/// Publishes every metric once, now, and waits until the points are accepted or
/// their retries are spent.
pub async fn once<S: Sink, C: Clock>(
    config: Config,
    sink: S,
    clock: C,
    shutdown: impl Future<Output = ()>,
) -> Result<Summary, RunError> {
    tokio::pin!(shutdown);
    let started = Instant::now();
    let clock = Arc::new(clock);
    let grace = config.shutdown_grace;
    // Nobody asks for the health of a run that ends by itself.
    let status = Arc::new(Status::new(config.health_failures));
    let mut lanes = tokio::select! {
        lanes = open(sink, &clock, &config, &status) => lanes?,
        () = &mut shutdown => return Ok(nothing_done(started)),
    };
    let resources = Arc::new(Resources::new(config.http.clone()));
    let mut sampler = Sampler::new(config.entries, config.source_timeout, resources, status);
    sampler.start(whole_second(clock.now()), Which::All);
    let sampled = async {
        while let Some(points) = sampler.next().await {
            lanes.push(points);
        }
        sampler.tell_silent();
        lanes.finish(Phase::Finishing, Duration::MAX).await
    };
    let finished = tokio::select! {
        summary = sampled => Some(summary),
        () = &mut shutdown => None,
    };
    let mut summary = match finished {
        Some(summary) => summary,
        None => {
            info!(
                grace_ms = millis(grace),
                points_held = lanes.held(),
                "stopping"
            );
            let grace = finish_sampling(&mut sampler, &mut lanes, grace).await;
            lanes.finish(Phase::Stopping, grace).await
        }
    };
    summary.unsampled = sampler.unsampled();
    summary.log(started.elapsed());
    Ok(summary)
}

/// Waits for the ticks under way, no longer than a quarter of the grace: values that are
/// there shall be sent, and one slow source must not keep the process. Gives what is left.
async fn finish_sampling<S: Sink, C: Clock>(
    sampler: &mut Sampler,
    lanes: &mut Lanes<S, C>,
    grace: Duration,
) -> Duration {
    let began = Instant::now();
    let deadline = began + grace / 4;
    while let Ok(Some(points)) = timeout_at(deadline, sampler.next()).await {
        lanes.push(points);
    }
    sampler.end_ticks();
    while let Some(points) = sampler.next().await {
        lanes.push(points);
    }
    grace.saturating_sub(began.elapsed())
}

/// Waits for the credentials and takes up what is on disk, either of which may hang.
async fn open<S: Sink, C: Clock>(
    sink: S,
    clock: &Arc<C>,
    config: &Config,
    status: &Arc<Status>,
) -> Result<Lanes<S, C>, RunError> {
    wait_until_ready(&sink, config.retry).await?;
    let lanes = Lanes::open(sink, clock.clone(), config, status.clone()).await;
    lanes.map_err(|source| RunError::Spool { source })
}

/// Retries as a request would. Credentials that are not there end the run; a provider
/// that cannot be reached does not, for the points can wait for it.
async fn wait_until_ready(sink: &impl Sink, retry: Retry) -> Result<(), RunError> {
    let mut retries = 0;
    loop {
        let Err(failure) = sink.ready().await else {
            return Ok(());
        };
        if retries < retry.max {
            let delay = retry.delay(retries, None, &mut rand::rng());
            retries += 1;
            warn!(
                attempt = retries,
                delay_ms = millis(delay),
                error = match failure.kind {
                    // Where it was looked for is told at the end.
                    FailureKind::NoCredentials => failure.to_string(),
                    _ => chain(&failure),
                },
                "credentials not resolved, retrying"
            );
            sleep(delay).await;
        } else if failure.kind == FailureKind::NoCredentials {
            return Err(RunError::NoCredentials { source: failure });
        } else {
            error!(
                attempts = retries + 1,
                error = chain(&failure),
                "credentials not resolved, going on without"
            );
            return Ok(());
        }
    }
}

/// The end of a run that was stopped before it could begin.
fn nothing_done(started: Instant) -> Summary {
    let summary = Summary::default();
    summary.log(started.elapsed());
    summary
}

async fn start_beats<C: Clock>(clock: &C, beat: Beat) -> Result<C::Beats, RunError> {
    let beats = clock.beats(beat).await;
    beats.map_err(|source| RunError::Clock { source })
}

/// Begins the ticks of the moments since `last`; returns the new `last`.
fn sample_until(
    now: DateTime<Utc>,
    last: DateTime<Utc>,
    beat: Beat,
    sampler: &mut Sampler,
) -> DateTime<Utc> {
    let passed = moments(last, now, beat);
    tell_missed(sampler, passed.missed);
    for moment in passed.fresh {
        sampler.start(moment, Which::Due);
    }
    passed.last
}

/// A machine that slept misses ticks; values taken now would be others.
fn tell_missed(sampler: &Sampler, missed: Option<Missed>) {
    let Some(missed) = missed else {
        return;
    };
    let ticks = sampler.due_between(missed.first, missed.last);
    if ticks > 0 {
        warn!(
            ticks,
            missed_from = rfc3339(missed.first),
            missed_to = rfc3339(missed.last),
            "ticks missed"
        );
    }
}

fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::seconds(1)).unwrap_or(at)
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
