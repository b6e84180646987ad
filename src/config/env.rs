//! [`Config`] from the environment and the files that it names.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cloudwatch_metric::{Dimensions, MetricName, Namespace, Resolution, Unit};
use cron_schedule::{Schedule, Zone};
use diagnostics::{excerpt, nearest, shown_path};
use metric_source::{HttpConfig, Options, SourceText};

use super::crontab::{self, Defaults};
use super::setting::{self, Setting};
use super::value::{Region, bytes, count, duration, headers_file, switch};
use super::{
    Config, Entry, Environment, Findings, HealthAddr, LogConfig, endpoint, files, log, pairs, proxy,
};
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

/// A path, and what the file system answered when it was asked for it.
pub type Asked<T> = (PathBuf, io::Result<T>);

/// All that the configuration is made from; full of secrets.
pub struct Inputs {
    /// The variables of the process.
    pub environment: Environment,
    /// The crontab, or why it cannot be read.
    pub crontab: Option<Asked<String>>,
    /// The region of the AWS profile, where the environment names none.
    pub profile_region: Option<String>,
    /// The content of the file that `AWS_CA_BUNDLE` names.
    pub ca_bundle: Option<Asked<Vec<u8>>>,
    /// Whether files can be made in the folder that `SPOOL_DIR` names; none if it is not
    /// to be used.
    pub spool_dir: Option<Asked<()>>,
}

impl Config {
    /// Reads everything and finds every problem in one pass. `None` if there is any.
    pub fn read(inputs: &Inputs) -> (Option<Self>, Findings) {
        let mut reader = Reader::new(&inputs.environment);
        let config = reader.config(inputs);
        reader.unknown_variables();
        endpoint::check(&inputs.environment, &mut reader.findings);
        pairs::check(&inputs.environment, &mut reader.findings);
        proxy::check(&inputs.environment, &mut reader.findings);
        let findings = reader.findings;
        (config.filter(|_| findings.problems.is_empty()), findings)
    }
}

impl LogConfig {
    /// How to log the problems of a configuration that is not sound as a whole.
    #[must_use]
    pub fn read(environment: &Environment) -> Self {
        Reader::new(environment).log().unwrap_or_default()
    }
}

/// Reads settings one by one and collects what is wrong with them.
struct Reader<'a> {
    environment: &'a Environment,
    findings: Findings,
}

