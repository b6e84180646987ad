//! Reads the files that the environment names, and the configuration from all of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_connection::{Certificates, FileRead, NamedCertificates, Region, SdkFiles, profile_region};
use settings::{Diagnostics, Environment, Place, Problem};
use tokio::task::spawn_blocking;

use super::files::{Files, Look};
use super::task;
use crate::config::crontab::{self, Defaults};
use crate::config::{Config, Entry, Inputs, Task, crontab_path, setting};

/// The configuration, if it is sound, and what was found in any case.
pub(super) struct Loaded {
    pub(super) config: Option<Config>,
    pub(super) findings: Diagnostics,
    /// What a look at the crontab's file showed before it was read.
    pub(super) look: Option<Look>,
}

/// What the configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To say what is wrong with it, without the network.
    Check,
    /// To publish. The spool is not used in a dry run: that accepts every point, those of an
    /// earlier process included, and must not come near what is held on disk.
    Publish {
        /// Nothing is sent.
        dry_run: bool,
    },
}

/// Reads everything that the configuration is made from.
pub(super) async fn load(environment: Environment, purpose: Purpose) -> Loaded {
    let dry_run = purpose == Purpose::Publish { dry_run: true };
    let profile_region = if Region::is_named(&environment) {
        Ok(None)
    } else {
        profile_region(&SdkFiles::new(&environment)).await
    };
    let (profile_region, unread_profiles) = match profile_region {
        Ok(region) => (region, None),
        Err(why) => (None, Some(why)),
    };
    let path = |name| environment.variable(name).map(PathBuf::from);
    let spool_dir = path(setting::SPOOL_DIR.name).filter(|_| !dry_run);
    let files = Files::default();
    let named = NamedCertificates::of(&environment);
    let ((look, crontab), ca_bundle, spool_dir, found) = tokio::join!(
        crontab(&environment, &files),
        ask(path("AWS_CA_BUNDLE"), |path| files.read(path)),
        ask(spool_dir, |dir| files.takes_files(dir)),
        certificates(named.as_ref(), &files),
    );
    let (task, unknown_task) = match purpose {
        Purpose::Check => (task::unasked(&environment), None),
        Purpose::Publish { .. } => {
            let text = crontab.as_ref().and_then(|(_, text)| text.as_ref().ok());
            let text = text.map_or("", String::as_str);
            match task::task(&environment, text).await {
                Ok(task) => (task, None),
                Err(problem) => (Task::Unasked, Some(problem)),
            }
        }
    };
    let inputs = Inputs {
        environment,
        crontab,
        profile_region,
        ca_bundle,
        task,
        spool_dir,
    };
    let read = off_the_thread(move || Config::read(&inputs)).await;
    let (mut config, mut findings) = read.unwrap_or_else(|failure| {
        let problems = vec![unread(&failure)];
        let warnings = Vec::new();
        (None, Diagnostics { problems, warnings })
    });
    if let Some(problem) = unknown_task {
        findings.problems.push(problem);
        config = None;
    }
    findings
        .warnings
        .extend(unread_profiles.map(|message| Problem {
            place: Place::Setting(setting::AWS_REGION.name.to_owned()),
            message,
        }));
    if let Some(config) = &mut config
        && let (Some(named), Some(found)) = (named, found)
    {
        let pem = named.take(
            found
                .as_ref()
                .map(|found| &**found)
                .map_err(|error| io::Error::new(error.kind(), error.to_string())),
            &mut findings,
        );
        config.http.ca_bundle.get_or_insert(pem);
    }
    Loaded {
        config,
        findings,
        look,
    }
}

async fn certificates(
    named: Option<&NamedCertificates>,
    files: &Files,
) -> Option<io::Result<Arc<Certificates>>> {
    Some(files.certificates(named?.clone()).await)
}

/// A large crontab takes seconds to read, and signals and health are to be served meanwhile.
async fn off_the_thread<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    Ok(spawn_blocking(read).await?)
}

fn unread(failure: &io::Error) -> Problem {
    Problem {
        place: Place::Setting(setting::CRONTAB.name.to_owned()),
        message: format!("cannot be read: {failure}"),
    }
}

/// The file, looked at before it is read: what changes meanwhile is seen by the next look.
async fn crontab(
    environment: &Environment,
    files: &Files,
) -> (Option<Look>, Option<FileRead<String>>) {
    let (path, must_exist) = crontab_path(environment);
    let look = files.look(&path).await;
    match files.read_text(path.clone()).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => (None, None),
        content => (Some(look), Some((path, content))),
    }
}

async fn ask<T, F: Future<Output = io::Result<T>>>(
    path: Option<PathBuf>,
    question: impl FnOnce(PathBuf) -> F,
) -> Option<FileRead<T>> {
    let path = path?;
    let answer = question(path.clone()).await;
    Some((path, answer))
}

/// Reads the crontab again, for the same defaults.
pub(super) async fn reload(
    path: &Path,
    defaults: &Defaults,
    files: &Files,
) -> Result<(Vec<Entry>, Vec<Problem>), Vec<Problem>> {
    let read = files.read_text(path.to_owned()).await;
    let text = read.map_err(|error| vec![unread(&error)])?;
    let path = path.to_owned();
    let mut defaults = defaults.clone();
    if defaults.task == Task::Unasked {
        let task = task::task(&defaults.variables, &text).await;
        defaults.task = task.map_err(|problem| vec![problem])?;
    }
    // Entries that are not taken are dropped there, too: they may be many.
    let read = off_the_thread(move || {
        let (entries, found) = crontab::read(&path, &text, &defaults);
        if found.problems.is_empty() {
            Ok((entries, found.warnings))
        } else {
            Err(found.problems)
        }
    });
    read.await
        .unwrap_or_else(|failure| Err(vec![unread(&failure)]))
}
