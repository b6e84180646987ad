//! `prometheus:http://…/metrics#name{label="x"}`: series of a Prometheus endpoint.
//!
//! Each series is a value with its labels as dimensions: gauges as they are, counters as
//! the increase since the last scrape, histograms and summaries as the increase of their
//! sum and of their count. The times that a page may give with its samples are not used:
//! a point belongs to its tick.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::computing::{self, Stopped, Wanted};
use super::http::{HeadersFile, HttpUrl, Page, ParseUrlError};
use super::{Options, Readings, Sampling, Source, Tick};

mod exposition;
mod sample;
mod scan;
mod scrape;
mod selector;
mod series;

pub use exposition::{Exposition, ExpositionError};
pub use sample::{Format, Kind, Sample};
pub(crate) use scrape::Scrapes;
use scrape::{Endpoint, ScrapeError};
use selector::MatchError;
pub use selector::{ParseSelectorError, Selector};
use series::{Counts, Found, LabelFilter};

/// The series of one endpoint that a selector picks.
#[derive(Debug)]
pub(super) struct Prometheus {
    picker: Arc<Picker>,
    counts: Mutex<Arc<Counts>>,
}

/// What is picked from a page, and how it becomes readings.
#[derive(Debug)]
struct Picker {
    endpoint: Endpoint,
    selector: Selector,
    labels: LabelFilter,
    max_series: usize,
}

/// Why a text names no series.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParsePrometheusError {
    #[error(
        "no metric is named, write prometheus:http://host:port/metrics#name{{label=\"value\"}}"
    )]
    NoSelector,
    #[error(transparent)]
    Url(#[from] ParseUrlError),
    #[error(transparent)]
    Selector(#[from] ParseSelectorError),
}

/// Why an endpoint gave no values.
#[derive(Debug, thiserror::Error)]
enum PrometheusError {
    #[error(transparent)]
    Scrape(#[from] Arc<ScrapeError>),
    #[error("read the metrics of {url}")]
    Exposition {
        url: HttpUrl,
        source: ExpositionError,
    },
    #[error("the metrics of {url}")]
    Stopped { url: HttpUrl, source: Stopped },
    #[error("no series of {url} matches {selector}")]
    NoSeries { url: HttpUrl, selector: String },
    #[error(
        "more than {max} series of {url} match {selector}, select fewer or raise max_series: each is a metric that AWS bills"
    )]
    TooManySeries {
        url: HttpUrl,
        selector: String,
        max: usize,
    },
}

impl Prometheus {
    pub(super) fn new(text: &str, options: &Options) -> Result<Self, ParsePrometheusError> {
        let (url, selector) = text
            .split_once('#')
            .filter(|(_, selector)| !selector.trim().is_empty())
            .ok_or(ParsePrometheusError::NoSelector)?;
        let picker = Picker {
            endpoint: Endpoint {
                url: url.parse()?,
                headers: HeadersFile::new(options),
            },
            selector: selector.parse()?,
            labels: LabelFilter::new(options),
            max_series: options.max_series,
        };
        Ok(Self {
            picker: Arc::new(picker),
            counts: Mutex::default(),
        })
    }

    /// The counts are replaced once the readings are there, so that those of a page that
    /// took too long are not missing from the next increase.
    async fn read(&self, tick: &Tick) -> Result<Readings, PrometheusError> {
        let (picker, client) = (self.picker.clone(), &tick.resources.http);
        let _done = tick.scrapes.begin(&self.picker.endpoint);
        let page = tick.scrapes.page(&picker.endpoint, client).await?;
        let last = self.counts().clone();
        let picked = computing::run(move |wanted| picker.pick(&page, &last, wanted)).await;
        let picked = picked.map_err(|source| self.picker.stopped(source))?;
        let (readings, counts) = picked?;
        *self.counts() = Arc::new(counts);
        Ok(readings)
    }

    fn counts(&self) -> MutexGuard<'_, Arc<Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Picker {
    fn pick(
        &self,
        page: &Page,
        last: &Counts,
        wanted: &Wanted,
    ) -> Result<(Readings, Counts), PrometheusError> {
        let found = self.select(page, wanted)?;
        Ok(found.read(self.selector.name(), &self.labels, last))
    }

    fn stopped(&self, source: Stopped) -> PrometheusError {
        let url = self.endpoint.url.clone();
        PrometheusError::Stopped { url, source }
    }

    /// The page is read to its end even when enough is found: a page that is broken
    /// anywhere is not to be trusted.
    fn select<'a>(&self, page: &'a Page, wanted: &Wanted) -> Result<Found<'a>, PrometheusError> {
        let url = || self.endpoint.url.clone();
        // Its expressions are compiled for this page alone.
        let selector = self.selector.clone();
        let mut found = Found::default();
        for sample in Exposition::new(&page.text, Format::of(&page.content_type)) {
            wanted.check().map_err(|source| self.stopped(source))?;
            let sample =
                sample.map_err(|source| PrometheusError::Exposition { url: url(), source })?;
            match selector.matches(&sample, wanted) {
                Ok(true) => found.insert(sample),
                Ok(false) => continue,
                Err(MatchError::Stopped(source)) => return Err(self.stopped(source)),
                Err(error) => found.refuse(&sample, error),
            }
            if found.len() > self.max_series {
                return Err(PrometheusError::TooManySeries {
                    url: url(),
                    selector: self.selector.to_string(),
                    max: self.max_series,
                });
            }
        }
        if found.is_empty() {
            return Err(PrometheusError::NoSeries {
                url: url(),
                selector: self.selector.to_string(),
            });
        }
        Ok(found)
    }
}

impl Source for Prometheus {
    fn announce(&self, tick: &Tick) {
        tick.scrapes.announce(&self.picker.endpoint);
    }

    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.read(tick).await?) })
    }
}

#[cfg(test)]
mod tests;
