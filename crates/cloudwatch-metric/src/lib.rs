//! What CloudWatch accepts as a metric and a point, checked once when it is made.
//!
//! The limits are those of the CloudWatch API Reference, `PutMetricData`,
//! `MetricDatum` and `Dimension`. Nothing here sends or serialises anything.
//!
//! ```
//! use cloudwatch_metric::{Dimensions, Namespace, Value};
//!
//! assert!("AWS/EC2".parse::<Namespace>().is_err(), "it is kept for AWS's own services");
//! let dimensions: Dimensions = "Service=shop,Stage=prod".parse()?;
//! assert_eq!(dimensions.iter().count(), 2);
//! assert!(Value::try_from(f64::NAN).is_err());
//! # Ok::<(), cloudwatch_metric::MetricError>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diagnostics::{Hidden, did_you_mean, redacted_prefix};

mod unit;

pub use unit::Unit;

/// Longest namespace, metric name and dimension name (API Reference, `PutMetricData`, `Dimension`).
pub const NAME_MAX: usize = 255;
/// Longest dimension value (API Reference, `Dimension`).
pub const DIMENSION_VALUE_MAX: usize = 1024;
/// Most dimensions of one metric (API Reference, `MetricDatum`).
pub const DIMENSIONS_MAX: usize = 30;
/// Values reach from -2^360 to 2^360, both ends out (API Reference, `PutMetricData`).
const VALUE_LIMIT_EXPONENT: i32 = 360;
/// A smaller magnitude than 2^-359 is taken as zero by the service's number format.
const VALUE_TINY_EXPONENT: i32 = -359;

/// One value of one metric at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The metric that the value belongs to.
    pub metric: Arc<Metric>,
    /// The scheduled moment, in whole seconds.
    pub at: DateTime<Utc>,
    /// What was measured.
    pub value: Value,
}

/// A metric as CloudWatch tells it from others, with the unit and resolution its points carry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Metric {
    /// The container of the metric; one request carries one namespace.
    pub namespace: Namespace,
    /// The metric's name.
    pub name: MetricName,
    /// The unit of every point.
    pub unit: Unit,
    /// What sets this metric apart from others of the same name.
    pub dimensions: Dimensions,
    /// How finely CloudWatch stores the points.
    pub resolution: Resolution,
}

impl Metric {
    /// An upper bound of the bytes that one point of this metric takes in an
    /// uncompressed request. The keys, the numbers and the CBOR heads of a datum
    /// stay below the constants here, whatever the lengths of the texts are.
    #[must_use]
    pub fn request_bytes_max(&self) -> usize {
        const DATUM: usize = 128;
        const DIMENSION: usize = 24;
        let dimensions: usize = self
            .dimensions
            .iter()
            .map(|d| d.name.len() + d.value.len() + DIMENSION)
            .sum();
        DATUM + self.name.as_str().len() + dimensions
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)?;
        if !self.dimensions.is_empty() {
            write!(f, "{{{}}}", self.dimensions)?;
        }
        Ok(())
    }
}

/// Why a text or a number is not what CloudWatch accepts, and what would be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum MetricError {
    #[error("{what} is blank, give 1 to {max} ASCII characters")]
    Blank { what: &'static str, max: usize },
    #[error("{what} has {length} characters, at most {max} are allowed")]
    TooLong {
        what: &'static str,
        length: usize,
        max: usize,
    },
    #[error("{what} has the character {character:?}, only printable ASCII is allowed")]
    Character { what: &'static str, character: char },
    #[error("{what} begins with ':', begin it with another character")]
    LeadingColon { what: &'static str },
    #[error(
        "a namespace that begins with 'AWS/' is reserved for AWS services, use your own, for example MyApp/Web"
    )]
    ReservedNamespace,
    #[error("no CloudWatch unit{} the units are {}", did_you_mean(Unit::nearest(.given.as_str())), Unit::list())]
    UnknownUnit { given: Hidden },
    #[error("no storage resolution, use 60 (one minute) or 1 (one second)")]
    UnknownResolution,
    #[error("dimension {number} has no value, write Name=Value")]
    NotADimension { number: usize },
    #[error("dimension {name:?} is given twice, give each name once")]
    DuplicateDimension { name: String },
    #[error("{count} dimensions are given, at most {DIMENSIONS_MAX} are allowed")]
    TooManyDimensions { count: usize },
    #[error("{given} is not a finite number, CloudWatch takes neither NaN nor infinities")]
    NotFinite { given: f64 },
    #[error("{given:e} is out of range, CloudWatch takes magnitudes below 2^360 (about 2.3e108)")]
    OutOfRange { given: f64 },
}

