//! Where values come from: the grammar of a value (README, "Sources") and the one
//! trait behind it. Each kind of source is a file of its own. When a source is asked, and what
//! becomes of its values, is the caller's business; nothing here reads the environment.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use metric_source::{HttpConfig, Options, Resources, Tick, parse};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let source = parse("42.5", &Options::default())?;
//! let resources = Arc::new(Resources::new(HttpConfig::default()));
//! let tick = Tick::new("2026-11-21T12:00:00Z".parse()?, Duration::from_secs(5), resources);
//! let readings = source.sample(&tick).await?;
//! assert_eq!(readings.readings[0].value.get(), 42.5);
//! # Ok(())
//! # }
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diagnostics::{Hidden, did_you_mean, excerpt, nearest};

use blocking_io::Files;
use cloudwatch_metric::{Dimension, MetricError, Value};

mod computing;
mod constant;
mod ecs;
mod exec;
mod file;
mod host;
mod http;
mod json;
mod one_at_a_time;
mod options;
mod probe;
pub mod prometheus;
mod random;
mod text;
mod threads;
mod timestamp;

pub use http::HttpConfig;
pub use options::{Options, Uses};
pub use text::{SourceText, shown};

/// Most threads that sources hold at a time, whatever hangs.
pub const THREADS_MAX: usize = threads::THREADS_MAX
    + blocking_io::HANGING_MAX
    + blocking_io::RESOLVING_MAX
    + computing::COMPUTING_MAX;

/// Most bytes that are read of a file, a response or a program's output.
pub const READ_MAX: usize = 1024 * 1024;

/// The forms of a value, each with the example that error messages show.
const FORMS: &[(&str, &str)] = &[
    ("random", "random:1-100"),
    ("timestamp", "timestamp"),
    ("file", "file:/run/queue/depth"),
    ("http", "http://127.0.0.1:8080/stats#/queue/depth"),
    ("https", "https://example.com/stats"),
    ("up", "up:tcp://127.0.0.1:5432"),
    ("latency", "latency:https://example.com/health"),
    (
        "prometheus",
        "prometheus:http://127.0.0.1:9100/metrics#node_load1",
    ),
    ("exec", "exec:/usr/bin/count 'a b'"),
    ("host", "host:disk:/data"),
    ("ecs", "ecs:memory_percent"),
];

/// Something that yields the readings of a tick.
///
/// A source may keep state between ticks (the last count of a counter, say). It is
/// never sampled twice at the same time.
pub trait Source: fmt::Debug + Send + Sync {
    /// Takes the readings of one tick. The caller ends it at `SOURCE_TIMEOUT` by
    /// dropping the future, so whatever must be undone is undone on drop.
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a>;

    /// Hears that it is going to be asked in a tick, before any source is.
    fn announce(&self, _: &Tick) {}

    /// What is measured, where the text of the source does not tell.
    fn describe(&self) -> Option<String> {
        None
    }
}

/// The readings to come of one source.
pub type Sampling<'a> = Pin<Box<dyn Future<Output = Result<Readings, SampleError>> + Send + 'a>>;

/// Why a source gave no value: each kind of source has its own error.
pub type SampleError = Box<dyn Error + Send + Sync>;

/// What the sources of one tick share.
#[derive(Clone, Debug)]
pub struct Tick {
    /// The scheduled moment.
    pub at: DateTime<Utc>,
    /// How long the caller waits for one source (`SOURCE_TIMEOUT`). A source for which
    /// "no answer" is a value gives it a little earlier.
    pub timeout: Duration,
    /// What outlives the tick.
    pub resources: Arc<Resources>,
    /// What Prometheus endpoints answered in this tick.
    pub(crate) scrapes: Arc<prometheus::Scrapes>,
    /// What the ECS task metadata endpoint answered in this tick.
    ecs: Arc<ecs::Answers>,
}

impl Tick {
    /// A tick at the scheduled moment `at`; all sources that are due then share it.
    #[must_use]
    pub fn new(at: DateTime<Utc>, timeout: Duration, resources: Arc<Resources>) -> Self {
        Self {
            at,
            timeout,
            resources,
            scrapes: Arc::default(),
            ecs: Arc::default(),
        }
    }
}

/// What the sources share across ticks.
#[derive(Debug)]
pub struct Resources {
    /// The client of every request.
    pub(crate) http: http::HttpClient,
    /// The client of requests that no proxy may see.
    direct: http::HttpClient,
    /// What files are read with.
    files: Files,
}

impl Resources {
    /// Opens nothing yet: sources of other kinds cost no memory here.
    #[must_use]
    pub fn new(http: HttpConfig) -> Self {
        Self::resolving(http, &http::Resolver::default())
    }

