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
        println!("{}\n", self.paint(FAINT, &verdict(series)));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
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

fn verdict(series: &[Series]) -> String {
    let points: usize = series.iter().map(|series| series.points.len()).sum();
    match missing(series) {
        0 => format!("  {points} points, no gap between the first and the last"),
        missing => format!("  {points} points, {missing} missing between the first and the last"),
    }
}

/// The latest points up to a moment, with marks where one should be and is not.
fn sparkline(series: &Series, now: i64) -> String {
    let period = period(series);
    let slots = slots(series, period);
    let Some((first, _)) = slots.first_key_value() else {
        return String::new();
    };
    // What belongs to this second may be on its way.
    let end = (now - 1).div_euclid(period);
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
