//! Reads the files that the environment names, and the configuration from all of it.

use std::io;
use std::path::PathBuf;

use tracing::{error, warn};

use crate::cloudwatch;
use crate::config::{Config, CrontabFile, Environment, Findings, Inputs, Place, Problem};
use crate::config::{Entry, crontab};

/// The configuration, if it is sound, and what was found in any case.
pub(super) struct Loaded {
    pub(super) config: Option<Config>,
    pub(super) findings: Findings,
}

/// Reads everything that the configuration is made from.
pub(super) async fn load(environment: Environment) -> Loaded {
    let names_region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .any(|name| environment.variable(name).is_some());
    let profile_region = if names_region {
        None
    } else {
        cloudwatch::profile_region().await
    };
    let inputs = Inputs {
        crontab: crontab(&environment),
        profile_region,
        ca_bundle: environment.variable("AWS_CA_BUNDLE").map(std::fs::read),
        environment,
    };
    let (config, findings) = Config::read(&inputs);
    Loaded { config, findings }
}

/// Reads the crontab again, for the same defaults.
pub(super) fn reload(config: &Config) -> Result<Vec<Entry>, Vec<Problem>> {
    let Some(path) = &config.crontab else {
        return Ok(config.entries.clone());
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![Problem {
            place: Place::Setting("CRONTAB".to_owned()),
            message: format!("cannot read {}: {error}", path.display()),
        }]
    })?;
    let file = CrontabFile {
        path: path.clone(),
        text,
    };
    match crontab::read(&file, &config.defaults) {
        (entries, problems) if problems.is_empty() => Ok(entries),
        (_, problems) => Err(problems),
    }
}

fn crontab(environment: &Environment) -> Option<(PathBuf, io::Result<String>)> {
    let (path, must_exist) = environment.crontab();
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
        content => Some((path, content)),
    }
}

impl Findings {
    /// One line for each problem and each warning.
    pub(super) fn log(&self) {
        for warning in &self.warnings {
            warn!(
                setting = %warning.place,
                problem = warning.message,
                "configuration looks wrong"
            );
        }
        log_problems(&self.problems, "invalid configuration");
    }
}

/// One line for each problem.
pub(super) fn log_problems(problems: &[Problem], message: &'static str) {
    for problem in problems {
        let (setting, text) = match &problem.place {
            Place::Setting(_) => (problem.place.to_string(), None),
            Place::Line { text, .. } => (problem.place.to_string(), Some(text)),
        };
        error!(setting, line = text, problem = problem.message, "{message}");
    }
}
