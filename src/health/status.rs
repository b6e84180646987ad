//! What the run tells about itself, and what follows from it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;
use cron_schedule::{Schedule, TickRate};
use tokio::time::Instant;

use super::report::{Condition, Report};
use crate::outbox::Dropped;

/// So many ticks may fail to come before the clock counts as stalled.
const STALLED_TICKS: u32 = 3;
/// How late a tick may be beside that: the ticker looks every 500 ms, and makes a job
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
    /// The namespaces that are published in, once that is known.
    published: Option<HashSet<Namespace>>,
    failures: BTreeMap<Namespace, Failures>,
    held: usize,
    parked: usize,
    losses: Dropped,
    failed_samples: u64,
    schedules: HashSet<Schedule>,
    /// The last tick; none before the first tick and once the run ends.
    last_tick: Option<(TickRate, Instant)>,
}

/// The failed ticks of a namespace.
#[derive(Debug)]
struct Failures {
    /// How many there were in a row.
    ticks: u32,
    /// Where the last of them failed.
    stage: Stage,
    /// Why it did.
    why: String,
}

/// What can fail of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No source that was due gave a point.
    Sampling,
    /// The points could not be sent, or none was accepted.
    Sending,
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

    /// From now on the clock ticks and these schedules say what is due.
    pub fn expect(&self, rate: TickRate, schedules: HashSet<Schedule>) {
        let mut facts = self.facts();
        facts.schedules = schedules;
        // A reload that leaves the rate as it is must not hide that the clock stalled.
        if facts.last_tick.is_none_or(|(old, _)| old != rate) {
            facts.last_tick = Some((rate, Instant::now()));
        }
    }

    /// From now on these namespaces are published in. The failures of others do not
    /// count any more, whenever they come.
    pub fn publishes(&self, namespaces: HashSet<Namespace>) {
        let mut facts = self.facts();
        facts
            .failures
            .retain(|namespace, _| namespaces.contains(namespace));
        facts.published = Some(namespaces);
    }

    /// The clock ticked.
    pub fn ticked(&self) {
        if let Some((_, last)) = &mut self.facts().last_tick {
            *last = Instant::now();
        }
    }

    /// No more ticks are to come.
    pub fn stopping(&self) {
        let mut facts = self.facts();
        facts.schedules.clear();
        facts.last_tick = None;
    }

    /// A tick of a namespace was accepted whole.
    pub fn succeeded(&self, namespace: &Namespace, now: DateTime<Utc>) {
        let mut facts = self.facts();
        facts.last_success = Some(now);
        facts.failures.remove(namespace);
    }

    /// Points that were held for a namespace were accepted, which says nothing of its
    /// sources.
    pub fn caught_up(&self, namespace: &Namespace, now: DateTime<Utc>) {
        self.facts().last_success = Some(now);
        self.recovered(namespace);
    }

    /// Nothing is held for a namespace any more, be it that it was accepted or lost.
    pub fn recovered(&self, namespace: &Namespace) {
        let failures = &mut self.facts().failures;
        if failures
            .get(namespace)
            .is_some_and(|failures| failures.stage == Stage::Sending)
        {
            failures.remove(namespace);
        }
    }

    /// A tick of a namespace could not be sent, or none of its points was accepted.
    pub fn failed(&self, namespace: &Namespace, why: impl Into<String>) {
        self.add_failure(namespace, Stage::Sending, why.into());
    }

    /// A tick of a namespace has no point, for a source failed.
    pub fn not_sampled(&self, namespace: &Namespace, why: impl Into<String>) {
        self.add_failure(namespace, Stage::Sampling, why.into());
    }

    fn add_failure(&self, namespace: &Namespace, stage: Stage, why: String) {
        let mut facts = self.facts();
        let published = facts.published.as_ref();
        if published.is_some_and(|published| !published.contains(namespace)) {
            return;
        }
        let before = facts
            .failures
            .get(namespace)
            .map_or(0, |failures| failures.ticks);
        let ticks = before.saturating_add(1);
        let failures = Failures { ticks, stage, why };
        facts.failures.insert(namespace.clone(), failures);
    }

    /// How many points are held now, how many of them are parked, and how many were lost
    /// so far.
    pub fn holds(&self, points: usize, parked: usize, losses: Dropped) {
        let mut facts = self.facts();
        facts.held = points;
        facts.parked = parked;
        facts.losses = losses;
    }

    /// How many values could not be had so far.
    pub fn failed_samples(&self, values: u64) {
        self.facts().failed_samples = values;
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
                .map(|(namespace, failures)| (namespace.clone(), failures.ticks))
                .collect(),
            held: facts.held,
            parked: facts.parked,
            losses: facts.losses,
            failed_samples: facts.failed_samples,
            next_tick: next.min(),
        }
    }

    fn condition(&self, facts: &Facts) -> Condition {
        if let Some((rate, last)) = facts.last_tick {
            let silent = last.elapsed();
            if silent > rate.period() * STALLED_TICKS + STALLED_SLACK {
                return Condition::Unhealthy(format!(
                    "the clock did not tick for {} s, a tick was due every {} s",
                    silent.as_secs(),
                    rate.period().as_secs()
                ));
            }
        }
        let failed = facts.failures.iter();
        let failed = failed.filter(|(_, failures)| failures.ticks >= self.failures_max);
        if let Some((namespace, failures)) = failed.max_by_key(|(_, failures)| failures.ticks) {
            let why = &failures.why;
            let ticks = match failures.ticks {
                1 => "tick".to_owned(),
                count => format!("{count} ticks"),
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

    #[test]
    fn sources_that_fail_count_with_what_cannot_be_sent_until_a_tick_is_accepted() {
        let status = Status::new(3);
        let web = "Web".parse().unwrap();
        status.failed(&web, "no route");
        status.not_sampled(&web, "no file");
        // That held points arrive says nothing of the sources.
        status.caught_up(&web, now());
        status.recovered(&web);
        assert_eq!(status.report(now()).last_success, Some(now()));
        status.not_sampled(&web, "no file");
        let said = "the last 3 ticks of namespace Web failed: no file".to_owned();
        assert_eq!(condition(&status), Condition::Unhealthy(said));
        status.succeeded(&web, now());
        assert_eq!(condition(&status), Condition::Healthy);
        status.failed(&web, "no route");
        status.caught_up(&web, now());
        assert!(status.report(now()).failures.is_empty());
    }

    #[test]
    fn failures_of_a_namespace_that_was_removed_go_and_do_not_come_back() {
        let status = Status::new(1);
        let [web, shop] = ["Web", "Shop"].map(|name| name.parse::<Namespace>().unwrap());
        status.failed(&web, "no route");
        status.publishes([shop.clone()].into());
        assert!(status.report(now()).failures.is_empty());
        status.failed(&web, "no route");
        status.not_sampled(&web, "no file");
        assert!(status.report(now()).failures.is_empty());
        status.failed(&shop, "no route");
        assert_eq!(status.report(now()).failures, [(shop, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_that_stalled_is_unhealthy_until_it_beats_again() {
        let status = Status::new(3);
        status.expect(TickRate::Minute, HashSet::new());
        advance(Duration::from_secs(185)).await;
        assert_eq!(condition(&status), Condition::Starting);
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            condition(&status),
            Condition::Unhealthy(
                "the clock did not tick for 186 s, a tick was due every 60 s".to_owned()
            )
        );
        status.expect(TickRate::Minute, HashSet::new());
        assert!(!condition(&status).is_good());
        status.ticked();
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
        status.expect(TickRate::Minute, schedules.into());
        let next = "2026-03-02T10:05:00Z".parse().unwrap();
        assert_eq!(status.report(now()).next_tick, Some(next));
    }
}