    fn resolving(http: HttpConfig, names: &http::Resolver) -> Self {
        let files = Files::default();
        Self {
            http: http::HttpClient::new(http, &files, names),
            direct: http::HttpClient::new(HttpConfig::default(), &files, names),
            files,
        }
    }
}

/// What a source yields at one tick: a bad value costs only its own point.
#[derive(Debug, Default)]
pub struct Readings {
    /// The values that are good.
    pub readings: Vec<Reading>,
    /// One error for each value that is not, or for a group of them.
    pub problems: Vec<SampleError>,
}

impl From<Vec<Reading>> for Readings {
    fn from(readings: Vec<Reading>) -> Self {
        Self {
            readings,
            problems: Vec::new(),
        }
    }
}

impl From<Value> for Readings {
    fn from(value: Value) -> Self {
        vec![Reading::from(value)].into()
    }
}

/// One value that a source yields, and how its metric differs from the entry's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What was measured.
    pub value: Value,
    /// Dimensions beside those of the entry.
    pub dimensions: Vec<Dimension>,
    /// What is put behind the entry's metric name.
    pub suffix: &'static str,
}

impl From<Value> for Reading {
    fn from(value: Value) -> Self {
        Self {
            value,
            dimensions: Vec::new(),
            suffix: "",
        }
    }
}

