//! Begins the ticks and gathers their points. Values are taken side by side; a source
//! that fails or is slow costs only its own points.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudwatch_metric::{Namespace, Point};
use cron_schedule::{Schedule, TickRate};
use diagnostics::chain;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metric_source::{Resources, Tick};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, interval_at};
use tracing::error;

use super::renewal::{self, renewed};
use super::scheduled_metric::{Sampled, ScheduledMetric};
use super::shared_outbox::SharedOutbox;
use crate::config::{Entry, tick_rate};
use crate::health::Status;

/// How often the points of a tick are handed over until the last is there. What is due
/// together leaves together, but a slow source shall not hold up what alarms wait for.
const HAND_OVER: Duration = Duration::from_secs(1);

/// Most missed ticks that are counted, times the schedules: it takes the only thread, and
/// who slept longer wants no exact number.
const MISSED_COUNTED: usize = 100_000;

/// Which entries a tick is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All, whatever their schedule says.
    All,
    /// Those whose schedule names the moment.
    Due,
}

/// The entries and the ticks that are being sampled.
pub(super) struct Sampler {
    scheduled: Vec<Arc<ScheduledMetric>>,
    timeout: Duration,
    resources: Arc<Resources>,
    status: Arc<Status>,
    /// Each gives what it was, by namespace.
    ticks: JoinSet<BTreeMap<Namespace, Yield>>,
    /// What the ticks put their points into.
    outbox: Arc<SharedOutbox>,
    /// Told when the ticks under way shall end with what they have.
    enough: watch::Sender<bool>,
    failed_samples: Arc<AtomicU64>,
}

impl Sampler {
    pub(super) fn new(
        entries: Vec<Entry>,
        timeout: Duration,
        resources: Arc<Resources>,
        status: Arc<Status>,
        outbox: Arc<SharedOutbox>,
    ) -> Self {
        Self {
            scheduled: renewal::new(entries),
            timeout,
            resources,
            status,
            ticks: JoinSet::new(),
            outbox,
            enough: watch::Sender::new(false),
            failed_samples: Arc::default(),
        }
    }

    /// How often the schedules must be looked at.
    pub(super) fn tick_rate(&self) -> TickRate {
        tick_rate(self.scheduled.iter().map(|scheduled| &scheduled.entry))
    }

    /// The schedules, each once.
    pub(super) fn schedules(&self) -> HashSet<Schedule> {
        let schedules = self
            .scheduled
            .iter()
            .map(|scheduled| &scheduled.entry.schedule);
        schedules.cloned().collect()
    }

    /// The namespaces that are published in.
    pub(super) fn namespaces(&self) -> HashSet<Namespace> {
        let namespaces = self
            .scheduled
            .iter()
            .map(|scheduled| &scheduled.entry.metric.namespace);
        namespaces.cloned().collect()
    }

    /// Begins to sample the tick of a moment.
    pub(super) fn start(&mut self, at: DateTime<Utc>, which: Which) {
        let due = |scheduled: &&Arc<ScheduledMetric>| {
            which == Which::All || scheduled.entry.schedule.is_due(at)
        };
        let scheduled: Vec<_> = self.scheduled.iter().filter(due).cloned().collect();
        if scheduled.is_empty() {
            return;
        }
        let begun = Gathering {
            scheduled,
            tick: Tick::new(at, self.timeout, self.resources.clone()),
            outbox: self.outbox.clone(),
            enough: self.enough.subscribe(),
            failed_samples: self.failed_samples.clone(),
        };
        self.ticks.spawn(begun.gather());
    }

    /// Waits until a tick has ended; `None` if none is under way.
    pub(super) async fn next(&mut self) -> Option<()> {
        match self.ticks.join_next().await? {
            Ok(yields) => self.report(yields),
            Err(failure) => error!(error = chain(&failure), "sampling task panicked"),
        }
        Some(())
    }

    /// Reports the namespaces that a tick gave no point for because sources failed.
    fn report(&self, yields: BTreeMap<Namespace, Yield>) {
        for (namespace, gave) in yields {
            if let (0, Some(first)) = (gave.points, gave.first_failure) {
                let why = match gave.failures {
                    1 => first,
                    all => format!("{first} (and {} more)", all - 1),
                };
                self.status.not_sampled(&namespace, why);
            }
        }
    }

