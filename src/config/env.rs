//! [`Config`] from the environment and the files that it names.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aws_connection::{AssumedRole, FileRead, Region};
use cloudwatch_metric::{Dimensions, MetricName, Namespace, Resolution, Unit};
use cron_schedule::{Schedule, Zone};
use diagnostics::shown_path;
use metric_source::{Options, SourceText};
use settings::{Diagnostics, Environment, Reader, Setting, bytes, switch};
use telemetry::LogConfig;

use super::crontab::{self, Defaults, Substitution, SubstitutionErrorKind, merged};
use super::files::{self, headers_file};
use super::setting::{self, LOG_FORMAT, LOG_LEVEL};
use super::{Config, CrontabOrigin, Entry, HealthAddr, Task};
use crate::outbox::Limits;
use crate::publish::Retry;

/// Shortest and longest delays, time-outs and the like that make sense: below a
/// millisecond nothing answers, and longer than an hour nobody waits.
const INSTANT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// More retries than this only repeat what the next tick does anyway.
const RETRY_MAX_LIMIT: u64 = 100;
/// A hundred million points would be gigabytes; who writes that mistyped.
const BUFFER_LIMIT_MAX: u64 = 100_000_000;
/// The least holds at least one point with the largest metric, the most is a mistake.
const BUFFER_BYTES_RANGE: (u64, u64) = (64 << 10, 1 << 40);

/// The variable of CloudWatch's own endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_CLOUDWATCH";
/// What begins like this is meant for this program, so a misspelt one draws a warning.
const OWN: &str = "METRIC_";

/// Variables of other programs that look like a known one.
const OTHERS: &[&str] = &["FTP_PROXY", "RSYNC_PROXY"];

/// The names of services are short and resemble each other, so only a long rest can be
/// a misspelling.
fn is_endpoint_of_another(name: &str) -> bool {
    let service = name.strip_prefix("AWS_ENDPOINT_URL_");
    service.is_some_and(|service| service.len() < "CLOUDWATCH".len() - 2)
}

/// All that the configuration is made from; full of secrets.
pub struct Inputs {
    /// The variables of the process.
    pub environment: Environment,
    /// The file of the crontab, or why it cannot be read.
    pub crontab: Option<FileRead<String>>,
    /// The region of the AWS profile, where the environment names none.
    pub profile_region: Option<String>,
    /// The content of the file that `AWS_CA_BUNDLE` names.
    pub ca_bundle: Option<FileRead<Vec<u8>>>,
    /// The task that this process runs in.
    pub task: Task,
    /// Whether files can be made in the folder that `SPOOL_DIR` names; none if it is not
    /// to be used.
    pub spool_dir: Option<FileRead<()>>,
}

impl Config {
    /// Reads everything and finds every problem in one pass. `None` if there is any.
    pub fn read(inputs: &Inputs) -> (Option<Self>, Diagnostics) {
        let environment = &inputs.environment;
        let mut reader = ConfigReader(Reader::new(environment));
        let config = reader.config(inputs);
        reader.0.unknown_variables(OWN, setting::ALL);
        reader.misspelt_variables();
        let mut findings = reader.0.findings;
        aws_connection::check(ENDPOINT, environment, &mut findings);
        (config.filter(|_| findings.problems.is_empty()), findings)
    }
}

/// How to log the problems of a configuration that is not sound as a whole.
#[must_use]
pub fn log_config(environment: &Environment) -> LogConfig {
    let mut reader = Reader::new(environment);
    LogConfig::read(&mut reader, LOG_LEVEL, LOG_FORMAT).unwrap_or_default()
}

/// How often is asked what the configuration is made from: as often as a request is made.
#[must_use]
pub fn retry(environment: &Environment) -> Retry {
    let retry = ConfigReader(Reader::new(environment)).retry();
    retry.unwrap_or(Retry::NEVER)
}

/// Reads the settings of the publisher.
struct ConfigReader<'a>(Reader<'a>);

