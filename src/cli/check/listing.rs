//! `check` for people: a block of lines for each metric, because a table of all that
//! there is to tell would wrap, and what holds for all of them at the end, where it
//! still stands on the screen after thirty metrics.

use std::io::{self, Write};

use chrono::SecondsFormat;
use diagnostics::one_line;
use settings::Diagnostics;

use super::overview::Overview;
use crate::config::Entry;

/// Prints what is wrong, one `SETTING: problem` a line.
pub(super) fn problems(err: &mut impl Write, findings: &Diagnostics) -> io::Result<()> {
    for warning in &findings.warnings {
        writeln!(err, "warning: {}", one_line(&warning.to_string()))?;
    }
    for problem in &findings.problems {
        writeln!(err, "{}", one_line(&problem.to_string()))?;
    }
    Ok(())
}

/// Prints a good configuration.
pub(super) fn listing(out: &mut impl Write, overview: &Overview<'_>) -> io::Result<()> {
    let config = overview.config;
    for entry in &config.entries {
        block(out, overview, entry)?;
        writeln!(out)?;
    }
    if !overview.settings.is_empty() {
        writeln!(out, "Settings that differ from their defaults")?;
        let names = overview.settings.iter().map(|(name, _)| name.len());
        let width = names.max().unwrap_or_default();
        for (name, value) in overview.settings {
            writeln!(out, "    {name:width$}  {}", one_line(value))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Region       {}", config.region)?;
    writeln!(
        out,
        "Credentials  {}",
        one_line(&overview.credentials.to_string())
    )?;
    if let Some(role) = &config.role {
        writeln!(out, "Role         {} (ASSUME_ROLE_ARN)", role.arn())?;
    }
    if let Some(origin) = &config.crontab {
        writeln!(out, "Crontab      {}", one_line(&origin.to_string()))?;
    }
    let metrics = match config.entries.len() {
        1 => "1 metric".to_owned(),
        count => format!("{count} metrics"),
    };
    writeln!(out, "The configuration is good: {metrics}.")
}

fn block(out: &mut impl Write, overview: &Overview<'_>, entry: &Entry) -> io::Result<()> {
    let metric = &entry.metric;
    write!(out, "{} / {}", metric.namespace, metric.name)?;
    match entry.line {
        Some(line) => writeln!(out, "  (line {line})")?,
        None => writeln!(out)?,
    }
    if !metric.dimensions.is_empty() {
        writeln!(out, "    dimensions  {}", metric.dimensions)?;
    }
    writeln!(
        out,
        "    value       {}",
        one_line(&entry.source_text.to_string())
    )?;
    if let Some(measured) = entry.source.describe() {
        writeln!(out, "    measures    {}", one_line(&measured))?;
    }
    let resolution = metric.resolution.seconds();
    let unit = metric.unit.as_str();
    writeln!(out, "    unit        {unit}, resolution {resolution} s")?;
    let zone = entry.schedule.zone();
    writeln!(out, "    schedule    {} in {zone}", entry.schedule)?;
    let firings = overview.firings(entry);
    let firings = firings.into_iter().map(|at| {
        let civil = zone.civil(at);
        civil.to_rfc3339_opts(SecondsFormat::Secs, true)
    });
    let firings: Vec<_> = firings.collect();
    writeln!(out, "    next        {}", firings.join("  "))
}

#[cfg(test)]
mod tests {
    use super::super::overview::tests::{overview, read};
    use super::*;

    fn listed(crontab: Option<&str>, settings: &[(String, String)]) -> String {
        let (config, findings) = read(crontab, &[]);
        assert_eq!(findings.problems, []);
        let mut out = Vec::new();
        listing(&mut out, &overview(&config.unwrap(), settings)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_metric_of_the_environment_is_a_short_answer() {
        let settings = [
            ("SCHEDULE_TZ".to_owned(), "UTC".to_owned()),
            ("HTTPS_PROXY".to_owned(), "set".to_owned()),
        ];
        assert_eq!(
            listed(None, &settings),
            "\
CustomMetrics / TestMetric
    value       random:1-100
    unit        Count, resolution 60 s
    schedule    * * * * * in UTC
    next        2025-10-24T12:01:00Z  2025-10-24T12:02:00Z  2025-10-24T12:03:00Z

Settings that differ from their defaults
    SCHEDULE_TZ  UTC
    HTTPS_PROXY  set

Region       us-east-1
Credentials  none found
The configuration is good: 1 metric.
"
        );
    }

    #[test]
    fn metrics_of_a_crontab_show_their_line_and_their_own_time() {
        let listed = listed(
            Some(
                "CRON_TZ=Europe/Berlin\n\
                 0 9 * * * name=Opening value=1 namespace=\"Shop Floor\" dimensions=A=1,B=2\n\
                 * * * * * * name=Load value=http://me:secret@host/x unit=Percent resolution=1\n\
                 @daily name=Up value=host:uptime\n",
            ),
            &[],
        );
        assert!(
            listed.starts_with(
                "\
Shop Floor / Opening  (line 2)
    dimensions  A=1,B=2
    value       1
    unit        Count, resolution 60 s
    schedule    0 9 * * * in Europe/Berlin
    next        2025-10-25T09:00:00+02:00  2025-10-26T09:00:00+01:00  2025-10-27T09:00:00+01:00

CustomMetrics / Load  (line 3)
    value       http://host/x
    unit        Percent, resolution 1 s
"
            ),
            "{listed}"
        );
        assert!(
            listed.ends_with("Crontab      /etc/crontab\nThe configuration is good: 3 metrics.\n")
        );
        assert!(
            listed.contains("    value       host:uptime\n    measures    uptime of the machine\n")
        );
        assert!(listed.lines().all(|line| line.len() <= 100), "{listed}");
    }

    #[test]
    fn problems_name_their_setting_or_their_place_on_one_line() {
        let crontab = "* * * * * name=A valeu=1\x1b[0m";
        let variables = [("RETRY_MAX", "x\ny"), ("METRIC_NAM", "x")];
        let (config, findings) = read(Some(crontab), &variables);
        assert!(config.is_none());
        let mut err = Vec::new();
        problems(&mut err, &findings).unwrap();
        let err = String::from_utf8(err).unwrap();
        let lines: Vec<_> = err.lines().collect();
        assert!(
            lines[0].starts_with("warning: METRIC_NAM: is not known"),
            "{err}"
        );
        assert!(lines[1].starts_with("/etc/crontab:1:"), "{err}");
        assert_eq!(lines.len(), 3, "{err}");
        assert!(err.contains("\nRETRY_MAX: \"x\\ny\": no"), "{err}");
    }
}
