//! What the run tells about itself, and what follows from it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::report::{Condition, Report};
use crate::metric::Namespace;
use crate::outbox::Losses;
use crate::schedule::{Beat, Schedule};
use crate::text::excerpt;

/// So many beats may fail to come before the clock counts as stalled.
const STALLED_BEATS: u32 = 3;
/// How late a beat may be beside that: the ticker looks every 500 ms, and makes a job
/// that stays silent anew after two seconds.
const STALLED_SLACK: Duration = Duration::from_secs(5);

/// The status of the running process. The run tells, the server asks.
#[derive(Debug)]
pub struct Status {
    failures_max: u32,
    facts: Mutex<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    started: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    /// The failed ticks in a row, and why the last of them failed.
    failures: BTreeMap<Namespace, (u32, String)>,
    held: usize,
    losses: Losses,
    unsampled: u64,
    schedules: HashSet<Schedule>,
    /// The last beat; none before the first tick and once the run ends.
    beat: Option<(Beat, Instant)>,
}

impl Status {
    /// Of a process that is about to start. `failures_max` consecutive failed ticks of a
    /// namespace make it unhealthy.
    #[must_use]
    pub fn new(failures_max: u32) -> Self {
        Self {
            failures_max,
            facts: Mutex::default(),
        }
    }

    /// The process began to work.
    pub fn started(&self, now: DateTime<Utc>) {
        self.facts().started = Some(now);
    }

    /// From now on the clock beats and these schedules say what is due.
    pub fn expect(&self, beat: Beat, schedules: HashSet<Schedule>) {
        let mut facts = self.facts();
        facts.schedules = schedules;
        // A reload that leaves the rate as it is must not hide that the clock stalled.
        if facts.beat.is_none_or(|(old, _)| old != beat) {
            facts.beat = Some((beat, Instant::now()));
        }
    }

    /// Forgets the failures of namespaces that nothing is published in any more.
    pub fn forget_others(&self, published: &HashSet<Namespace>) {
        let failures = &mut self.facts().failures;
        failures.retain(|namespace, _| published.contains(namespace));
    }

    /// The clock did beat.
    pub fn beat(&self) {
        if let Some((_, last)) = &mut self.facts().beat {
            *last = Instant::now();
        }
    }

    /// No more beats are to come.
    pub fn stopping(&self) {
        let mut facts = self.facts();
        facts.schedules.clear();
        facts.beat = None;
    }

    /// A tick of a namespace was accepted whole, or what was held for it.
    pub fn succeeded(&self, namespace: &Namespace, now: DateTime<Utc>) {
        let mut facts = self.facts();
        facts.last_success = Some(now);
        facts.failures.remove(namespace);
    }

    /// A tick of a namespace could not be sent, or none of its points was accepted.
    pub fn failed(&self, namespace: &Namespace, why: &str) {
        let mut facts = self.facts();
        let failures = facts.failures.entry(namespace.clone()).or_default();
        *failures = (failures.0.saturating_add(1), excerpt(why));
    }

    /// Nothing is held for a namespace any more, be it that it was accepted or lost.
    pub fn recovered(&self, namespace: &Namespace) {
        self.facts().failures.remove(namespace);
    }

    /// How many points are held now, and how many were lost so far.
    pub fn holds(&self, points: usize, losses: Losses) {
        let mut facts = self.facts();
        facts.held = points;
        facts.losses = losses;
    }

    /// How many values could not be had so far.
    pub fn unsampled(&self, values: u64) {
        self.facts().unsampled = values;
    }

    /// What there is to tell at a moment.
    #[must_use]
    pub fn report(&self, now: DateTime<Utc>) -> Report {
        let facts = self.facts();
        let next = facts.schedules.iter().filter_map(|s| s.next_after(now));
        let failures = facts.failures.iter();
        Report {
            condition: self.condition(&facts),
            started: facts.started,
            last_success: facts.last_success,
            failures: failures
                .map(|(n, (count, _))| (n.clone(), *count))
                .collect(),
            held: facts.held,
            losses: facts.losses,
            unsampled: facts.unsampled,
            next_tick: next.min(),
        }
    }

    fn condition(&self, facts: &Facts) -> Condition {
        if let Some((beat, last)) = facts.beat {
            let silent = last.elapsed();
            if silent > beat.period() * STALLED_BEATS + STALLED_SLACK {
                return Condition::Unhealthy(format!(
                    "the clock gave no beat for {} s, one was due every {} s",
                    silent.as_secs(),
                    beat.period().as_secs()
                ));
            }
        }
        let failed = facts.failures.iter();
        let failed = failed.filter(|(_, (count, _))| *count >= self.failures_max);
        if let Some((namespace, (count, why))) = failed.max_by_key(|(_, (count, _))| *count) {
            let ticks = match count {
                1 => "tick".to_owned(),
                _ => format!("{count} ticks"),
            };
            return Condition::Unhealthy(format!(
                "the last {ticks} of namespace {namespace} failed: {why}"
            ));
        }
        if facts.last_success.is_none() && facts.failures.is_empty() {
            return Condition::Starting;
        }
        Condition::Healthy
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-02T10:00:30Z".parse().unwrap()
    }

    fn condition(status: &Status) -> Condition {
        status.report(now()).condition
    }

    #[test]
    fn namespace_that_fails_too_often_is_unhealthy_until_it_succeeds() {
        let status = Status::new(3);
        let (web, shop) = ("Web".parse().unwrap(), "Shop".parse().unwrap());
        assert_eq!(condition(&status), Condition::Starting);
        status.failed(&web, "no route");
        status.failed(&web, "no route");
        assert_eq!(condition(&status), Condition::Healthy);
        // Another namespace neither heals it nor counts with it.
        status.succeeded(&shop, now());
        status.failed(&shop, "x");
        status.failed(&web, "AccessDenied");
        assert_eq!(
            condition(&status),
            Condition::Unhealthy(
                "the last 3 ticks of namespace Web failed: AccessDenied".to_owned()
            )
        );
        status.succeeded(&web, now());
        assert_eq!(condition(&status), Condition::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_that_stalled_is_unhealthy_until_it_beats_again() {
        let status = Status::new(3);
        status.expect(Beat::Minute, HashSet::new());
        advance(Duration::from_secs(185)).await;
        assert_eq!(condition(&status), Condition::Starting);
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            condition(&status),
            Condition::Unhealthy(
                "the clock gave no beat for 186 s, one was due every 60 s".to_owned()
            )
        );
        status.expect(Beat::Minute, HashSet::new());
        assert!(!condition(&status).is_good());
        status.beat();
        assert_eq!(condition(&status), Condition::Starting);
        advance(Duration::from_secs(1000)).await;
        status.stopping();
        assert_eq!(condition(&status), Condition::Starting);
    }

    #[tokio::test]
    async fn next_tick_is_the_first_of_all_schedules() {
        let status = Status::new(3);
        assert_eq!(status.report(now()).next_tick, None);
        let schedule = |text| Schedule::parse(text, Default::default()).unwrap();
        let schedules = ["0 11 * * *", "*/5 * * * *"].map(schedule);
        status.expect(Beat::Minute, schedules.into());
        let next = "2026-03-02T10:05:00Z".parse().unwrap();
        assert_eq!(status.report(now()).next_tick, Some(next));
    }
}