impl<'a> Reader<'a> {
    fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            findings: Findings::default(),
        }
    }

    /// Reads every setting before it gives up, so that all problems come to light.
    fn config(&mut self, inputs: &Inputs) -> Option<Config> {
        let region = self.region(inputs.profile_region.as_deref());
        let defaults = self.defaults();
        let (entries, crontab) = self.entries(inputs, defaults.as_ref());
        let publish_on_start = self.parse(setting::PUBLISH_ON_START, switch);
        let jitter = self.duration(setting::SCHEDULE_JITTER, Duration::ZERO, HOUR);
        let retry = self.retry();
        let request_timeout = self.duration(setting::REQUEST_TIMEOUT, INSTANT, HOUR);
        let source_timeout = self.duration(setting::SOURCE_TIMEOUT, INSTANT, HOUR);
        let shutdown_grace = self.duration(setting::SHUTDOWN_GRACE, Duration::ZERO, HOUR);
        let buffer_limit = self.count(setting::BUFFER_LIMIT, 1, BUFFER_LIMIT_MAX);
        let buffer_bytes = self.parse(setting::BUFFER_BYTES, |text| {
            let (low, high) = BUFFER_BYTES_RANGE;
            bytes(text, low, high)
        });
        let spool_dir = files::spool_dir(inputs.spool_dir.as_ref(), &mut self.findings);
        let health = self.parse(setting::HEALTH_ADDR, HealthAddr::parse);
        let health_failures = self.count(setting::HEALTH_FAILURES, 1, u64::from(u32::MAX));
        let http = self.http(inputs);
        let log = self.log();
        Some(Config {
            region: region?,
            entries: entries?,
            crontab,
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

    fn region(&mut self, of_profile: Option<&str>) -> Option<Region> {
        let named = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|name| Some((name, self.environment.variable(name)?)))
            .or_else(|| Some(("the region of the AWS profile", of_profile?)));
        let Some((name, text)) = named else {
            self.findings.problem(
                setting::AWS_REGION.name,
                "no region is set, give one such as AWS_REGION=us-east-1",
            );
            return None;
        };
        match Region::parse(text) {
            Ok(region) => Some(region),
            Err(error) => {
                self.findings.refused(name, text, error);
                None
            }
        }
    }

    /// What the lines of a crontab leave open, and what the one metric of the
    /// environment is made of.
    fn defaults(&mut self) -> Option<Defaults> {
        let namespace = self.parse(setting::METRIC_NAMESPACE, Namespace::from_str);
        let unit = self.parse(setting::METRIC_UNIT, Unit::from_str);
        let dimensions = self.parse(setting::METRIC_DIMENSIONS, Dimensions::from_str);
        let resolution = self.parse(setting::METRIC_RESOLUTION, Resolution::from_str);
        let zone = self.parse(setting::SCHEDULE_TZ, Zone::from_str);
        let headers_setting = setting::METRIC_HTTP_HEADERS_FILE;
        let headers_file = match self.environment.get(headers_setting) {
            Some(text) => self
                .keep(headers_setting.name, headers_file(text))
                .map(Some),
            None => Some(None),
        };
        let ecs_metadata_uri = self.environment.variable("ECS_CONTAINER_METADATA_URI_V4");
        Some(Defaults {
            namespace: namespace?,
            unit: unit?,
            dimensions: dimensions?,
            resolution: resolution?,
            zone: zone?,
            options: Options {
                headers_file: headers_file?,
                ecs_metadata_uri: ecs_metadata_uri.map(str::to_owned),
                ..Options::default()
            },
        })
    }

    fn entries(
        &mut self,
        inputs: &Inputs,
        defaults: Option<&Defaults>,
    ) -> (Option<Vec<Entry>>, Option<PathBuf>) {
        let Some((path, content)) = &inputs.crontab else {
            return (self.only_entry(defaults), None);
        };
        for ignored in [
            setting::METRIC_NAME,
            setting::METRIC_VALUE,
            setting::SCHEDULE,
        ] {
            if self.environment.get(ignored).is_some() {
                let message = format!("has no effect, the crontab {} is used", shown_path(path));
                self.findings.warning(ignored.name, message);
            }
        }
        let text = match content {
            Ok(text) => text,
            Err(error) => {
                let message = files::unreadable(path, error);
                self.findings.problem(setting::CRONTAB.name, message);
                return (None, None);
            }
        };
        // Without sound defaults the lines are still read, for their own problems.
        let (entries, problems) = crontab::read(path, text, &defaults.cloned().unwrap_or_default());
        self.findings.problems.extend(problems);
        (Some(entries), Some(path.clone()))
    }

    /// The metric that the environment itself describes.
    fn only_entry(&mut self, defaults: Option<&Defaults>) -> Option<Vec<Entry>> {
        let name = self.parse(setting::METRIC_NAME, MetricName::from_str);
        let source_text = self.text(setting::METRIC_VALUE);
        let fallback = Defaults::default();
        let defaults = defaults.unwrap_or(&fallback);
        let mut options = defaults.options.clone();
        options.note(&defaults.dimensions, &source_text);
        let source = self.keep(
            setting::METRIC_VALUE.name,
            metric_source::parse(&source_text, &options),
        );
        let schedule = self.parse(setting::SCHEDULE, |text| {
            Schedule::parse(text, defaults.zone.clone())
        });
        Some(vec![Entry {
            metric: defaults.metric(name?).into(),
            schedule: schedule?,
            source: source?,
            source_text: SourceText::new(&source_text),
            options: options.into(),
            line: None,
        }])
    }

    fn retry(&mut self) -> Option<Retry> {
        let max = self.count(setting::RETRY_MAX, 0, RETRY_MAX_LIMIT);
        let base = self.duration(setting::RETRY_BASE, Duration::ZERO, HOUR);
        let cap = self.duration(setting::RETRY_CAP, Duration::ZERO, HOUR);
        let (base, cap) = (base?, cap?);
        if base > cap {
            self.findings.problem(
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

    fn http(&mut self, inputs: &Inputs) -> HttpConfig {
        let ca_bundle = files::ca_bundle(inputs.ca_bundle.as_ref(), &mut self.findings);
        let proxy = |name| {
            self.environment
                .either_case(name)
                .unwrap_or_default()
                .into()
        };
        HttpConfig {
            http_proxy: proxy("HTTP_PROXY"),
            https_proxy: proxy("HTTPS_PROXY"),
            all_proxy: proxy("ALL_PROXY"),
            no_proxy: proxy("NO_PROXY"),
            ca_bundle,
        }
    }

    fn log(&mut self) -> Option<LogConfig> {
        let filter = self.parse(setting::LOG_LEVEL, log::filter);
        let format = self.parse(setting::LOG_FORMAT, log::format);
        Some(LogConfig {
            filter: filter?,
            format: format?,
        })
    }

    /// A misspelt variable would otherwise be ignored in silence.
    fn unknown_variables(&mut self) {
        const PREFIX: &str = "METRIC_";
        let known = || setting::ALL.iter().map(|setting| setting.name);
        // What all of them have in common makes none of them likelier.
        let known_rests = || known().filter_map(|name| name.strip_prefix(PREFIX));
        for name in self.environment.names() {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if !known_rests().any(|known| known == rest) {
                let message = match nearest(rest, known_rests()) {
                    Some(nearest) => format!("is not known, did you mean {PREFIX}{nearest}?"),
                    None => "is not known, --help lists the variables".to_owned(),
                };
                self.findings.warning(&excerpt(name), message);
            }
        }
        for name in self.environment.unreadable() {
            if known().any(|known| known == name) {
                self.findings.problem(name, "is not UTF-8 text");
            }
        }
    }

    fn text(&self, setting: Setting) -> String {
        let given = self.environment.get(setting);
        given.unwrap_or(setting.default).to_owned()
    }

    /// For a setting that has no place for a secret.
    fn parse<T, E: fmt::Display>(
        &mut self,
        setting: Setting,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(setting);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.refused(setting.name, &text, error);
                None
            }
        }
    }

    fn duration(&mut self, setting: Setting, low: Duration, high: Duration) -> Option<Duration> {
        self.parse(setting, |text| duration(text, low, high))
    }

    fn count(&mut self, setting: Setting, min: u64, max: u64) -> Option<u64> {
        self.parse(setting, |text| count(text, min, max))
    }

    /// For a setting that has a place for a secret.
    fn keep<T, E: fmt::Display>(&mut self, setting: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.problem(setting, error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