impl ConfigReader<'_> {
    /// Reads every setting before it gives up, so that all problems come to light.
    fn config(&mut self, inputs: &Inputs) -> Option<Config> {
        let of_profile = inputs.profile_region.as_deref();
        let region = Region::read(&inputs.environment, of_profile, &mut self.0.findings);
        let session = setting::ASSUME_ROLE_SESSION_NAME.default;
        let role = AssumedRole::read(&inputs.environment, session, &mut self.0.findings);
        let defaults = self.defaults(inputs);
        let (entries, crontab) = self.entries(inputs, defaults.as_ref());
        let reload = self.0.parse(setting::RELOAD, switch);
        let publish_on_start = self.0.parse(setting::PUBLISH_ON_START, switch);
        let jitter = self
            .0
            .duration(setting::SCHEDULE_JITTER, Duration::ZERO, HOUR);
        let retry = self.retry();
        let request_timeout = self.0.duration(setting::REQUEST_TIMEOUT, INSTANT, HOUR);
        let source_timeout = self.0.duration(setting::SOURCE_TIMEOUT, INSTANT, HOUR);
        let shutdown_grace = self
            .0
            .duration(setting::SHUTDOWN_GRACE, Duration::ZERO, HOUR);
        let buffer_limit = self.0.count(setting::BUFFER_LIMIT, 1, BUFFER_LIMIT_MAX);
        let buffer_bytes = self.0.parse(setting::BUFFER_BYTES, |text| {
            let (low, high) = BUFFER_BYTES_RANGE;
            bytes(text, low, high)
        });
        let spool_dir = files::spool_dir(inputs.spool_dir.as_ref(), &mut self.0.findings);
        let health = self.0.parse(setting::HEALTH_ADDR, HealthAddr::parse);
        let health_failures = self
            .0
            .count(setting::HEALTH_FAILURES, 1, u64::from(u32::MAX));
        let bundle = inputs.ca_bundle.as_ref();
        let http = aws_connection::http_config(&inputs.environment, bundle, &mut self.0.findings);
        let log = LogConfig::read(&mut self.0, LOG_LEVEL, LOG_FORMAT);
        Some(Config {
            region: region?,
            role,
            entries: entries?,
            crontab,
            reload: reload?,
            defaults: defaults?,
            publish_on_start: publish_on_start?,
            jitter: jitter?,
            retry: retry?,
            request_timeout: request_timeout?,
            source_timeout: source_timeout?,
            shutdown_grace: shutdown_grace?,
            buffer: Limits {
                points: usize::try_from(buffer_limit?).unwrap_or(usize::MAX),
                bytes: usize::try_from(buffer_bytes?).unwrap_or(usize::MAX),
            },
            spool_dir,
            health: health?,
            health_failures: u32::try_from(health_failures?).unwrap_or(u32::MAX),
            http,
            log: log?,
        })
    }

    /// Names without the prefix that tells this program's own from all others.
    fn misspelt_variables(&mut self) {
        let own = setting::ALL.iter().map(|setting| setting.name);
        let foreign = setting::FOREIGN.iter().flat_map(|of| of.name.split(", "));
        let known: Vec<_> = own.chain(foreign).collect();
        // What has the prefix is told already.
        let is_anothers = |name: &&str| {
            let upper = name.to_ascii_uppercase();
            name.starts_with(OWN)
                || OTHERS.contains(&&*upper)
                || upper.ends_with("_PROXY") && known.contains(&&*upper)
                || is_endpoint_of_another(&upper)
        };
        let others: Vec<_> = self.0.environment.names().filter(is_anothers).collect();
        self.0.misspelt_variables(&known, &others);
    }

    /// What the lines of a crontab leave open, and what the one metric of the
    /// environment is made of.
    fn defaults(&mut self, inputs: &Inputs) -> Option<Defaults> {
        let namespace = self.0.parse(setting::METRIC_NAMESPACE, Namespace::from_str);
        let unit = self.0.parse(setting::METRIC_UNIT, Unit::from_str);
        let variables = Arc::new(inputs.environment.clone());
        let dimensions = self.dimensions(setting::METRIC_DIMENSIONS, &variables, &inputs.task);
        let common = self.dimensions(setting::COMMON_DIMENSIONS, &variables, &inputs.task);
        let resolution = self
            .0
            .parse(setting::METRIC_RESOLUTION, Resolution::from_str);
        let zone = self.0.parse(setting::SCHEDULE_TZ, Zone::from_str);
        let headers_setting = setting::METRIC_HTTP_HEADERS_FILE;
        let headers_file = match self.0.environment.get(headers_setting) {
            Some(text) => self
                .0
                .keep(headers_setting.name, headers_file(text))
                .map(Some),
            None => Some(None),
        };
        let ecs_metadata_uri = self.0.environment.variable("ECS_CONTAINER_METADATA_URI_V4");
        Some(Defaults {
            namespace: namespace?,
            unit: unit?,
            dimensions: dimensions?,
            common: common?,
            resolution: resolution?,
            zone: zone?,
            options: Options {
                headers_file: headers_file?,
                ecs_metadata_uri: ecs_metadata_uri.map(str::to_owned),
                ..Options::default()
            },
            variables,
            task: inputs.task.clone(),
        })
    }

    /// Dimensions of a variable, in which others may stand.
    fn dimensions(
        &mut self,
        setting: Setting,
        variables: &Arc<Environment>,
        task: &Task,
    ) -> Option<Dimensions> {
        let text = self.0.text(setting);
        let made = match Substitution::new(variables.clone()).apply(&text) {
            Ok(made) if made.bare.is_none() => made,
            Ok(_) => {
                self.0
                    .findings
                    .problem(setting.name, SubstitutionErrorKind::Bare);
                return None;
            }
            Err(error) => {
                self.0.findings.problem(setting.name, error.kind);
                return None;
            }
        };
        match crontab::read_dimensions(&made.text, task) {
            Ok(dimensions) => Some(dimensions),
            Err(error) => {
                self.0.findings.refused(setting.name, &text, error);
                None
            }
        }
    }

    fn entries(
        &mut self,
        inputs: &Inputs,
        defaults: Option<&Defaults>,
    ) -> (Option<Vec<Entry>>, Option<CrontabOrigin>) {
        let file = inputs.crontab.as_ref();
        let chosen = CrontabOrigin::choose(&inputs.environment, file, &mut self.0.findings);
        let Some((origin, content)) = chosen else {
            return (self.only_entry(defaults), None);
        };
        let path = origin.place();
        for ignored in [
            setting::METRIC_NAME,
            setting::METRIC_VALUE,
            setting::SCHEDULE,
        ] {
            if self.0.environment.get(ignored).is_some() {
                let message = format!("has no effect, the crontab {} is used", shown_path(path));
                self.0.findings.warning(ignored.name, message);
            }
        }
        let text = match content {
            Ok(text) => text,
            Err(error) => {
                self.0.findings.problem(error.setting(), error);
                return (None, None);
            }
        };
        // Without sound defaults the lines are still read, for their own problems.
        let (entries, found) = crontab::read(path, text, &defaults.cloned().unwrap_or_default());
        self.0.findings.problems.extend(found.problems);
        self.0.findings.warnings.extend(found.warnings);
        (Some(entries), Some(origin))
    }

    /// The metric that the environment itself describes.
    fn only_entry(&mut self, defaults: Option<&Defaults>) -> Option<Vec<Entry>> {
        let name = self.0.parse(setting::METRIC_NAME, MetricName::from_str);
        let source_text = self.0.text(setting::METRIC_VALUE);
        let fallback = Defaults::default();
        let defaults = defaults.unwrap_or(&fallback);
        let merged = merged(defaults.dimensions.clone(), &defaults.common);
        let dimensions = self.0.keep(setting::COMMON_DIMENSIONS.name, merged);
        let mut options = defaults.options.clone();
        if let Some(dimensions) = &dimensions {
            options.note(dimensions, &source_text);
        }
        let source = self.0.keep(
            setting::METRIC_VALUE.name,
            metric_source::parse(&source_text, &options),
        );
        let schedule = self.0.parse(setting::SCHEDULE, |text| {
            Schedule::parse(text, defaults.zone.clone())
        });
        Some(vec![Entry {
            metric: defaults.metric(name?, dimensions?).into(),
            schedule: schedule?,
            source: source?,
            source_text: SourceText::new(&source_text),
            options: options.into(),
            line: None,
        }])
    }

    fn retry(&mut self) -> Option<Retry> {
        let max = self.0.count(setting::RETRY_MAX, 0, RETRY_MAX_LIMIT);
        let base = self.0.duration(setting::RETRY_BASE, Duration::ZERO, HOUR);
        let cap = self.0.duration(setting::RETRY_CAP, Duration::ZERO, HOUR);
        let (base, cap) = (base?, cap?);
        if base > cap {
            self.0.findings.problem(
                setting::RETRY_BASE.name,
                "is longer than RETRY_CAP, lower it or raise RETRY_CAP",
            );
            return None;
        }
        Some(Retry {
            max: u32::try_from(max?).unwrap_or(u32::MAX),
            base,
            cap,
        })
    }
}

#[cfg(test)]
mod tests;