/// The container of a metric, for example `MyApp/Web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// The text as CloudWatch shows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("CustomMetrics".into())
    }
}

impl FromStr for Namespace {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let what = "the namespace";
        check_text(what, text, NAME_MAX)?;
        check_no_leading_colon(what, text)?;
        if text.starts_with("AWS/") {
            return Err(MetricError::ReservedNamespace);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a metric, for example `QueueDepth`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetricName(Box<str>);

impl MetricName {
    /// The text as CloudWatch shows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MetricName {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        check_text("the metric name", text, NAME_MAX)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One name and value that tell a metric from others of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    name: Box<str>,
    value: Box<str>,
}

impl Dimension {
    /// A dimension with a checked name (1–255 characters) and value (1–1024 characters).
    pub fn new(name: &str, value: &str) -> Result<Self, MetricError> {
        check_text("the dimension name", name, NAME_MAX)?;
        check_no_leading_colon("the dimension name", name)?;
        check_text("the dimension value", value, DIMENSION_VALUE_MAX)?;
        Ok(Self {
            name: name.into(),
            value: value.into(),
        })
    }

    /// The part before `=`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The part behind `=`.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Up to 30 dimensions with distinct names, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dimensions(Box<[Dimension]>);

impl Dimensions {
    /// Checks the count and that no name stands twice.
    pub fn new(dimensions: Vec<Dimension>) -> Result<Self, MetricError> {
        if dimensions.len() > DIMENSIONS_MAX {
            return Err(MetricError::TooManyDimensions {
                count: dimensions.len(),
            });
        }
        for (i, dimension) in dimensions.iter().enumerate() {
            if dimensions[..i].iter().any(|d| d.name == dimension.name) {
                return Err(MetricError::DuplicateDimension {
                    name: redacted_prefix(&dimension.name),
                });
            }
        }
        Ok(Self(dimensions.into()))
    }

    /// These and `more`, checked as a whole.
    pub fn with(&self, more: Vec<Dimension>) -> Result<Self, MetricError> {
        let mut all = self.0.to_vec();
        all.extend(more);
        Self::new(all)
    }

    /// The dimensions in the order given.
    pub fn iter(&self) -> std::slice::Iter<'_, Dimension> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Dimensions {
    type Err = MetricError;

    /// Reads `Name=Value,Name=Value`. A value may hold `=`, as AWS's own names do.
    fn from_str(text: &str) -> Result<Self, MetricError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let dimensions = (1..)
            .zip(text.split(','))
            .map(|(number, part)| {
                let (name, value) = part
                    .split_once('=')
                    .ok_or(MetricError::NotADimension { number })?;
                Dimension::new(name.trim(), value.trim())
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(dimensions)
    }
}

impl fmt::Display for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, dimension) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", dimension.name, dimension.value)?;
        }
        Ok(())
    }
}

/// How finely CloudWatch stores a metric (API Reference, `MetricDatum`, `StorageResolution`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// One value a minute.
    #[default]
    Standard,
    /// One value a second, at a higher price for alarms.
    High,
}

impl Resolution {
    /// The period in seconds, as the API takes it.
    #[must_use]
    pub fn seconds(self) -> i32 {
        match self {
            Self::Standard => 60,
            Self::High => 1,
        }
    }
}

impl FromStr for Resolution {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        match text {
            "60" => Ok(Self::Standard),
            "1" => Ok(Self::High),
            _ => Err(MetricError::UnknownResolution),
        }
    }
}

/// A number that CloudWatch stores: finite, of a magnitude below 2^360.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Value(f64);

impl Value {
    /// The number itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Value {
    type Error = MetricError;

    fn try_from(given: f64) -> Result<Self, MetricError> {
        if !given.is_finite() {
            return Err(MetricError::NotFinite { given });
        }
        if given.abs() >= 2f64.powi(VALUE_LIMIT_EXPONENT) {
            return Err(MetricError::OutOfRange { given });
        }
        if given.abs() < 2f64.powi(VALUE_TINY_EXPONENT) {
            return Ok(Self(0.0));
        }
        Ok(Self(given))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check_text(what: &'static str, text: &str, max: usize) -> Result<(), MetricError> {
    if text.trim().is_empty() {
        return Err(MetricError::Blank { what, max });
    }
    if let Some(character) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(MetricError::Character { what, character });
    }
    if text.len() > max {
        let length = text.len();
        return Err(MetricError::TooLong { what, length, max });
    }
    Ok(())
}

fn check_no_leading_colon(what: &'static str, text: &str) -> Result<(), MetricError> {
    if text.starts_with(':') {
        return Err(MetricError::LeadingColon { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