    /// The ticks under way end with what they have, which is in the outbox then.
    pub(super) fn end_ticks(&self) {
        self.enough.send_replace(true);
    }

    /// Takes new entries; one that did not change keeps its state. Thousands take
    /// a while to compare, which is none of the only thread's business.
    pub(super) async fn replace(&mut self, entries: Vec<Entry>) {
        let old = self.scheduled.clone();
        match spawn_blocking(move || renewed(&old, entries)).await {
            Ok(scheduled) => {
                let old = std::mem::replace(&mut self.scheduled, scheduled);
                spawn_blocking(move || drop(old));
            }
            Err(failure) => error!(
                error = chain(&failure),
                "entries not replaced, keeping the old ones"
            ),
        }
    }

    /// How many ticks there were between two moments, both in, up to a bound.
    pub(super) fn due_between(&self, first: DateTime<Utc>, last: DateTime<Utc>) -> u64 {
        let schedules = self.schedules();
        let most = MISSED_COUNTED / schedules.len().max(1);
        let next_after = |at| schedules.iter().filter_map(|s| s.next_after(at)).min();
        let mut count = 0;
        let mut at = first - chrono::TimeDelta::seconds(1);
        while let Some(next) = next_after(at).filter(|next| *next <= last) {
            count += 1;
            at = next;
            if count == most as u64 {
                break;
            }
        }
        count
    }

    /// Tells of the sources that had nothing to give.
    pub(super) fn log_silent(&self) {
        self.scheduled
            .iter()
            .for_each(|scheduled| scheduled.log_if_silent());
    }

    /// How many values could not be had since the start; those of the ticks under way
    /// may still come.
    pub(super) fn failed_samples(&self) -> u64 {
        self.failed_samples.load(Ordering::Relaxed)
    }
}

/// A tick that is being sampled.
struct Gathering {
    scheduled: Vec<Arc<ScheduledMetric>>,
    tick: Tick,
    outbox: Arc<SharedOutbox>,
    enough: watch::Receiver<bool>,
    failed_samples: Arc<AtomicU64>,
}

/// What the sources of one namespace gave in a tick.
#[derive(Default)]
struct Yield {
    points: usize,
    /// How many sources failed.
    failures: usize,
    /// Why the first of them did.
    first_failure: Option<String>,
}

impl Yield {
    fn add(&mut self, sampled: &mut Sampled) {
        self.points += sampled.points.len();
        if let Some(failure) = sampled.failure.take() {
            self.failures += 1;
            self.first_failure.get_or_insert(failure);
        }
    }
}

impl Gathering {
    async fn gather(mut self) -> BTreeMap<Namespace, Yield> {
        for scheduled in &self.scheduled {
            scheduled.entry.source.announce(&self.tick);
        }
        let samples = self
            .scheduled
            .iter()
            .enumerate()
            .map(async |(place, scheduled)| {
                let sampled = scheduled.sample(&self.tick, &self.failed_samples).await;
                (place, sampled)
            });
        let mut yields = BTreeMap::<_, Yield>::new();
        let mut samples: FuturesUnordered<_> = samples.collect();
        let mut hand_overs = interval_at(Instant::now() + HAND_OVER, HAND_OVER);
        let mut waited_for: BTreeSet<_> = (0..self.scheduled.len()).collect();
        // In the order of the entries.
        let mut gathered = BTreeMap::new();
        loop {
            tokio::select! {
                biased;
                sample = samples.next() => match sample {
                    Some((place, mut sampled)) => {
                        waited_for.remove(&place);
                        let namespace = &self.scheduled[place].entry.metric.namespace;
                        yields.entry(namespace.clone()).or_default().add(&mut sampled);
                        gathered.insert(place, sampled.points);
                    }
                    None => break,
                },
                _ = self.enough.changed() => break,
                _ = hand_overs.tick() => self.outbox.push(all(&mut gathered)),
            }
        }
        self.outbox.push(all(&mut gathered));
        for place in waited_for {
            self.scheduled[place].give_up(&self.tick, &self.failed_samples);
        }
        yields
    }
}

fn all(gathered: &mut BTreeMap<usize, Vec<Point>>) -> Vec<Point> {
    let gathered = std::mem::take(gathered);
    gathered.into_values().flatten().collect()
}
