//! The facts of one moment, and the two forms in which they are told.

use std::fmt::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use cloudwatch_metric::Namespace;
use serde_json::{Value, json};

use crate::outbox::Dropped;

/// What is known of the process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether it is healthy.
    pub condition: Condition,
    /// When it began to work.
    pub started: Option<DateTime<Utc>>,
    /// When a tick was last accepted.
    pub last_success: Option<DateTime<Utc>>,
    /// The failed ticks in a row of each namespace that has any.
    pub failures: Vec<(Namespace, u32)>,
    /// Points that wait to be accepted.
    pub held: usize,
    /// Of those, the ones that were refused for an unknown reason and are tried once an hour.
    pub parked: usize,
    /// Points that were lost.
    pub losses: Dropped,
    /// Values that could not be had.
    pub failed_samples: u64,
    /// When something is due next.
    pub next_tick: Option<DateTime<Utc>>,
}

/// Whether the process is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No tick was sent yet, and nothing is wrong.
    Starting,
    /// Ticks are sent.
    Healthy,
    /// Something is wrong: what.
    Unhealthy(String),
}

impl Condition {
    /// Whether the process may go on as it is.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Unhealthy(_))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
        })
    }
}

impl Report {
    /// One JSON object, for `/healthz`.
    #[must_use]
    pub fn json(&self) -> Value {
        let rfc3339 = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let failures = self.failures.iter().map(|(_, count)| *count);
        let mut object = json!({
            "status": self.condition.to_string(),
            "started": self.started.map(rfc3339),
            "last_success": self.last_success.map(rfc3339),
            "consecutive_failures": failures.max().unwrap_or_default(),
            "points_held": self.held,
            "points_parked": self.parked,
            "points_dropped": self.dropped().into_iter().collect::<serde_json::Map<_, _>>(),
            "values_missed": self.failed_samples,
            "next_tick": self.next_tick.map(rfc3339),
        });
        if let Condition::Unhealthy(reason) = &self.condition {
            object["reason"] = reason.as_str().into();
        }
        object
    }

    /// The exposition format of Prometheus, version 0.0.4, for `/metrics`.
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut text = Exposition::default();
        let seconds = |at: DateTime<Utc>| ("".to_owned(), at.timestamp().to_string());
        let single = |value: String| [(String::new(), value)];
        text.family(
            "cw_publisher_healthy",
            "gauge",
            "Whether the publisher is healthy, 1 or 0.",
            single(u8::from(self.condition.is_good()).to_string()),
        );
        text.family(
            "cw_publisher_start_time_seconds",
            "gauge",
            "When the publisher began to work, in Unix time.",
            self.started.map(seconds),
        );
        text.family(
            "cw_publisher_last_success_timestamp_seconds",
            "gauge",
            "When CloudWatch last accepted a tick, in Unix time.",
            self.last_success.map(seconds),
        );
        text.family(
            "cw_publisher_next_tick_timestamp_seconds",
            "gauge",
            "When something is due next, in Unix time.",
            self.next_tick.map(seconds),
        );
        let failures = self.failures.iter();
        text.family(
            "cw_publisher_consecutive_failed_ticks",
            "gauge",
            "Failed ticks in a row of each namespace that has any.",
            failures.map(|(namespace, count)| {
                (label("namespace", namespace.as_str()), count.to_string())
            }),
        );
        text.family(
            "cw_publisher_points_held",
            "gauge",
            "Points that wait to be accepted.",
            single(self.held.to_string()),
        );
        text.family(
            "cw_publisher_points_parked",
            "gauge",
            "Held points that were refused for an unknown reason and are tried once an hour.",
            single(self.parked.to_string()),
        );
        let dropped = self.dropped().into_iter();
        text.family(
            "cw_publisher_points_dropped_total",
            "counter",
            "Points that were lost, by reason.",
            dropped.map(|(reason, count)| (label("reason", &reason), count.to_string())),
        );
        text.family(
            "cw_publisher_values_missed_total",
            "counter",
            "Values that could not be had from their source.",
            single(self.failed_samples.to_string()),
        );
        text.0
    }

    fn dropped(&self) -> [(String, Value); 4] {
        let Dropped {
            refused,
            expired,
            overflowed,
            overflowed_bytes,
        } = self.losses;
        [
            ("refused", refused),
            ("expired", expired),
            ("overflowed", overflowed),
            ("overflowed_bytes", overflowed_bytes),
        ]
        .map(|(reason, count)| (reason.to_owned(), count.into()))
    }
}

fn label(name: &str, value: &str) -> String {
    // Line feeds would be escaped as well; names in CloudWatch have none.
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{{{name}=\"{value}\"}}")
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// Adds a family of samples, each with its labels and value; an empty one is left out.
    fn family(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (String, String)>,
    ) {
        let mut head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            self.0.push_str(&std::mem::take(&mut head));
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let at = |text: &str| Some(text.parse().unwrap());
        Report {
            condition: Condition::Unhealthy("because".to_owned()),
            started: at("2026-03-02T10:00:00Z"),
            last_success: None,
            failures: vec![
                ("a\"b\\c".parse().unwrap(), 4),
                ("Shop".parse().unwrap(), 1),
            ],
            held: 7,
            parked: 6,
            losses: Dropped {
                refused: 1,
                expired: 2,
                overflowed: 3,
                overflowed_bytes: 4,
            },
            failed_samples: 5,
            next_tick: at("2026-03-02T10:05:00Z"),
        }
    }

    #[test]
    fn json_holds_every_fact() {
        assert_eq!(
            report().json(),
            json!({
                "status": "unhealthy",
                "reason": "because",
                "started": "2026-03-02T10:00:00Z",
                "last_success": null,
                "consecutive_failures": 4,
                "points_held": 7,
                "points_parked": 6,
                "points_dropped": { "refused": 1, "expired": 2, "overflowed": 3, "overflowed_bytes": 4 },
                "values_missed": 5,
                "next_tick": "2026-03-02T10:05:00Z",
            })
        );
    }

    #[test]
    fn exposition_holds_every_fact_and_leaves_out_what_is_not_known() {
        let text = report().exposition();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "cw_publisher_healthy 0",
                "cw_publisher_start_time_seconds 1772445600",
                "cw_publisher_next_tick_timestamp_seconds 1772445900",
                r#"cw_publisher_consecutive_failed_ticks{namespace="a\"b\\c"} 4"#,
                r#"cw_publisher_consecutive_failed_ticks{namespace="Shop"} 1"#,
                "cw_publisher_points_held 7",
                "cw_publisher_points_parked 6",
                r#"cw_publisher_points_dropped_total{reason="refused"} 1"#,
                r#"cw_publisher_points_dropped_total{reason="expired"} 2"#,
                r#"cw_publisher_points_dropped_total{reason="overflowed"} 3"#,
                r#"cw_publisher_points_dropped_total{reason="overflowed_bytes"} 4"#,
                "cw_publisher_values_missed_total 5",
            ]
        );
        assert_eq!(text.matches("# TYPE ").count(), 8);
        assert!(text.contains("# TYPE cw_publisher_points_dropped_total counter\n"));
    }
}
