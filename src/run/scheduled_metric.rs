//! An entry in service: takes its value once a tick, never twice at a time, and tells
//! what went wrong with it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use cloudwatch_metric::{Metric, MetricError, MetricName, Point};
use diagnostics::chain;
use diagnostics::redacted_prefix;
use futures_util::FutureExt;
use metric_source::{Reading, SampleError, Tick};
use tokio::time::timeout;
use tracing::{debug, error, warn};

use crate::config::Entry;
use crate::format::{millis, rfc3339};
use crate::health::brief;

/// Most problems of one source in one tick that are logged one by one.
const PROBLEMS_LOGGED: usize = 10;

/// An entry with what it keeps between ticks.
pub(super) struct ScheduledMetric {
    pub(super) entry: Entry,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Set while the source is being sampled; it is never sampled twice at a time.
    busy: AtomicBool,
    /// Set if the source had nothing to give at the last tick, and no problem either.
    silent: AtomicBool,
}

/// What a source gave in one tick.
#[derive(Default)]
pub(super) struct Sampled {
    pub(super) points: Vec<Point>,
    /// Why it gave no point, or not all of them, unless there was none to give: an
    /// increase needs two readings, and what is still busy has its say later.
    pub(super) failure: Option<String>,
}

/// What a source that panicked gave.
#[derive(Debug, thiserror::Error)]
#[error("the source panicked, which is a defect of this program")]
struct Panicked;

impl ScheduledMetric {
    pub(super) fn new(entry: Entry) -> Self {
        Self {
            entry,
            state: Arc::default(),
        }
    }

    /// The same entry as a reload gives it, with what it kept so far.
    pub(super) fn renewed(&self, entry: Entry) -> Self {
        Self {
            entry: Entry {
                source: self.entry.source.clone(),
                ..entry
            },
            state: self.state.clone(),
        }
    }

    /// The points of a tick; `failed_samples` counts the values that could not be had.
    pub(super) async fn sample(&self, tick: &Tick, failed_samples: &AtomicU64) -> Sampled {
        let Some(_busy) = Busy::set(&self.state.busy) else {
            self.tell("source is still busy with an earlier tick", tick, None);
            failed_samples.fetch_add(1, Ordering::Relaxed);
            return Sampled::default();
        };
        // A panic, too, costs only the source's own points.
        let sampling = AssertUnwindSafe(async { self.entry.source.sample(tick).await });
        let sampled = timeout(tick.timeout, sampling.catch_unwind()).await;
        let sampled = sampled.map(|sampled| sampled.unwrap_or_else(|_| Err(Panicked.into())));
        let failure = match sampled {
            Ok(Ok(readings)) => {
                let mut problems = readings.problems;
                let points = self.points(tick.at, readings.readings, &mut problems);
                failed_samples.fetch_add(problems.len() as u64, Ordering::Relaxed);
                self.log_problems(tick, &problems);
                let is_silent = points.is_empty() && problems.is_empty();
                self.state.silent.store(is_silent, Ordering::Relaxed);
                let failure = problems.first().map(|problem| brief(&**problem));
                let failure = failure.map(|why| self.failure(&why));
                return Sampled { points, failure };
            }
            Ok(Err(failure)) => {
                self.tell("source failed", tick, Some(&failure));
                brief(&*failure)
            }
            Err(_) => {
                self.tell("source timed out", tick, None);
                format!("no value within {} ms", millis(tick.timeout))
            }
        };
        failed_samples.fetch_add(1, Ordering::Relaxed);
        Sampled {
            points: Vec::new(),
            failure: Some(self.failure(&failure)),
        }
    }

    /// What failed and why, for the health.
    fn failure(&self, why: &str) -> String {
        format!(
            "source of {}: {why}",
            redacted_prefix(self.entry.metric.name.as_str())
        )
    }

    /// Gives up on a source that is still being sampled when the run stops.
    pub(super) fn give_up(&self, tick: &Tick, failed_samples: &AtomicU64) {
        self.tell("source cut off by shutdown", tick, None);
        failed_samples.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells of a source that had nothing to give, for a run that asks only once.
    pub(super) fn log_if_silent(&self) {
        if self.state.silent.load(Ordering::Relaxed) {
            warn!(
                metric = %self.entry.metric,
                crontab_line = self.entry.line,
                hint = "an increase, of a counter or of network traffic, needs two ticks: publish it with run",
                "source gave no value"
            );
        }
    }

    fn points(
        &self,
        at: DateTime<Utc>,
        readings: Vec<Reading>,
        problems: &mut Vec<SampleError>,
    ) -> Vec<Point> {
        let mut points = Vec::with_capacity(readings.len());
        for reading in readings {
            let value = reading.value;
            match self.metric(reading) {
                Ok(metric) => points.push(Point { metric, at, value }),
                Err(error) => problems.push(Box::new(error)),
            }
        }
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

    fn log_problems(&self, tick: &Tick, problems: &[SampleError]) {
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

#[cfg(test)]
mod tests {
    use cloudwatch_metric::{Dimension, Resolution, Unit, Value};
    use cron_schedule::Schedule;
    use metric_source::{Options, SourceText, parse};

    use super::*;

    fn scheduled() -> ScheduledMetric {
        ScheduledMetric::new(Entry {
            metric: Arc::new(Metric {
                namespace: "N".parse().unwrap(),
                name: "M".parse().unwrap(),
                unit: Unit::Count,
                dimensions: "A=1".parse().unwrap(),
                resolution: Resolution::Standard,
            }),
            schedule: Schedule::parse("* * * * *", Default::default()).unwrap(),
            source: parse("1", &Options::default()).unwrap(),
            source_text: SourceText::new("1"),
            options: Arc::default(),
            line: None,
        })
    }

    /// A reading that has these beside what the entry says.
    fn reading(suffix: &'static str, dimensions: &[(&str, &str)]) -> Reading {
        let dimensions = dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| Dimension::new(name, value).unwrap());
        Reading {
            dimensions: dimensions.collect(),
            suffix,
            ..Value::try_from(1.0).unwrap().into()
        }
    }

    #[test]
    fn reading_with_a_suffix_or_dimensions_is_a_metric_of_its_own() {
        for (suffix, dimensions, metric) in [
            ("", &[][..], "N/M{A=1}"),
            ("Max", &[], "N/MMax{A=1}"),
            ("", &[("B", "2")], "N/M{A=1,B=2}"),
            ("Max", &[("B", "2")], "N/MMax{A=1,B=2}"),
        ] {
            let mut problems = Vec::new();
            let readings = vec![reading(suffix, dimensions)];
            let points = scheduled().points(DateTime::UNIX_EPOCH, readings, &mut problems);
            assert_eq!(points[0].metric.to_string(), metric);
            assert!(problems.is_empty());
        }
    }
}
