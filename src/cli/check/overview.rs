//! What `check` tells about a good configuration.

use std::iter::successors;

use aws_connection::Origin;
use chrono::{DateTime, Utc};

use crate::config::{Config, Entry};

/// How many of the next firings are shown: enough to see a step and the turn of a day.
const FIRINGS: usize = 3;

/// A good configuration with what belongs to it.
pub(super) struct Overview<'a> {
    pub(super) config: &'a Config,
    /// The variables that are set to something else than their default, fit to be shown.
    pub(super) settings: &'a [(String, String)],
    pub(super) credentials: &'a Origin,
    pub(super) now: DateTime<Utc>,
}

impl Overview<'_> {
    /// When an entry is due next.
    pub(super) fn firings(&self, entry: &Entry) -> Vec<DateTime<Utc>> {
        let schedule = &entry.schedule;
        successors(schedule.next_after(self.now), |at| schedule.next_after(*at))
            .take(FIRINGS)
            .collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use settings::Diagnostics;

    use super::*;
    use crate::config::{Inputs, Task};

    /// The configuration of a crontab, or of the variables alone.
    pub(in crate::cli::check) fn read(
        crontab: Option<&str>,
        variables: &[(&str, &str)],
    ) -> (Option<Config>, Diagnostics) {
        let region = [("AWS_REGION", "us-east-1")];
        let variables = region.iter().chain(variables);
        Config::read(&Inputs {
            environment: variables.map(|(n, v)| (n.into(), v.into())).collect(),
            crontab: crontab.map(|text| ("/etc/crontab".into(), Ok(text.to_owned()))),
            profile_region: None,
            ca_bundle: None,
            task: Task::Unasked,
            spool_dir: None,
        })
    }

    /// An overview just before clocks in Europe are put back.
    pub(in crate::cli::check) fn overview<'a>(
        config: &'a Config,
        settings: &'a [(String, String)],
    ) -> Overview<'a> {
        Overview {
            config,
            settings,
            credentials: &Origin::Nowhere,
            now: "2025-10-24T12:00:00Z".parse().unwrap(),
        }
    }
}
