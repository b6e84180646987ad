//! The ends of a run: a clock on tokio's time, a sink that answers as told, and a source
//! that tells when it was asked.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatch_metric::{Point, Value};
use cron_schedule::TickRate;
use cw_publisher::clock::{Clock, Ticks};
use cw_publisher::config::{Config, Entry, Inputs, Task};
use cw_publisher::health::Status;
use cw_publisher::outbox::Batch;
use cw_publisher::publish::{RequestError, RequestErrorKind, Sink};
use cw_publisher::run::{Controls, Summary, run};
use metric_source::{Sampling, Source, Tick};
use settings::Environment;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// When every fake clock begins: half a minute before a tick.
pub(crate) const START: &str = "2026-03-02T00:00:30Z";

/// The moment this long after [`START`].
pub(crate) fn at(after: TimeDelta) -> DateTime<Utc> {
    START.parse::<DateTime<Utc>>().unwrap() + after
}

/// The configuration that these variables give.
pub(crate) fn config(variables: &[(&str, &str)]) -> Config {
    read(variables, None)
}

/// The configuration that these variables and a crontab give.
pub(crate) fn crontab(text: &str, variables: &[(&str, &str)]) -> Config {
    read(variables, Some(text))
}

fn read(variables: &[(&str, &str)], crontab: Option<&str>) -> Config {
    let mut all = BTreeMap::from([("AWS_REGION", "us-east-1")]);
    all.extend(variables.iter().copied());
    let pair = |(name, value)| (OsString::from(name), OsString::from(value));
    let environment: Environment = all.into_iter().map(pair).collect();
    let (config, findings) = Config::read(&Inputs {
        environment,
        crontab: crontab.map(|text| ("crontab".into(), Ok(text.to_owned()))),
        profile_region: None,
        ca_bundle: None,
        task: Task::Unasked,
        spool_dir: None,
    });
    config.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Tells tokio's time, as from [`START`].
#[derive(Clone)]
pub(crate) struct FakeClock {
    began: Instant,
    ahead_seconds: Arc<AtomicI64>,
}

impl FakeClock {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            ahead_seconds: Arc::default(),
        }
    }

    /// Puts the clock forward, as when the machine slept.
    pub(crate) fn jump(&self, by: TimeDelta) {
        self.ahead_seconds
            .fetch_add(by.num_seconds(), Ordering::Relaxed);
    }
}

impl Clock for FakeClock {
    type Ticks = FakeTicks;

    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.began.elapsed()).unwrap();
        at(elapsed) + TimeDelta::seconds(self.ahead_seconds.load(Ordering::Relaxed))
    }

    async fn ticks(
        &self,
        rate: TickRate,
    ) -> Result<FakeTicks, Box<dyn std::error::Error + Send + Sync>> {
        let period = TimeDelta::from_std(rate.period())?;
        Ok(FakeTicks {
            next: next_beat(self.now(), period),
            clock: self.clone(),
            period,
        })
    }
}

pub(crate) struct FakeTicks {
    clock: FakeClock,
    period: TimeDelta,
    next: DateTime<Utc>,
}

impl Ticks for FakeTicks {
    async fn next(&mut self) {
        sleep((self.next - self.clock.now()).to_std().unwrap_or_default()).await;
        self.next = next_beat(self.clock.now(), self.period);
    }

    async fn stop(self) {
        // The real one takes a while, too.
        yield_now().await;
    }
}

fn next_beat(now: DateTime<Utc>, period: TimeDelta) -> DateTime<Utc> {
    let period = period.num_seconds();
    DateTime::from_timestamp((now.timestamp() / period + 1) * period, 0).unwrap()
}

type Answer = dyn Fn(DateTime<Utc>, &Batch) -> Result<(), RequestErrorKind> + Send + Sync;

/// Answers by the time and the batch, and keeps what it accepted.
#[derive(Clone)]
pub(crate) struct FakeSink {
    clock: FakeClock,
    answer: Arc<Answer>,
    latency: Arc<dyn Fn(&Batch) -> Duration + Send + Sync>,
    ready_after: Duration,
    puts: Arc<Mutex<Vec<Put>>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    /// When it came in.
    pub(crate) at: DateTime<Utc>,
    pub(crate) namespace: String,
    pub(crate) accepted: bool,
    /// Its points, if it was accepted.
    pub(crate) points: Vec<Point>,
    /// The newest timestamp that it holds, accepted or not.
    pub(crate) newest: DateTime<Utc>,
}

