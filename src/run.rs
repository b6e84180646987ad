//! Wires everything: the clock ticks, ticks become points, points leave.
//!
//! Sampling never waits for sending. A tick puts its points into the outbox, which wakes
//! the sender of each namespace; a sender sends what the outbox holds for its namespace,
//! one request at a time. Senders do not wait for each other, so a
//! namespace that is refused holds up no other.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use cron_schedule::{Missed, TickRate, elapsed_ticks};
use diagnostics::chain;
use metric_source::Resources;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use crate::clock::{Clock, Ticks};
use crate::config::{Config, Entry};
use crate::format::{millis, rfc3339};
use crate::health::Status;
use crate::publish::{RequestError, RequestErrorKind, Retry, Sink};
use crate::spool::SpoolError;

mod renewal;
mod sampler;
mod scheduled_metric;
mod sender;
mod senders;
mod shared;
mod shared_outbox;
mod spooler;
mod summary;

use sampler::{Sampler, Which};
use senders::NamespaceSenders;
use shared::Phase;
pub use summary::Summary;

/// What the run is told while it goes on.
#[derive(Debug)]
pub struct Controls<F> {
    /// Completes when the run shall stop.
    pub shutdown: F,
    /// New entries, which take effect at the next tick.
    pub reload: mpsc::Receiver<Vec<Entry>>,
    /// Told of each tick, once its sampling has begun.
    pub ticked: Arc<Notify>,
    /// Where the run tells how it is.
    pub status: Arc<Status>,
}

/// Why the run ended in disorder.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error("no AWS credentials were found")]
    NoCredentials { source: RequestError },
    #[error("cannot use the spool folder (SPOOL_DIR)")]
    Spool { source: SpoolError },
    #[error("the clock does not tick")]
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
        ticked,
        status,
    } = controls;
    tokio::pin!(shutdown);
    let started = Instant::now();
    let began = clock.now();
    status.started(began);
    let clock = Arc::new(clock);
    let grace = config.shutdown_grace;
    let mut senders = tokio::select! {
        senders = open(sink, &clock, &config, &status) => senders?,
        () = &mut shutdown => return Ok(nothing_done(started)),
    };
    let resources = Arc::new(Resources::new(config.http.clone()));
    let mut sampler = Sampler::new(
        config.entries,
        config.source_timeout,
        resources,
        status.clone(),
        senders.outbox(),
    );
    status.publishes(sampler.namespaces());
    senders.publish_in(sampler.namespaces());
    let mut rate = sampler.tick_rate();
    let mut ticks = start_ticks(&*clock, rate).await?;
    status.expect(rate, sampler.schedules());
    // Ticks may have passed while the credentials were waited for.
    let now = clock.now();
    let mut last = if config.publish_on_start {
        log_missed_ticks(&sampler, elapsed_ticks(began, now, rate).missed);
        sampler.start(whole_second(now), Which::All);
        now
    } else {
        sample_until(now, began, rate, &mut sampler)
    };
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = ticks.next() => {
                last = sample_until(clock.now(), last, rate, &mut sampler);
                status.ticked();
                ticked.notify_one();
                status.failed_samples(sampler.failed_samples());
                senders.maintain();
            }
            Some(()) = sampler.next() => {}
            () = senders.unattended() => senders.attend(),
            Some(entries) = reload.recv() => {
                // What has passed is the old entries' and at their rate: the new ones
                // neither missed it nor make up for it.
                last = sample_until(clock.now(), last, rate, &mut sampler);
                sampler.replace(entries).await;
                status.publishes(sampler.namespaces());
                senders.publish_in(sampler.namespaces());
                if sampler.tick_rate() != rate {
                    match start_ticks(&*clock, sampler.tick_rate()).await {
                        Ok(new) => {
                            rate = sampler.tick_rate();
                            std::mem::replace(&mut ticks, new).stop().await;
                        }
                        Err(failure) => error!(
                            error = chain(&failure),
                            "clock rate not changed, restart to change it"
                        ),
                    }
                }
                status.expect(rate, sampler.schedules());
            }
        }
    }
    status.stopping();
    info!(
        grace_ms = millis(grace),
        points_held = senders.held(),
        "stopping"
    );
    let grace = finish_sampling(&mut sampler, &mut senders, grace).await;
    let (mut summary, ()) = tokio::join!(senders.finish(Phase::Stopping, grace), ticks.stop());
    summary.failed_samples = sampler.failed_samples();
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
    let mut senders = tokio::select! {
        senders = open(sink, &clock, &config, &status) => senders?,
        () = &mut shutdown => return Ok(nothing_done(started)),
    };
    let resources = Arc::new(Resources::new(config.http.clone()));
    let (timeout, outbox) = (config.source_timeout, senders.outbox());
    let mut sampler = Sampler::new(config.entries, timeout, resources, status, outbox);
    sampler.start(whole_second(clock.now()), Which::All);
    let sampled = async {
        sampled(&mut sampler, &mut senders).await;
        sampler.log_silent();
        senders.finish(Phase::Finishing, Duration::MAX).await
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
                points_held = senders.held(),
                "stopping"
            );
            let grace = finish_sampling(&mut sampler, &mut senders, grace).await;
            senders.finish(Phase::Stopping, grace).await
        }
    };
    summary.failed_samples = sampler.failed_samples();
    summary.log(started.elapsed());
    Ok(summary)
}

