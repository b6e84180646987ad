//! Reads the files that the environment names, and the configuration from all of it.

use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::files::Files;
use crate::cloudwatch;
use crate::config::crontab::{self, Defaults};
use crate::config::{Asked, Config, CrontabFile, Entry, Environment, Findings, Inputs};
use crate::config::{Place, Problem, setting};

/// The configuration, if it is sound, and what was found in any case.
pub(super) struct Loaded {
    pub(super) config: Option<Config>,
    pub(super) findings: Findings,
}

/// Reads everything that the configuration is made from. The spool is not used in a dry
/// run: that accepts every point, those of an earlier process included, and must not come
/// near what is held on disk.
pub(super) async fn load(environment: Environment, dry_run: bool) -> Loaded {
    let names_region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .any(|name| environment.variable(name).is_some());
    let profile_region = if names_region {
        None
    } else {
        cloudwatch::profile_region().await
    };
    let path = |name| environment.variable(name).map(PathBuf::from);
    let spool_dir = path(setting::SPOOL_DIR.name).filter(|_| !dry_run);
    let files = Files::default();
    let (crontab, ca_bundle, spool_dir) = tokio::join!(
        crontab(&environment, &files),
        ask(path("AWS_CA_BUNDLE"), |path| files.read(path)),
        ask(spool_dir, |dir| files.takes_files(dir)),
    );
    let inputs = Inputs {
        environment,
        crontab,
        profile_region,
        ca_bundle,
        spool_dir,
    };
    let (config, findings) = Config::read(&inputs);
    Loaded { config, findings }
}

async fn crontab(environment: &Environment, files: &Files) -> Option<Asked<String>> {
    let (path, must_exist) = environment.crontab();
    match files.read_text(path.clone()).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
        content => Some((path, content)),
    }
}

async fn ask<T, F: Future<Output = io::Result<T>>>(
    path: Option<PathBuf>,
    question: impl FnOnce(PathBuf) -> F,
) -> Option<Asked<T>> {
    let path = path?;
    let answer = question(path.clone()).await;
    Some((path, answer))
}

/// Reads the crontab again, for the same defaults.
pub(super) async fn reload(
    path: &Path,
    defaults: &Defaults,
    files: &Files,
) -> Result<Vec<Entry>, Vec<Problem>> {
    let read = files.read_text(path.to_owned()).await;
    let text = read.map_err(|error| {
        vec![Problem {
            place: Place::Setting(setting::CRONTAB.name.to_owned()),
            message: format!("cannot read {}: {error}", path.display()),
        }]
    })?;
    let path = path.to_owned();
    match crontab::read(&CrontabFile { path, text }, defaults) {
        (entries, problems) if problems.is_empty() => Ok(entries),
        (_, problems) => Err(problems),
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
