//! What whoever started the demonstration sees in the terminal.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudwatch_local::Series;

/// Points of a sparkline.
const SPARK_WIDTH: i64 = 24;
/// The longest seconds between two moments of a schedule here.
const PERIOD_MAX: i64 = 5;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A point that is not there, yet or at all.
const ABSENT: char = '·';

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";
const BOLD: &str = "1";
const FAINT: &str = "2";

/// Prints to standard output, with colours in a terminal.
pub(crate) struct Board {
    colours: bool,
}

impl Board {
    pub(crate) fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// The demonstration's own words.
    pub(crate) fn say(&self, text: &str) {
        println!("{}", self.paint(BOLD, &format!("── {text}")));
    }

    /// A line of the publisher's log, as it is.
    pub(crate) fn log(&self, line: &str) {
        let levels = [("ERROR", RED), ("WARN", YELLOW), ("INFO", GREEN)];
        let level = levels.iter().find_map(|(level, colour)| {
            let (time, rest) = line.split_once(level)?;
            Some((time, self.paint(colour, level), rest))
        });
        match level {
            Some((time, level, rest)) => println!("{}{level}{rest}", self.paint(FAINT, time)),
            None => println!("{line}"),
        }
    }

    /// What the endpoint holds.
    pub(crate) fn show(&self, series: &[Series], now: DateTime<Utc>) {
        let time = now.format("%H:%M:%S");
        println!();
        self.say(&format!("{time} what the endpoint holds"));
        let header = row("metric", "points", "latest", "unit", "the latest points");
        println!("{}", self.paint(FAINT, &header));
        for series in series {
            let latest = series.points.iter().max_by_key(|(at, _)| *at);
            let latest = latest.map(|(_, value)| number(*value)).unwrap_or_default();
            let points = series.points.len().to_string();
            let spark = self.paint(CYAN, &sparkline(series, now.timestamp()));
            println!(
                "{}",
                row(&name(series), &points, &latest, &series.unit, &spark)
            );
        }
        println!("{}\n", self.paint(FAINT, &verdict(series, now.timestamp())));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The moment behind the last point.
pub(crate) fn last(series: &[Series]) -> Option<DateTime<Utc>> {
    let points = series.iter().flat_map(|series| &series.points);
    let last = points.map(|(at, _)| *at).max()?;
    DateTime::from_timestamp(last + 1, 0)
}

/// How many points lie between the first and the last of each metric and are not there.
pub(crate) fn missing(series: &[Series]) -> i64 {
    series.iter().map(gap).sum()
}

fn row(metric: &str, points: &str, latest: &str, unit: &str, spark: &str) -> String {
    format!("  {metric:<30} {points:>6} {latest:>11} {unit:<12} {spark}")
}

fn name(series: &Series) -> String {
    let dimensions: Vec<_> = series
        .dimensions
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (namespace, name) = (&series.namespace, &series.name);
    format!("{namespace}/{name}{{{}}}", dimensions.join(","))
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}

/// What the chart shows, in words.
fn verdict(series: &[Series], now: i64) -> String {
    let points: usize = series.iter().map(|series| series.points.len()).sum();
    let gaps = match missing(series) {
        0 => "no gap".to_owned(),
        missing => format!("{missing} missing"),
    };
    let to_come = match series.iter().map(|series| due(series, now)).sum::<i64>() {
        0 => String::new(),
        due => format!("; {due} {ABSENT} behind the last are yet to come"),
    };
    format!("  {points} points, {gaps} between the first and the last{to_come}")
}

/// How many points are due behind the last that is there.
fn due(series: &Series, now: i64) -> i64 {
    let period = period(series);
    match slots(series, period).last_key_value() {
        Some((last, _)) => (end(now, period) - last).max(0),
        None => 0,
    }
}

/// The last period whose point must be there: what belongs to this second may be on its way.
fn end(now: i64, period: i64) -> i64 {
    (now - 1).div_euclid(period)
}

/// The latest points up to a moment, with marks where one should be and is not.
fn sparkline(series: &Series, now: i64) -> String {
    let period = period(series);
    let slots = slots(series, period);
    let Some((first, _)) = slots.first_key_value() else {
        return String::new();
    };
    let end = end(now, period);
    let window = end - SPARK_WIDTH + 1..=end;
    let seen = || slots.range(window.clone()).map(|(_, value)| *value);
    let low = seen().fold(f64::INFINITY, f64::min);
    let high = seen().fold(f64::NEG_INFINITY, f64::max);
    let bar = |slot| match slots.get(&slot) {
        Some(value) => level(*value, low, high),
        None if slot < *first => ' ',
        None => ABSENT,
    };
    window.clone().map(bar).collect()
}

fn level(value: f64, low: f64, high: f64) -> char {
    if high <= low {
        return LEVELS[LEVELS.len() / 2];
    }
    let share = (value - low) / (high - low) * LEVELS.len() as f64;
    LEVELS[(share as usize).min(LEVELS.len() - 1)]
}

fn gap(series: &Series) -> i64 {
    let slots = slots(series, period(series));
    match (slots.first_key_value(), slots.last_key_value()) {
        (Some((first, _)), Some((last, _))) => last - first + 1 - slots.len() as i64,
        _ => 0,
    }
}

/// Values by period, in the order of time: points that were held come later than others.
fn slots(series: &Series, period: i64) -> BTreeMap<i64, f64> {
    let points = series.points.iter();
    points
        .map(|(at, value)| (at.div_euclid(period), *value))
        .collect()
}

/// The seconds from one point to the next, as most of them are. The first point came at the
/// start, off the schedule.
fn period(series: &Series) -> i64 {
    let moments: Vec<_> = slots(series, 1).into_keys().collect();
    let steps = moments.windows(2).skip(1);
    let mut steps: Vec<_> = steps.map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(PERIOD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_second(moments: impl IntoIterator<Item = i64>) -> Series {
        Series {
            namespace: "Shop".into(),
            name: "Heartbeat".to_owned(),
            dimensions: Vec::new(),
            unit: "Count".to_owned(),
            points: moments.into_iter().map(|at| (at, 1.0)).collect(),
        }
    }

    #[test]
    fn words_say_what_the_chart_shows() {
        for (moments, now, words, marks) in [
            ((0..10).collect::<Vec<_>>(), 10, "10 points, no gap", 0),
            (
                (0..10).collect(),
                14,
                "no gap between the first and the last; 4 ·",
                4,
            ),
            (
                (0..10).filter(|at| *at != 5).collect(),
                10,
                "9 points, 1 missing",
                1,
            ),
        ] {
            let series = every_second(moments);
            let verdict = verdict(std::slice::from_ref(&series), now);
            assert!(verdict.contains(words), "{verdict}");
            let chart = sparkline(&series, now);
            assert_eq!(chart.matches(ABSENT).count(), marks, "{chart}");
            assert_eq!(verdict.contains("yet to come"), now > 10, "{verdict}");
        }
    }

    #[test]
    fn nothing_is_due_at_the_end() {
        let series = [every_second(0..10)];
        let end = last(&series).unwrap();
        assert_eq!(due(&series[0], end.timestamp()), 0);
    }
}
