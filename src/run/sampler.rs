//! Takes the values of a tick side by side. A source that fails or is slow costs only
//! its own points.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{debug, error};

use super::{millis, rfc3339};
use crate::config::{Entry, beat};
use crate::metric::{Metric, MetricError, MetricName, Namespace, Point};
use crate::schedule::{Beat, Schedule};
use crate::source::{Reading, Resources, SampleError, Tick};
use crate::telemetry::chain;

/// Most problems of one source in one tick that are logged one by one.
const PROBLEMS_LOGGED: usize = 10;

/// Most missed ticks that are counted: it takes the only thread, and who slept longer
/// wants no exact number.
const MISSED_COUNTED: u64 = 10_000;

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
    slots: Vec<Arc<Slot>>,
    timeout: Duration,
    resources: Arc<Resources>,
    ticks: JoinSet<Vec<Point>>,
    unsampled: Arc<AtomicU64>,
}

/// An entry with what it keeps between ticks.
struct Slot {
    entry: Entry,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Set while the source is being sampled; it is never sampled twice at a time.
    busy: AtomicBool,
    /// The metrics of the last tick, so that ten thousand held points of a series share one.
    metrics: Mutex<HashSet<Arc<Metric>>>,
}

impl Sampler {
    pub(super) fn new(entries: Vec<Entry>, timeout: Duration, resources: Arc<Resources>) -> Self {
        let slot = |entry| {
            let state = Arc::default();
            Arc::new(Slot { entry, state })
        };
        Self {
            slots: entries.into_iter().map(slot).collect(),
            timeout,
            resources,
            ticks: JoinSet::new(),
            unsampled: Arc::default(),
        }
    }

    /// How often the schedules must be looked at.
    pub(super) fn beat(&self) -> Beat {
        beat(self.slots.iter().map(|slot| &slot.entry))
    }

    /// The schedules, each once.
    pub(super) fn schedules(&self) -> HashSet<Schedule> {
        let schedules = self.slots.iter().map(|slot| &slot.entry.schedule);
        schedules.cloned().collect()
    }

    /// The namespaces that are published in.
    pub(super) fn namespaces(&self) -> HashSet<Namespace> {
        let namespaces = self.slots.iter().map(|slot| &slot.entry.metric.namespace);
        namespaces.cloned().collect()
    }

    /// Begins to sample the tick of a moment.
    pub(super) fn start(&mut self, at: DateTime<Utc>, which: Which) {
        let due = |slot: &&Arc<Slot>| which == Which::All || slot.entry.schedule.is_due(at);
        let slots: Vec<_> = self.slots.iter().filter(due).cloned().collect();
        if slots.is_empty() {
            return;
        }
        let tick = Tick::new(at, self.timeout, self.resources.clone());
        let unsampled = self.unsampled.clone();
        self.ticks.spawn(async move {
            let samples = join_all(slots.iter().map(|slot| slot.sample(&tick, &unsampled))).await;
            samples.into_iter().flatten().collect()
        });
    }

    /// The points of the next tick that is sampled whole; `None` if none is under way.
    pub(super) async fn finished(&mut self) -> Option<Vec<Point>> {
        self.ticks.join_next().await.map(points_of)
    }

    /// Takes new entries; one that did not change keeps its state.
    pub(super) fn replace(&mut self, entries: Vec<Entry>) {
        let mut old = std::mem::take(&mut self.slots);
        let slot = |mut entry: Entry| {
            let same = old.iter().position(|slot| slot.entry.is_same(&entry));
            let state = match same.map(|position| old.swap_remove(position)) {
                Some(slot) => {
                    entry.source = slot.entry.source.clone();
                    slot.state.clone()
                }
                None => Arc::default(),
            };
            Arc::new(Slot { entry, state })
        };
        self.slots = entries.into_iter().map(slot).collect();
    }

    /// How many ticks there were between two moments, both in; at most [`MISSED_COUNTED`].
    pub(super) fn due_between(&self, first: DateTime<Utc>, last: DateTime<Utc>) -> u64 {
        let schedules = self.schedules();
        let next_after = |at| schedules.iter().filter_map(|s| s.next_after(at)).min();
        let mut count = 0;
        let mut at = first - chrono::TimeDelta::seconds(1);
        while let Some(next) = next_after(at).filter(|next| *next <= last) {
            count += 1;
            at = next;
            if count == MISSED_COUNTED {
                break;
            }
        }
        count
    }

