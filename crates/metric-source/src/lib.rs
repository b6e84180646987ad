//! Where values come from: the grammar of a value (`docs/sources.md`) and the one
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

use blocking_io::{Files, Names};
use chrono::{DateTime, Utc};
use cloudwatch_metric::{Dimension, Value};

mod computing;
mod constant;
mod ecs;
mod exec;
mod file;
mod grammar;
mod host;
mod http;
mod json;
mod number;
mod options;
mod probe;
pub mod prometheus;
mod random;
mod text;
mod threads;
mod timestamp;
mod variables;

pub use ecs::{TaskIdentity, task_identity};
pub use grammar::{ParseSourceError, kinds, parse};
pub use http_proxies::HttpConfig;
pub use number::NumberError;
pub(crate) use number::number;
pub use options::{Options, Uses};
pub use text::{SourceText, shown};
pub use variables::{FromVariable, parse_with, with_names};

/// Most threads that sources hold at a time, whatever hangs.
pub const THREADS_MAX: usize = threads::THREADS_MAX
    + blocking_io::HANGING_MAX
    + blocking_io::RESOLVING_MAX
    + computing::COMPUTING_MAX;

/// Most bytes that are read of a file, a response or a program's output.
pub const READ_MAX: usize = 1024 * 1024;

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
        Self::resolving(&http, &Names::default())
    }

    fn resolving(http: &HttpConfig, names: &Names) -> Self {
        let files = Files::default();
        Self {
            http: http::HttpClient::new(http, &files, names),
            direct: http::HttpClient::new(&HttpConfig::default(), &files, names),
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
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// A resolver that gives no answer before something is sent or the sender is dropped,
    /// and counts the names that it was asked for.
    fn silent() -> (Names, mpsc::Sender<()>, Arc<AtomicUsize>) {
        let (release, released) = mpsc::channel();
        let (released, asked) = (Mutex::new(released), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        let names = Names::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = released.lock().map(|released| released.recv());
            Err(io::ErrorKind::TimedOut.into())
        });
        (names, release, asked)
    }

    #[tokio::test]
    async fn names_that_nobody_resolves_starve_no_other_source() {
        let (names, release, asked) = silent();
        let resources = Resources::resolving(&HttpConfig::default(), &names);
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
        assert!(asked.load(Ordering::Relaxed) <= blocking_io::RESOLVING_MAX);
        drop(release);
        let error = samplings.remove(0).await.unwrap_err();
        let error = diagnostics::chain(&*error);
        assert!(
            error.contains("connect to http://host0.invalid/"),
            "{error}"
        );
    }
}
