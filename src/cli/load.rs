//! Reads the files that the environment names, and the configuration from all of it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tracing::{error, warn};

use crate::cloudwatch;
use crate::config::{Config, CrontabFile, Environment, Findings, Inputs, Place, Problem};
use crate::config::{Entry, crontab, setting};

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
    let inputs = Inputs {
        crontab: crontab(&environment),
        profile_region,
        ca_bundle: path("AWS_CA_BUNDLE").map(|path| {
            let content = std::fs::read(&path);
            (path, content)
        }),
        spool_dir: spool_dir.map(|dir| {
            let usable = takes_files(&dir);
            (dir, usable)
        }),
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

/// Whether files can be made in a folder; asking leaves no trace there.
fn takes_files(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
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