impl FakeSink {
    pub(crate) fn new(
        clock: &FakeClock,
        answer: impl Fn(DateTime<Utc>, &Batch) -> Result<(), RequestErrorKind> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock: clock.clone(),
            answer: Arc::new(answer),
            latency: Arc::new(|_| Duration::ZERO),
            ready_after: Duration::ZERO,
            puts: Arc::default(),
        }
    }

    /// Accepts nothing until this long after [`START`], then everything.
    pub(crate) fn down_until(clock: &FakeClock, end: TimeDelta, kind: RequestErrorKind) -> Self {
        let end = at(end);
        Self::new(
            clock,
            move |now, _| {
                if now < end { Err(kind.clone()) } else { Ok(()) }
            },
        )
    }

    /// Each answer takes this long.
    pub(crate) fn slow(self, latency: Duration) -> Self {
        self.slow_for(move |_| latency)
    }

    /// Each answer takes as long as its batch makes it.
    pub(crate) fn slow_for(
        mut self,
        latency: impl Fn(&Batch) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.latency = Arc::new(latency);
        self
    }

    /// The credentials are there after so long.
    pub(crate) fn ready_after(mut self, delay: Duration) -> Self {
        self.ready_after = delay;
        self
    }

    /// Every request so far, in the order they came in.
    pub(crate) fn puts(&self) -> Vec<Put> {
        self.puts.lock().unwrap().clone()
    }

    pub(crate) fn accepted(&self) -> Vec<Put> {
        self.puts().into_iter().filter(|put| put.accepted).collect()
    }

    /// The timestamps of the accepted points, sorted.
    pub(crate) fn timestamps(&self) -> Vec<DateTime<Utc>> {
        let accepted = self.accepted();
        let points = accepted.iter().flat_map(|put| &put.points);
        let mut timestamps: Vec<_> = points.map(|point| point.at).collect();
        timestamps.sort_unstable();
        timestamps
    }
}

impl Sink for FakeSink {
    async fn ready(&self) -> Result<(), RequestError> {
        sleep(self.ready_after).await;
        Ok(())
    }

    async fn put(&self, batch: &Batch) -> Result<(), RequestError> {
        let now = self.clock.now();
        let answer = (self.answer)(now, batch);
        let accepted = answer.is_ok();
        let points = batch.points();
        self.puts.lock().unwrap().push(Put {
            at: now,
            namespace: batch.namespace().to_string(),
            accepted,
            newest: points.map(|point| point.at).max().unwrap(),
            points: batch.points().filter(|_| accepted).cloned().collect(),
        });
        sleep((self.latency)(batch)).await;
        answer.map_err(|kind| RequestError { kind, source: None })
    }
}

/// The network is down.
pub(crate) fn no_answer() -> RequestErrorKind {
    RequestErrorKind::NoResponse
}

/// The service says no.
pub(crate) fn refused(status: u16, code: &str) -> RequestErrorKind {
    RequestErrorKind::Rejected {
        status,
        code: code.to_owned(),
        message: String::new(),
        retry_after: None,
    }
}

/// Gives 1, after a while, and keeps when it was asked and for which tick.
#[derive(Debug, Default)]
pub(crate) struct FakeSource {
    latency: Duration,
    asked: Mutex<Vec<(Instant, DateTime<Utc>)>>,
    running: AtomicUsize,
    overlaps: AtomicUsize,
}

impl FakeSource {
    pub(crate) fn new(latency: Duration) -> Arc<Self> {
        Arc::new(Self {
            latency,
            ..Self::default()
        })
    }

    /// When it was asked, and for which tick.
    pub(crate) fn asked(&self) -> Vec<(Instant, DateTime<Utc>)> {
        self.asked.lock().unwrap().clone()
    }

    /// How often it was asked while it was at work.
    pub(crate) fn overlaps(&self) -> usize {
        self.overlaps.load(Ordering::Relaxed)
    }
}

impl Source for FakeSource {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async {
            self.asked.lock().unwrap().push((Instant::now(), tick.at));
            let running = Running::begin(&self.running);
            if running.others > 0 {
                self.overlaps.fetch_add(1, Ordering::Relaxed);
            }
            sleep(self.latency).await;
            Ok(Value::try_from(1.0)?.into())
        })
    }
}

/// Counts down when the sampling ends, be it by a time-out.
struct Running<'a> {
    count: &'a AtomicUsize,
    others: usize,
}

impl<'a> Running<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        let others = count.fetch_add(1, Ordering::Relaxed);
        Self { count, others }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Stops the run after so long.
pub(crate) fn controls(
    duration: Duration,
    reload: mpsc::Receiver<Vec<Entry>>,
) -> Controls<impl Future<Output = ()>> {
    Controls {
        shutdown: sleep(duration),
        reload,
        ticked: Arc::default(),
        status: Arc::new(Status::new(3)),
    }
}

/// Publishes for so long on the fake clock, then stops.
pub(crate) async fn run_for(
    config: Config,
    clock: &FakeClock,
    sink: &FakeSink,
    duration: TimeDelta,
) -> Summary {
    let (_reload, reloaded) = mpsc::channel(1);
    let controls = controls(duration.to_std().unwrap(), reloaded);
    run(config, sink.clone(), clock.clone(), controls)
        .await
        .unwrap()
}
