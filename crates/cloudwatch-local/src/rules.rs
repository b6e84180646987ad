//! What the service refuses, all or nothing, in its own words where they are known.
//!
//! The limits are those of the CloudWatch API Reference (`PutMetricData`, `MetricDatum`,
//! `Dimension`, `StatisticSet`), the edges of the value range those that the service was
//! seen to keep. They are written here a second time on purpose: a publisher that checks
//! itself by its own rules proves nothing.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::protocol::{
    DATA_MAX, DIMENSIONS_MAX, Datum, Dimension, Input, StatisticSet, VALUES_MAX,
};
use crate::refusal::Refusal;
use crate::store::{Measure, ReceivedPoint};

mod problems;

use problems::Problems;

const NAME_MAX: usize = 255;
const DIMENSION_VALUE_MAX: usize = 1024;
const PAST_DAYS: i64 = 14;
const FUTURE_HOURS: i64 = 2;

/// The 27 standard units (API Reference, `MetricDatum`), in the order of the service's message.
const UNITS: &[&str] = &[
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// The points of a request that keeps every rule.
pub(crate) fn check(input: Input, now: DateTime<Utc>) -> Result<Vec<ReceivedPoint>, Refusal> {
    let mut problems = Problems::default();
    if input.has_entities {
        problems.invalid("The parameter EntityMetricData is not taken by this endpoint.".into());
    }
    let namespace = input.namespace.unwrap_or_default();
    problems.text("Namespace", Some(&namespace), NAME_MAX);
    if namespace.starts_with(':') || namespace.starts_with("AWS/") {
        problems.invalid_value(&namespace, "Namespace");
    }
    if input.data.is_empty() {
        problems.missing("MetricData");
    }
    problems.size("MetricData", input.data.len(), DATA_MAX);
    problems.end()?;

    for (i, datum) in input.data.iter().enumerate() {
        problems.datum(&format!("MetricData.member.{}", i + 1), datum, now);
    }
    problems.end()?;

    let namespace: Arc<str> = namespace.into();
    Ok(input
        .data
        .into_iter()
        .map(|datum| point(&namespace, datum, now))
        .collect())
}

impl Problems {
    fn datum(&mut self, at: &str, datum: &Datum, now: DateTime<Utc>) {
        self.text(&format!("{at}.MetricName"), datum.name.as_ref(), NAME_MAX);
        self.dimensions(&format!("{at}.Dimensions"), &datum.dimensions);
        if let Some(timestamp) = datum.timestamp {
            self.timestamp(&format!("{at}.Timestamp"), timestamp, now);
        }
        if let Some(unit) = &datum.unit
            && !UNITS.contains(&unit.as_str())
        {
            let units = UNITS.join(", ");
            self.invalid(format!(
                "The parameter {at}.Unit must be a value in the set [ {units} ]."
            ));
        }
        if !matches!(datum.resolution, None | Some(1 | 60)) {
            self.invalid(format!(
                "The parameter {at}.StorageResolution must be a value in the set [ 1, 60 ]."
            ));
        }
        self.measure(at, datum);
    }

    fn dimensions(&mut self, at: &str, dimensions: &[Dimension]) {
        self.size(at, dimensions.len(), DIMENSIONS_MAX);
        let mut names = HashSet::new();
        for (i, dimension) in dimensions.iter().enumerate() {
            let at = format!("{at}.member.{}", i + 1);
            let name = dimension.name.as_deref().unwrap_or_default();
            self.text(&format!("{at}.Name"), dimension.name.as_ref(), NAME_MAX);
            self.text(
                &format!("{at}.Value"),
                dimension.value.as_ref(),
                DIMENSION_VALUE_MAX,
            );
            if name.starts_with(':') {
                self.invalid_value(name, &format!("{at}.Name"));
            }
            if !name.is_empty() && !names.insert(name) {
                self.invalid(format!(
                    "The parameter {at}.Name is the name of another dimension of the same metric."
                ));
            }
        }
    }

    fn timestamp(&mut self, at: &str, seconds: f64, now: DateTime<Utc>) {
        let unix = |at: DateTime<Utc>| at.timestamp_millis() as f64 / 1000.0;
        let oldest = unix(now - TimeDelta::days(PAST_DAYS));
        let newest = unix(now + TimeDelta::hours(FUTURE_HOURS));
        if seconds.is_nan() {
            self.invalid_value("NaN", at);
        } else if seconds < oldest {
            self.invalid(format!(
                "The parameter {at} must specify a time within the past two weeks."
            ));
        } else if seconds > newest {
            self.invalid(format!(
                "The parameter {at} must specify a time no more than two hours in the future."
            ));
        }
    }

    fn measure(&mut self, at: &str, datum: &Datum) {
        let given: Vec<_> = [
            ("Value", datum.value.is_some()),
            ("Values", datum.values.is_some()),
            ("StatisticValues", datum.statistics.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
        if given.is_empty() {
            self.combination(format!(
                "At least one of the parameters {at}.Value, {at}.Values and {at}.StatisticValues must be specified."
            ));
        }
        if let [first, second, ..] = given[..] {
            self.combination(format!(
                "The parameters {at}.{first} and {at}.{second} are mutually exclusive and you have specified both."
            ));
        }
        if datum.counts.is_some() && datum.values.is_none() {
            self.combination(format!(
                "The parameter {at}.Counts needs the parameter {at}.Values."
            ));
        }
        if let Some(value) = datum.value {
            self.number(&format!("{at}.Value"), value);
        }
        if let Some(values) = &datum.values {
            self.values(at, values, datum.counts.as_deref());
        }
        if let Some(set) = &datum.statistics {
            self.statistics(&format!("{at}.StatisticValues"), set);
        }
    }

    fn values(&mut self, at: &str, values: &[f64], counts: Option<&[f64]>) {
        if values.is_empty() {
            self.missing(&format!("{at}.Values"));
        }
        self.size(&format!("{at}.Values"), values.len(), VALUES_MAX);
        for (i, value) in values.iter().enumerate() {
            self.number(&format!("{at}.Values.member.{}", i + 1), *value);
        }
        let counts = counts.unwrap_or_default();
        if !counts.is_empty() && counts.len() != values.len() {
            self.invalid(format!(
                "The parameters {at}.Values and {at}.Counts must be of the same size."
            ));
        }
        for (i, count) in counts.iter().enumerate() {
            let at = format!("{at}.Counts.member.{}", i + 1);
            self.number(&at, *count);
            if *count < 0.0 {
                self.invalid_value(&count.to_string(), &at);
            }
        }
    }

    fn statistics(&mut self, at: &str, set: &StatisticSet) {
        let members = [
            ("SampleCount", set.sample_count),
            ("Sum", set.sum),
            ("Minimum", set.minimum),
            ("Maximum", set.maximum),
        ];
        for (name, member) in members {
            match member {
                Some(value) => self.number(&format!("{at}.{name}"), value),
                None => self.missing(&format!("{at}.{name}")),
            }
        }
        if let (Some(minimum), Some(maximum)) = (set.minimum, set.maximum)
            && maximum < minimum
        {
            self.invalid(format!(
                "The parameter {at}.Maximum must be greater than {at}.Minimum."
            ));
        }
        if set.sample_count.is_some_and(|count| count <= 0.0) {
            self.invalid(format!(
                "The parameter {at}.SampleCount must be greater than 0."
            ));
        }
    }
}

/// The point of a datum that was found to be good.
fn point(namespace: &Arc<str>, datum: Datum, now: DateTime<Utc>) -> ReceivedPoint {
    let measure = match (datum.value, datum.values, datum.statistics) {
        (Some(value), _, _) => Measure::Value(value),
        (None, Some(values), _) => {
            let counts = datum.counts.filter(|counts| !counts.is_empty());
            let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
            Measure::Values(values.into_iter().zip(counts).collect())
        }
        (None, None, set) => {
            let set = set.unwrap_or_default();
            Measure::Statistics {
                sample_count: set.sample_count.unwrap_or_default(),
                sum: set.sum.unwrap_or_default(),
                minimum: set.minimum.unwrap_or_default(),
                maximum: set.maximum.unwrap_or_default(),
            }
        }
    };
    let timestamp_ms = datum
        .timestamp
        .map_or(now.timestamp_millis(), |s| (s * 1000.0).round() as i64);
    ReceivedPoint {
        namespace: namespace.clone(),
        name: datum.name.unwrap_or_default(),
        dimensions: datum
            .dimensions
            .into_iter()
            .map(|d| (d.name.unwrap_or_default(), d.value.unwrap_or_default()))
            .collect(),
        unit: datum.unit.unwrap_or_else(|| "None".to_owned()),
        measure,
        resolution: datum.resolution.unwrap_or(60),
        timestamp_ms,
    }
}

#[cfg(test)]
mod tests;
