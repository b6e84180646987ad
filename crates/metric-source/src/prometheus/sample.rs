//! One sample of an exposition, and the family that it belongs to.

use std::borrow::Cow;

/// How a text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4: timestamps in milliseconds, a counter's name is its family's.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, families with suffixed samples, an end mark.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` names; without one it is the text format.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or("").trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// The type of a family of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Counter,
    Gauge,
    GaugeHistogram,
    Histogram,
    Info,
    StateSet,
    Summary,
    Unknown,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The name that stands in the line, any suffix included.
    pub name: Cow<'a, str>,
    /// Names and values in the order of the line; no name stands twice.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The number, which may be NaN or infinite.
    pub value: f64,
    /// Unix seconds.
    pub timestamp: Option<f64>,
    /// The type of the sample's family.
    pub kind: Kind,
    /// What `name` has behind the name of its family.
    pub suffix: &'static str,
}

impl Sample<'_> {
    /// The name of the family.
    #[must_use]
    pub fn family(&self) -> &str {
        self.name.strip_suffix(self.suffix).unwrap_or(&self.name)
    }

    /// The value of a label, or the empty text where there is none, which means the same.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(n, _)| n == name);
        label.map_or("", |(_, value)| value)
    }
}