/// Why a text is not a source.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseSourceError {
    #[error("no value is given, write a number or a source such as {}", examples())]
    Empty,
    #[error("{}neither a number nor a source{} sources are {}", shown_kind(.given.as_str()), did_you_mean(nearest_kind(.given.as_str())), examples())]
    Unknown { given: Hidden },
    #[error("the number begins with a plus sign, write it without")]
    Plus,
    #[error(transparent)]
    Value(#[from] MetricError),
    #[error(transparent)]
    Random(#[from] random::ParseRandomError),
    #[error(transparent)]
    File(#[from] file::ParseFileError),
    #[error(transparent)]
    Http(#[from] http::ParseHttpError),
    #[error(transparent)]
    Prometheus(#[from] prometheus::ParsePrometheusError),
    #[error(transparent)]
    Exec(#[from] exec::ParseExecError),
    #[error(transparent)]
    Host(#[from] host::ParseHostError),
    #[error(transparent)]
    Ecs(#[from] ecs::ParseEcsError),
    #[error(transparent)]
    Probe(#[from] probe::ParseProbeError),
}

/// Reads one value of the grammar.
pub fn parse(text: &str, options: &Options) -> Result<Arc<dyn Source>, ParseSourceError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ParseSourceError::Empty);
    }
    if let Ok(number) = text.parse::<f64>() {
        if text.starts_with('+') {
            return Err(ParseSourceError::Plus);
        }
        return Ok(Arc::new(constant::Constant::new(number)?));
    }
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "timestamp" if text == kind => Ok(Arc::new(timestamp::Timestamp)),
        "random" => Ok(Arc::new(rest.parse::<random::Random>()?)),
        "file" => Ok(Arc::new(rest.parse::<file::File>()?)),
        "prometheus" => Ok(Arc::new(prometheus::Prometheus::new(rest, options)?)),
        "up" => Ok(Arc::new(probe::Up::new(rest, options)?)),
        "latency" => Ok(Arc::new(probe::Latency::new(rest, options)?)),
        "http" | "https" => Ok(Arc::new(http::Http::new(text, options)?)),
        "exec" => Ok(Arc::new(rest.parse::<exec::Exec>()?)),
        "host" => Ok(Arc::new(rest.parse::<host::Host>()?)),
        "ecs" => Ok(Arc::new(ecs::Ecs::new(rest, options)?)),
        _ => Err(ParseSourceError::Unknown {
            given: Hidden::new(text),
        }),
    }
}

/// What was read in the place of a number.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NumberError {
    #[error("expected a number, read {read:?}")]
    NotANumber { read: String },
    #[error("expected a number, read {read:?}")]
    NotAccepted { read: String, source: MetricError },
}

/// The number that a text consists of, white space around it aside.
pub(crate) fn number(text: &str) -> Result<Value, NumberError> {
    let read = || excerpt(text.trim());
    let number: f64 = text
        .trim()
        .parse()
        .map_err(|_| NumberError::NotANumber { read: read() })?;
    Value::try_from(number).map_err(|source| NumberError::NotAccepted {
        read: read(),
        source,
    })
}

/// The word that each form begins with.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(kind, _)| *kind)
}

fn examples() -> String {
    let examples: Vec<_> = FORMS.iter().map(|(_, example)| *example).collect();
    examples.join(", ")
}

/// The word before the colon, if it can be a kind of source: what stands behind it, and
/// anything else in its place, may hold a secret.
fn shown_kind(given: &str) -> String {
    const LENGTH_MAX: usize = 12;
    match given.split_once(':') {
        Some((kind, _))
            if (1..=LENGTH_MAX).contains(&kind.len())
                && kind.bytes().all(|b| b.is_ascii_alphabetic()) =>
        {
            format!("{kind}: begins ")
        }
        _ => String::new(),
    }
}

/// The kind that was meant by the word before the colon.
fn nearest_kind(given: &str) -> Option<&'static str> {
    let kind = given.split(':').next().unwrap_or(given);
    nearest(kind, FORMS.iter().map(|(name, _)| *name))
}

#[cfg(test)]
impl Tick {
    /// A tick at a fixed moment with resources of its own and five seconds of patience.
    pub(crate) fn for_test() -> Self {
        let resources = Resources::new(HttpConfig::default());
        Self::new(
            DateTime::UNIX_EPOCH,
            Duration::from_secs(5),
            resources.into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn unknown_source_is_answered_with_the_nearest_and_the_forms() {
        let error = parse("fiel:/x", &Options::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean file? sources are random:1-100"),
            "{error}"
        );
        let error = parse("ftp://host/x", &Options::default());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("nor a source; sources are random:1-100"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn every_form_is_told_from_the_others() {
        let source = parse(" 4.5 ", &Options::default()).unwrap();
        let readings = source.sample(&Tick::for_test()).await.unwrap().readings;
        assert_eq!(readings, [Value::try_from(4.5).unwrap().into()]);
        let options = Options {
            ecs_metadata_uri: Some("http://169.254.170.2/v4/1".to_owned()),
            ..Options::default()
        };
        for (_, example) in FORMS {
            parse(example, &options).unwrap();
        }
    }

    #[tokio::test]
    async fn names_that_nobody_resolves_starve_no_other_source() {
        let (names, release, asked) = http::Resolver::silent();
        let resources = Resources::resolving(HttpConfig::default(), &names);
        let tick = Tick::new(
            DateTime::UNIX_EPOCH,
            Duration::from_secs(60),
            resources.into(),
        );
        let options = Options::default();
        let hanging: Vec<_> = (0..300)
            .map(|i| parse(&format!("http://host{i}.invalid/"), &options).unwrap())
            .collect();
        let mut samplings: Vec<_> = hanging.iter().map(|source| source.sample(&tick)).collect();
        for sampling in &mut samplings {
            assert!(futures_util::poll!(sampling).is_pending());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "7").unwrap();
        let server = http::server::Server::of("7").await;
        for text in [
            format!("file:{}", file.path().display()),
            "exec:/bin/echo 7".to_owned(),
            server.url("/"),
        ] {
            let source = parse(&text, &options).unwrap();
            let readings = source.sample(&tick).await.unwrap().readings;
            assert_eq!(readings, [Value::try_from(7.0).unwrap().into()], "{text}");
        }
        assert!(asked.load(std::sync::atomic::Ordering::Relaxed) <= blocking_io::RESOLVING_MAX);
        drop(release);
        let error = samplings.remove(0).await.unwrap_err();
        let error = diagnostics::chain(&*error);
        assert!(
            error.contains("connect to http://host0.invalid/"),
            "{error}"
        );
    }

    #[test]
    fn number_has_no_plus_sign_and_its_exponent_may_have_one() {
        let options = Options::default();
        for good in ["42", "-0.5", "1e3", "1e+3"] {
            parse(good, &options).unwrap();
        }
        let error = parse("+5", &options).unwrap_err().to_string();
        assert!(error.contains("without"), "{error}");
        assert!(parse("up:http://host:+80/", &options).is_err());
    }

    #[test]
    fn number_shows_what_was_read() {
        assert_eq!(number(" 4.5\n").unwrap().get(), 4.5);
        let error = number("12 apples\x1b[0m").unwrap_err().to_string();
        assert_eq!(error, r#"expected a number, read "12 apples\u{1b}[0m""#);
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn no_text_makes_the_parser_panic(
            kind in prop::sample::select(vec![
                "", "random:", "timestamp", "file:", "http://", "https://", "prometheus:http://",
                "up:", "latency:tcp://", "exec:", "ecs:", "host:",
            ]),
            rest in prop_oneof![any::<String>(), "[a-z0-9.:/@#~?%{}\"'=,\\\\ \\[\\]-]{0,60}"],
        ) {
            let _ = parse(&format!("{kind}{rest}"), &Options::default());
            let _ = number(&rest);
        }
    }
}