/// Waits for the ticks under way, no longer than a quarter of the grace: values that are
/// there shall be sent, and one slow source must not keep the process. Gives what is left.
async fn finish_sampling<S: Sink, C: Clock>(
    sampler: &mut Sampler,
    senders: &mut NamespaceSenders<S, C>,
    grace: Duration,
) -> Duration {
    let began = Instant::now();
    let deadline = began + grace / 4;
    if timeout_at(deadline, sampled(sampler, senders))
        .await
        .is_err()
    {
        sampler.end_ticks();
        sampled(sampler, senders).await;
    }
    grace.saturating_sub(began.elapsed())
}

/// Waits until no tick is under way. Senders begin when points come for them.
async fn sampled<S: Sink, C: Clock>(sampler: &mut Sampler, senders: &mut NamespaceSenders<S, C>) {
    loop {
        tokio::select! {
            () = senders.unattended() => senders.attend(),
            ended = sampler.next() => if ended.is_none() {
                break;
            },
        }
    }
}

/// Waits for the credentials and takes up what is on disk, either of which may hang.
async fn open<S: Sink, C: Clock>(
    sink: S,
    clock: &Arc<C>,
    config: &Config,
    status: &Arc<Status>,
) -> Result<NamespaceSenders<S, C>, RunError> {
    wait_until_ready(&sink, config.retry).await?;
    let senders = NamespaceSenders::open(sink, clock.clone(), config, status.clone()).await;
    senders.map_err(|source| RunError::Spool { source })
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
                    RequestErrorKind::NoCredentials => failure.to_string(),
                    _ => chain(&failure),
                },
                "credentials unavailable, retrying"
            );
            sleep(delay).await;
        } else if failure.kind == RequestErrorKind::NoCredentials {
            return Err(RunError::NoCredentials { source: failure });
        } else {
            error!(
                attempts = retries + 1,
                error = chain(&failure),
                "credentials unavailable, continuing without"
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

async fn start_ticks<C: Clock>(clock: &C, rate: TickRate) -> Result<C::Ticks, RunError> {
    let ticks = clock.ticks(rate).await;
    ticks.map_err(|source| RunError::Clock { source })
}

/// Begins the ticks of the moments since `last`; returns the new `last`.
fn sample_until(
    now: DateTime<Utc>,
    last: DateTime<Utc>,
    rate: TickRate,
    sampler: &mut Sampler,
) -> DateTime<Utc> {
    let passed = elapsed_ticks(last, now, rate);
    log_missed_ticks(sampler, passed.missed);
    for moment in passed.fresh {
        sampler.start(moment, Which::Due);
    }
    passed.last
}

/// A machine that slept misses ticks; values taken now would be others.
fn log_missed_ticks(sampler: &Sampler, missed: Option<Missed>) {
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
