//! The metrics that the endpoint took in, and when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

/// One point of an accepted request.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedPoint {
    /// The namespace of its request.
    pub namespace: Arc<str>,
    /// The metric's name.
    pub name: String,
    /// Names and values, in the order they were sent in.
    pub dimensions: Vec<(String, String)>,
    /// The unit, `None` where the request has none.
    pub unit: String,
    /// What was measured.
    pub measure: Measure,
    /// 1 or 60 seconds.
    pub resolution: i64,
    /// Unix milliseconds; the time of arrival where the request has none.
    pub timestamp_ms: i64,
}

impl ReceivedPoint {
    /// The value, or the mean of a set of values.
    #[must_use]
    pub fn value(&self) -> f64 {
        match &self.measure {
            Measure::Value(value) => *value,
            Measure::Statistics {
                sample_count, sum, ..
            } => sum / sample_count,
            Measure::Values(values) => {
                let count: f64 = values.iter().map(|(_, count)| count).sum();
                values.iter().map(|(v, count)| v * count).sum::<f64>() / count
            }
        }
    }

    /// Unix seconds, cut.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.timestamp_ms.div_euclid(1000)
    }

    /// The value of a dimension.
    #[must_use]
    pub fn dimension(&self, name: &str) -> Option<&str> {
        let mut dimensions = self.dimensions.iter();
        dimensions.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The three ways to state what was measured.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Measure {
    Value(f64),
    Statistics {
        sample_count: f64,
        sum: f64,
        minimum: f64,
        maximum: f64,
    },
    /// Values, each with how often it was seen.
    Values(Vec<(f64, f64)>),
}

/// An accepted request.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedRequest {
    /// When its headers had arrived, by the endpoint's clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock, to measure pauses with.
    pub instant: Instant,
    /// The namespace of all its points.
    pub namespace: Arc<str>,
    /// The points, in the order they were sent in.
    pub points: Vec<ReceivedPoint>,
    /// The access key that signed it.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
    /// Bytes of the body as sent, compressed or not.
    pub body_bytes: usize,
    /// Whether the body was compressed.
    pub gzip: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

/// The points of one metric, in the order they came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The metric's name.
    pub name: String,
    /// Sorted by name: their order does not tell metrics apart.
    pub dimensions: Vec<(String, String)>,
    /// The unit of the latest point.
    pub unit: String,
    /// Unix seconds and values.
    pub points: VecDeque<(i64, f64)>,
}

/// How much is kept; what came first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    pub(crate) points_per_series: usize,
    pub(crate) requests: usize,
}

impl Keep {
    pub(crate) const ALL: Self = Self {
        points_per_series: usize::MAX,
        requests: usize::MAX,
    };
}

type SeriesKey = (Arc<str>, String, Vec<(String, String)>);

/// The points of one metric, and the place of each among all accepted points, counted
/// from 1.
#[derive(Debug)]
struct Track {
    series: Series,
    numbers: VecDeque<usize>,
}

/// All that was accepted.
#[derive(Debug)]
pub(crate) struct Store {
    keep: Keep,
    pub(crate) requests: VecDeque<Arc<ReceivedRequest>>,
    series: BTreeMap<SeriesKey, Track>,
    pub(crate) points_accepted: usize,
}

impl Store {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            requests: VecDeque::new(),
            series: BTreeMap::new(),
            points_accepted: 0,
        }
    }

    pub(crate) fn accept(&mut self, request: ReceivedRequest) {
        for point in &request.points {
            self.points_accepted += 1;
            self.add_to_series(point);
        }
        self.requests.push_back(Arc::new(request));
        if self.requests.len() > self.keep.requests {
            self.requests.pop_front();
        }
    }

    pub(crate) fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.values().map(|track| &track.series)
    }

    /// The metrics with points that were accepted after the first `accepted` of all points,
    /// and those points in the order they came in.
    pub(crate) fn series_after(
        &self,
        accepted: usize,
    ) -> impl Iterator<Item = (&Series, impl DoubleEndedIterator<Item = &(i64, f64)>)> {
        self.series.values().filter_map(move |track| {
            let known = track.numbers.partition_point(|number| *number <= accepted);
            let points = &track.series.points;
            (known < points.len()).then(|| (&track.series, points.range(known..)))
        })
    }

    fn add_to_series(&mut self, point: &ReceivedPoint) {
        let mut dimensions = point.dimensions.clone();
        dimensions.sort_unstable();
        let key = (point.namespace.clone(), point.name.clone(), dimensions);
        let track = self.series.entry(key).or_insert_with_key(|key| Track {
            series: Series {
                namespace: key.0.clone(),
                name: key.1.clone(),
                dimensions: key.2.clone(),
                unit: String::new(),
                points: VecDeque::new(),
            },
            numbers: VecDeque::new(),
        });
        let series = &mut track.series;
        series.unit.clone_from(&point.unit);
        series.points.push_back((point.unix(), point.value()));
        track.numbers.push_back(self.points_accepted);
        if series.points.len() > self.keep.points_per_series {
            series.points.pop_front();
            track.numbers.pop_front();
        }
    }
}
