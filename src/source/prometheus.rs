//! `prometheus:http://…/metrics#name{label="x"}`: series of a Prometheus endpoint.
//!
//! Each series is a value with its labels as dimensions: gauges as they are, counters as
//! the increase since the last scrape, histograms and summaries as the increase of their
//! sum and of their count. The times that a page may give with its samples are not used:
//! a point belongs to its tick.

use std::sync::{Arc, Mutex, PoisonError};

use super::http::{HeadersFile, HttpUrl, Page, ParseUrlError};
use super::{Options, Readings, Sampling, Source, Tick};

mod exposition;
mod scan;
mod scrape;
mod selector;
mod series;

pub use exposition::{Exposition, ExpositionError, Format, Kind, Sample};
pub(crate) use scrape::Scrapes;
use scrape::{Endpoint, ScrapeError};
pub use selector::{ParseSelectorError, Selector};
use series::{Counts, Found, LabelFilter};

/// The series of one endpoint that a selector picks.
#[derive(Debug)]
pub(super) struct Prometheus {
    endpoint: Endpoint,
    selector: Selector,
    labels: LabelFilter,
    max_series: usize,
    counts: Mutex<Counts>,
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
        Ok(Self {
            endpoint: Endpoint {
                url: url.parse()?,
                headers: HeadersFile::new(options),
            },
            selector: selector.parse()?,
            labels: LabelFilter::new(options),
            max_series: options.max_series,
            counts: Mutex::default(),
        })
    }

    async fn read(&self, tick: &Tick) -> Result<Readings, PrometheusError> {
        let client = &tick.resources.http;
        let page = tick.scrapes.page(&self.endpoint, client).await?;
        let found = self.select(&page)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(found.read(self.selector.name(), &self.labels, &mut counts))
    }

    /// The page is read to its end even when enough is found: a page that is broken
    /// anywhere is not to be trusted.
    fn select<'a>(&self, page: &'a Page) -> Result<Found<'a>, PrometheusError> {
        let url = || self.endpoint.url.clone();
        let mut found = Found::default();
        for sample in Exposition::new(&page.text, Format::of(&page.content_type)) {
            let sample =
                sample.map_err(|source| PrometheusError::Exposition { url: url(), source })?;
            if !self.selector.matches(&sample) {
                continue;
            }
            found.insert(sample);
            if found.len() > self.max_series {
                return Err(PrometheusError::TooManySeries {
                    url: url(),
                    selector: self.selector.to_string(),
                    max: self.max_series,
                });
            }
        }
        if found.len() == 0 {
            return Err(PrometheusError::NoSeries {
                url: url(),
                selector: self.selector.to_string(),
            });
        }
        Ok(found)
    }
}

impl Source for Prometheus {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.read(tick).await?) })
    }
}

#[cfg(test)]
mod tests;
