//! Text to [`Config`]: every setting is read here, once, and every problem is found
//! in one pass. Nothing downstream checks again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_connection::{AssumedRole, Region};
use cloudwatch_metric::Metric;
use cron_schedule::{Schedule, TickRate};
use metric_source::{HttpConfig, Options, Source, SourceText};
use settings::Environment;
use telemetry::LogConfig;

use crate::outbox::Limits;
use crate::publish::Retry;

pub mod crontab;
mod crontab_origin;
pub mod env;
mod files;
mod health_addr;
pub mod setting;
mod task;

pub use crontab_origin::CrontabOrigin;
pub use env::{Inputs, log_config, retry};
pub use health_addr::HealthAddr;
pub use task::Task;

/// Where the crontab is looked for when `CRONTAB` does not say.
pub const CRONTAB_DEFAULT: &str = "/etc/cw-publisher/crontab";

/// The crontab to read, and whether it must exist.
#[must_use]
pub fn crontab_path(environment: &Environment) -> (PathBuf, bool) {
    match environment.get(setting::CRONTAB) {
        Some(path) => (path.into(), true),
        None => (CRONTAB_DEFAULT.into(), false),
    }
}

/// Everything that the publisher is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where CloudWatch is.
    pub region: Region,
    /// A role to assume with the credentials that are found.
    pub role: Option<AssumedRole>,
    /// What to publish, and when.
    pub entries: Vec<Entry>,
    /// Where the entries came from, if a crontab described them.
    pub crontab: Option<CrontabOrigin>,
    /// Whether a crontab file that has changed is read again without being asked to.
    pub reload: bool,
    /// What the crontab's lines leave open; kept to read it again.
    pub defaults: crontab::Defaults,
    /// Whether every metric gets a first point at the start.
    pub publish_on_start: bool,
    /// Sending is delayed by up to this, at random.
    pub jitter: Duration,
    /// How a failed attempt is repeated.
    pub retry: Retry,
    /// The longest that one attempt may take, connecting included.
    pub request_timeout: Duration,
    /// The longest that one value may take.
    pub source_timeout: Duration,
    /// The longest that stopping may take.
    pub shutdown_grace: Duration,
    /// How much is held at most.
    pub buffer: Limits,
    /// Where held points survive a restart.
    pub spool_dir: Option<PathBuf>,
    /// Where the health of the process is told.
    pub health: HealthAddr,
    /// Consecutive failed ticks that make it unhealthy.
    pub health_failures: u32,
    /// How sources ask over HTTP.
    pub http: HttpConfig,
    /// What is logged.
    pub log: LogConfig,
}

impl Config {
    /// How often somebody must look whether something is due.
    #[must_use]
    pub fn tick_rate(&self) -> TickRate {
        tick_rate(self.entries.iter())
    }
}

/// How often somebody must look whether one of these entries is due.
#[must_use]
pub fn tick_rate<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> TickRate {
    if entries.any(|entry| entry.schedule.has_seconds()) {
        TickRate::Second
    } else {
        TickRate::Minute
    }
}

/// One metric to publish: a line of the crontab, or what the environment describes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The metric, before a source adds dimensions to it.
    pub metric: Arc<Metric>,
    /// When.
    pub schedule: Schedule,
    /// From where.
    pub source: Arc<dyn Source>,
    /// The source as it was written.
    pub source_text: SourceText,
    /// What else the source was told.
    pub options: Arc<Options>,
    /// The line of the crontab, counted from 1.
    pub line: Option<usize>,
}

impl Entry {
    /// What makes two entries the same, so that one may keep the other's state.
    #[must_use]
    pub fn identity(&self) -> (&Metric, &SourceText, &Options) {
        (&self.metric, &self.source_text, &self.options)
    }
}