    /// How many ticks are being sampled.
    pub(super) fn under_way(&self) -> u64 {
        self.ticks.len() as u64
    }

    /// How many values could not be had since the start.
    pub(super) fn unsampled(&self) -> u64 {
        self.unsampled.load(Ordering::Relaxed)
    }
}

/// What a source that panicked gave.
#[derive(Debug, thiserror::Error)]
#[error("the source panicked, which is a defect of this program")]
struct Panicked;

fn points_of(sampled: Result<Vec<Point>, JoinError>) -> Vec<Point> {
    sampled.unwrap_or_else(|failure| {
        error!(error = chain(&failure), "sampling ended in disorder");
        Vec::new()
    })
}

impl Slot {
    async fn sample(&self, tick: &Tick, unsampled: &AtomicU64) -> Vec<Point> {
        let Some(_busy) = Busy::set(&self.state.busy) else {
            self.tell("source is still busy with an earlier tick", tick, None);
            unsampled.fetch_add(1, Ordering::Relaxed);
            return Vec::new();
        };
        // A panic, too, costs only the source's own points.
        let sampling = AssertUnwindSafe(async { self.entry.source.sample(tick).await });
        let sampled = timeout(tick.timeout, sampling.catch_unwind()).await;
        let sampled = sampled.map(|sampled| sampled.unwrap_or_else(|_| Err(Panicked.into())));
        match sampled {
            Ok(Ok(readings)) => {
                let mut problems = readings.problems;
                let points = self.points(tick.at, readings.readings, &mut problems);
                unsampled.fetch_add(problems.len() as u64, Ordering::Relaxed);
                self.tell_problems(tick, &problems);
                points
            }
            Ok(Err(failure)) => {
                self.tell("source failed", tick, Some(&failure));
                unsampled.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            }
            Err(_) => {
                self.tell("source timed out", tick, None);
                unsampled.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            }
        }
    }

    fn points(
        &self,
        at: DateTime<Utc>,
        readings: Vec<Reading>,
        problems: &mut Vec<SampleError>,
    ) -> Vec<Point> {
        let metrics = &self.state.metrics;
        let mut known = metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = HashSet::new();
        let mut points = Vec::with_capacity(readings.len());
        for reading in readings {
            let value = reading.value;
            match self.metric(reading) {
                Ok(metric) => {
                    let metric = known.get(&metric).cloned().unwrap_or(metric);
                    seen.insert(metric.clone());
                    points.push(Point { metric, at, value });
                }
                Err(error) => problems.push(Box::new(error)),
            }
        }
        *known = seen;
        points
    }

    fn metric(&self, reading: Reading) -> Result<Arc<Metric>, MetricError> {
        let own = &self.entry.metric;
        if reading.suffix.is_empty() && reading.dimensions.is_empty() {
            return Ok(own.clone());
        }
        let name = format!("{}{}", own.name, reading.suffix);
        Ok(Arc::new(Metric {
            name: name.parse::<MetricName>()?,
            dimensions: own.dimensions.with(reading.dimensions)?,
            ..Metric::clone(own)
        }))
    }

    fn tell_problems(&self, tick: &Tick, problems: &[SampleError]) {
        for problem in problems.iter().take(PROBLEMS_LOGGED) {
            self.tell("source gave a bad value", tick, Some(problem));
        }
        let more = problems.len().saturating_sub(PROBLEMS_LOGGED);
        if more > 0 {
            debug!(metric = %self.entry.metric, problems = more, "source gave more bad values");
        }
    }

    fn tell(&self, what: &'static str, tick: &Tick, failure: Option<&SampleError>) {
        error!(
            metric = %self.entry.metric,
            crontab_line = self.entry.line,
            point_timestamp = rfc3339(tick.at),
            timeout_ms = millis(tick.timeout),
            error = failure.map(|failure| chain(&**failure)),
            "{what}"
        );
    }
}

/// Marks a source as being sampled until it is dropped, at a time-out too.
struct Busy<'a>(&'a AtomicBool);

impl<'a> Busy<'a> {
    fn set(flag: &'a AtomicBool) -> Option<Self> {
        // Made only if it is to be kept: dropping it would clear another's mark.
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(flag))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
