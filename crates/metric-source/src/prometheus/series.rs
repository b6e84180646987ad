//! What becomes of the samples that a selector picked: counters turn into their increase,
//! labels into dimensions.

use std::collections::HashMap;
use std::fmt::Write;

use cloudwatch_metric::{DIMENSIONS_MAX, Dimension, MetricError, Value};
use diagnostics::redacted_prefix;

use super::sample::{Kind, Sample};
use super::selector::MatchError;
use crate::{Options, Reading, Readings};

/// Most problems of one scrape that are told one by one.
const PROBLEMS_MAX: usize = 10;

/// Samples by series, in the order of the page. Of several samples of one series the last
/// holds: a page may list older points first (OpenMetrics 1.0, "Metric").
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    samples: Vec<(String, Sample<'a>)>,
    /// What may be meant or not.
    unmatched: Vec<SeriesError>,
    places: HashMap<String, usize>,
}

/// The last counts by series. A series that is gone is forgotten.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Counts(HashMap<String, f64>);

/// Which labels become dimensions.
#[derive(Debug)]
pub(super) struct LabelFilter {
    keep: Vec<String>,
    drop: Vec<String>,
    taken: Vec<String>,
}

/// Why a series gave no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeriesError {
    #[error("series {series}")]
    NotAccepted { series: String, source: MetricError },
    #[error(
        "series {series} has {count} labels, a metric takes {DIMENSIONS_MAX} dimensions, drop some or keep a few"
    )]
    TooManyLabels { series: String, count: usize },
    #[error(
        "series {series} has the label {label}, and its metric a dimension of that name; in a crontab, drop={label} leaves the label out"
    )]
    Taken { series: String, label: String },
    #[error("series {series}")]
    Unmatched { series: String, source: MatchError },
    #[error("{count} more series have values or labels that CloudWatch does not take")]
    Further { count: usize },
}

impl<'a> Found<'a> {
    pub(super) fn insert(&mut self, sample: Sample<'a>) {
        let key = key(&sample);
        match self.places.get(&key) {
            Some(place) => self.samples[*place].1 = sample,
            None => {
                self.places.insert(key.clone(), self.samples.len());
                self.samples.push((key, sample));
            }
        }
    }

    /// Notes that it is not known whether a sample is meant.
    pub(super) fn refuse(&mut self, sample: &Sample<'_>, source: MatchError) {
        let series = redacted_prefix(&key(sample));
        self.unmatched
            .push(SeriesError::Unmatched { series, source });
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.unmatched.is_empty()
    }

    /// The readings of these samples, and the counts to compare the next ones with. `name`
    /// is the one that was selected: samples of other names are told apart by their suffix.
    pub(super) fn read(
        self,
        name: &str,
        labels: &LabelFilter,
        counts: &Counts,
    ) -> (Readings, Counts) {
        let mut next = Counts::default();
        let mut readings = Vec::new();
        let mut problems = self.unmatched;
        for (key, sample) in self.samples {
            let value = if is_cumulative(&sample) {
                counts.increase(&mut next, &key, sample.value)
            } else {
                Some(sample.value)
            };
            let reading = value.map(Value::try_from).transpose();
            let reading = reading.and_then(|value| Ok((value, labels.dimensions(&sample)?)));
            match reading {
                Ok((_, dimensions)) if dimensions.len() > DIMENSIONS_MAX => {
                    problems.push(SeriesError::TooManyLabels {
                        series: redacted_prefix(&key),
                        count: dimensions.len(),
                    });
                }
                Ok((Some(value), dimensions)) => match labels.taken(&dimensions) {
                    Some(label) => problems.push(SeriesError::Taken {
                        series: redacted_prefix(&key),
                        label: redacted_prefix(label),
                    }),
                    None => readings.push(Reading {
                        value,
                        dimensions,
                        suffix: if is_one_of_two(name, &sample) {
                            sample.suffix
                        } else {
                            ""
                        },
                    }),
                },
                Ok((None, _)) => {}
                Err(source) => problems.push(SeriesError::NotAccepted {
                    series: redacted_prefix(&key),
                    source,
                }),
            }
        }
        let readings = Readings {
            readings,
            problems: bounded(problems).into_iter().map(Into::into).collect(),
        };
        (readings, next)
    }
}

impl Counts {
    /// How much a counter grew, noting its count in `next`. None the first time; a count
    /// below the last one began again at 0. What is no count is handed on to be refused.
    fn increase(&self, next: &mut Self, series: &str, count: f64) -> Option<f64> {
        let last = self.0.get(series).copied();
        let noted = if count.is_finite() { Some(count) } else { last };
        next.0.extend(noted.map(|noted| (series.to_owned(), noted)));
        if !count.is_finite() {
            return Some(count);
        }
        last.map(|last| if count >= last { count - last } else { count })
    }
}

impl LabelFilter {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            keep: options.keep_labels.clone(),
            drop: options.drop_labels.clone(),
            taken: options.own_dimensions.clone(),
        }
    }

    /// The first label that the entry has as a dimension already.
    fn taken<'a>(&self, dimensions: &'a [Dimension]) -> Option<&'a str> {
        let mut names = dimensions.iter().map(Dimension::name);
        names.find(|name| self.taken.iter().any(|taken| taken == name))
    }

    /// An empty value is no label (OpenMetrics 1.0, "Label"), and no dimension either.
    fn dimensions(&self, sample: &Sample<'_>) -> Result<Vec<Dimension>, MetricError> {
        let is_kept = |name: &str| {
            (self.keep.is_empty() || self.keep.iter().any(|keep| keep == name))
                && !self.drop.iter().any(|drop| drop == name)
        };
        let labels = sample.labels.iter();
        labels
            .filter(|(name, value)| !value.is_empty() && is_kept(name))
            .map(|(name, value)| Dimension::new(name, value))
            .collect()
    }
}

/// Whether a sample only ever grows until its process starts again.
fn is_cumulative(sample: &Sample<'_>) -> bool {
    match sample.kind {
        Kind::Counter => sample.suffix != "_created",
        Kind::Histogram => matches!(sample.suffix, "_sum" | "_count" | "_bucket"),
        Kind::Summary => matches!(sample.suffix, "_sum" | "_count"),
        Kind::Gauge | Kind::GaugeHistogram | Kind::Info | Kind::StateSet | Kind::Unknown => false,
    }
}

/// Whether the name means two samples of a family, its sum and its count.
fn is_one_of_two(name: &str, sample: &Sample<'_>) -> bool {
    name != sample.name && matches!(sample.suffix, "_sum" | "_count" | "_gsum" | "_gcount")
}

/// The series that a sample belongs to, whatever the order of its labels.
fn key(sample: &Sample<'_>) -> String {
    let mut labels: Vec<_> = sample
        .labels
        .iter()
        .filter(|(_, v)| !v.is_empty())
        .collect();
    labels.sort();
    let mut key = sample.name.to_string();
    for (i, (name, value)) in labels.iter().enumerate() {
        let before = if i == 0 { '{' } else { ',' };
        let _ = write!(key, "{before}{name}={value:?}");
    }
    if !labels.is_empty() {
        key.push('}');
    }
    key
}

fn bounded(mut problems: Vec<SeriesError>) -> Vec<SeriesError> {
    if problems.len() > PROBLEMS_MAX {
        let count = problems.len() - PROBLEMS_MAX;
        problems.truncate(PROBLEMS_MAX);
        problems.push(SeriesError::Further { count });
    }
    problems
}
