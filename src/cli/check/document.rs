//! `check --json`: the same as one document.

use aws_connection::AssumedRole;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use settings::{Diagnostics, Problem};

use super::overview::Overview;
use crate::config::Entry;

/// The whole answer. Without an overview it holds the problems alone.
pub(super) fn document(overview: Option<&Overview<'_>>, findings: &Diagnostics) -> Value {
    let problems = |problems: &[Problem]| problems.iter().map(problem).collect::<Value>();
    let mut document = json!({
        "valid": overview.is_some(),
        "problems": problems(&findings.problems),
        "warnings": problems(&findings.warnings),
    });
    if let Some(overview) = overview {
        let config = overview.config;
        let settings = overview.settings.iter().cloned();
        let settings = settings.map(|(name, value)| (name, value.into()));
        document["region"] = config.region.as_str().into();
        document["crontab"] = match &config.crontab {
            Some(origin) => origin.to_string().into(),
            None => Value::Null,
        };
        document["credentials"] = json!({
            "kind": overview.credentials.kind(),
            "description": overview.credentials.to_string(),
            "role": config.role.as_ref().map(AssumedRole::arn),
        });
        document["settings"] = settings.collect::<Map<_, _>>().into();
        let metrics = config.entries.iter().map(|entry| metric(overview, entry));
        document["metrics"] = metrics.collect();
    }
    document
}

fn problem(problem: &Problem) -> Value {
    json!({
        "place": problem.place.to_string(),
        "problem": problem.message,
    })
}

fn metric(overview: &Overview<'_>, entry: &Entry) -> Value {
    let metric = &entry.metric;
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions.map(|d| (d.name().to_owned(), d.value().into()));
    let firings = overview.firings(entry).into_iter();
    let firings = firings.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true).into());
    json!({
        "namespace": metric.namespace.as_str(),
        "name": metric.name.as_str(),
        "unit": metric.unit.as_str(),
        "dimensions": dimensions.collect::<Map<_, _>>(),
        "resolution_seconds": metric.resolution.seconds(),
        "value": entry.source_text.to_string(),
        "measures": entry.source.describe(),
        "schedule": entry.schedule.as_str(),
        "zone": entry.schedule.zone().to_string(),
        "next": firings.collect::<Vec<Value>>(),
        "line": entry.line,
    })
}

#[cfg(test)]
mod tests {
    use super::super::overview::tests::{overview, read};
    use super::*;

    #[test]
    fn good_configuration_is_told_whole_with_firings_in_utc() {
        let crontab = "CRON_TZ=Europe/Berlin\n0 9 * * * name=Opening value=1 dimensions=B=2,A=1\n";
        let (config, findings) = read(Some(crontab), &[]);
        let config = config.unwrap();
        let settings = [("HTTPS_PROXY".to_owned(), "set".to_owned())];
        assert_eq!(
            document(Some(&overview(&config, &settings)), &findings),
            json!({
                "valid": true,
                "problems": [],
                "warnings": [],
                "region": "us-east-1",
                "crontab": "/etc/crontab",
                "credentials": { "kind": "none", "description": "none found", "role": null },
                "settings": { "HTTPS_PROXY": "set" },
                "metrics": [{
                    "namespace": "CustomMetrics",
                    "name": "Opening",
                    "unit": "Count",
                    "dimensions": { "A": "1", "B": "2" },
                    "resolution_seconds": 60,
                    "value": "1",
                    "measures": null,
                    "schedule": "0 9 * * *",
                    "zone": "Europe/Berlin",
                    "next": ["2025-10-25T07:00:00Z", "2025-10-26T08:00:00Z", "2025-10-27T08:00:00Z"],
                    "line": 2,
                }],
            })
        );
    }

    #[test]
    fn bad_configuration_is_told_with_its_problems_alone() {
        let (config, findings) = read(Some("* * * * * value=1"), &[("METRIC_UNIT", "count")]);
        assert!(config.is_none());
        let document = document(None, &findings);
        assert_eq!(document["valid"], false);
        assert_eq!(document["problems"][0]["place"], "METRIC_UNIT");
        assert_eq!(document["problems"][1]["place"], "/etc/crontab:1:1");
        assert!(document.get("metrics").is_none());
    }
}
