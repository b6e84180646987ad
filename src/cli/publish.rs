//! `run` and `once`: the publisher in service.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use aws_connection::SdkFiles;
use diagnostics::chain;
use settings::{log_problems, log_warnings};
use shutdown::{Request, Requests, Stop, Stops};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info};

use super::destination::Destination;
use super::files::Files;
use super::health;
use super::load::reload;
use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::cloudwatch::CloudWatch;
use crate::config::crontab::Defaults;
use crate::config::setting::SPOOL_DIR;
use crate::config::{Config, CrontabOrigin, Entry};
use crate::health::Status;
use crate::run::{self, Controls, RunError};
use crate::spool::SpoolError;
use crate::ticker::SystemClock;

/// What a newcomer can do about missing credentials.
const CREDENTIALS_HINT: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws \
    mounted, or run with a role: an ECS task role, an EKS service account or an EC2 instance profile";

/// What to do about a folder that another process holds.
const IN_USE_HINT: &str = "start this one again when the other has stopped, as a restart policy does; \
    if both are to run, set another SPOOL_DIR for one";

/// Publishes on the schedule until a signal.
pub(super) async fn run(config: Config, files: SdkFiles, dry_run: bool, requests: Requests) -> u8 {
    announce(&config, dry_run);
    let status = Arc::new(Status::new(config.health_failures));
    // It listens until the run is over.
    let Ok(_server) = health::serve(&config.health, &status).await else {
        return FAILURE;
    };
    let destination = Destination::new(&config, files, dry_run);
    let crontab = config.crontab.as_ref().and_then(CrontabOrigin::file);
    let crontab = crontab.map(|path| (path.to_owned(), config.defaults.clone()));
    let (entries, reloaded) = mpsc::channel(1);
    let asked = Notify::new();
    let reloads = reload_when(&asked, crontab, &entries, destination.clone());
    let (shutdown, cut_short) = stops(requests, &asked);
    let controls = Controls {
        shutdown,
        reload: reloaded,
        status,
    };
    tokio::select! {
        ended = run::run(config, destination, SystemClock, controls) => match ended {
            Ok(_) => SUCCESS,
            Err(failure) => tell(&failure),
        },
        code = cut_short => code,
        never = reloads => match never {},
    }
}

/// Publishes every metric once.
pub(super) async fn once(config: Config, files: SdkFiles, dry_run: bool, requests: Requests) -> u8 {
    announce(&config, dry_run);
    let destination = Destination::new(&config, files, dry_run);
    // Nothing is read twice.
    let unheard = Notify::new();
    let (shutdown, cut_short) = stops(requests, &unheard);
    tokio::select! {
        ended = run::once(config, destination, SystemClock, shutdown) => match ended {
            Ok(summary) if summary.is_complete() && summary.sent > 0 => SUCCESS,
            Ok(_) => FAILURE,
            Err(failure) => tell(&failure),
        },
        code = cut_short => code,
    }
}

/// A future that completes when a signal asks to stop, and one that does when a second
/// asks for it, with the exit code. The latter sees to all signals.
fn stops(
    mut requests: Requests,
    reload: &Notify,
) -> (impl Future<Output = ()>, impl Future<Output = u8>) {
    let (stop, stopped) = oneshot::channel();
    let first = async {
        let _ = stopped.await;
    };
    let second = async move {
        let mut stop = Some(stop);
        let mut stops = Stops::default();
        loop {
            match requests.next().await {
                // Not awaited here: a signal to stop waits for none.
                Request::Reload => reload.notify_one(),
                Request::Stop => match stops.take(Instant::now()) {
                    Stop::First => {
                        let _ = stop.take().map(|stop| stop.send(()));
                    }
                    Stop::Same => {}
                    Stop::Again => break,
                },
            }
        }
        error!("second signal, ended at once");
        FAILURE
    };
    (first, second)
}

/// Reads what can be read again whenever it is asked for. What is asked for while one is
/// under way is one more together.
async fn reload_when(
    asked: &Notify,
    crontab: Option<(PathBuf, Defaults)>,
    entries: &mpsc::Sender<Vec<Entry>>,
    destination: Destination,
) -> Infallible {
    let files = Files::default();
    loop {
        asked.notified().await;
        if let Some((path, defaults)) = &crontab {
            match reload(path, defaults, &files).await {
                Ok((new, warnings)) => {
                    log_warnings(&warnings);
                    take_entries(new, entries).await;
                }
                // The old entries stay.
                Err(problems) => log_problems(&problems, "crontab rejected, keeping the old one"),
            }
        }
        if let Destination::CloudWatch(holder) = &destination {
            take_credentials(holder).await;
        }
    }
}

async fn take_entries(new: Vec<Entry>, entries: &mpsc::Sender<Vec<Entry>>) {
    info!(metrics = new.len(), "crontab reloaded");
    // The run is gone only when it stops; then there is nothing to tell it.
    let _ = entries.send(new).await;
}

/// Credentials that cannot be had are refused and the old ones stay.
async fn take_credentials(holder: &CloudWatch) {
    match holder.renew().await {
        Ok(()) => info!("credentials reloaded"),
        Err(failure) => error!(
            error = chain(&failure),
            "credentials not reloaded, keeping the old ones"
        ),
    }
}

fn tell(failure: &RunError) -> u8 {
    match failure {
        RunError::NoCredentials { .. } => {
            error!(
                error = chain(failure),
                hint = CREDENTIALS_HINT,
                "no credentials"
            );
            BAD_CONFIGURATION
        }
        // In a rolling deployment the other process is the one before, and about to stop.
        RunError::Spool {
            source: source @ SpoolError::InUse { .. },
        } => {
            error!(error = chain(source), hint = IN_USE_HINT, "spool is in use");
            FAILURE
        }
        RunError::Spool { source } => {
            error!(
                setting = SPOOL_DIR.name,
                problem = chain(source),
                "invalid configuration"
            );
            BAD_CONFIGURATION
        }
        RunError::Clock { .. } => {
            error!(error = chain(failure), "cannot run");
            FAILURE
        }
    }
}

fn announce(config: &Config, dry_run: bool) {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        region = config.region.as_str(),
        metrics = config.entries.len(),
        crontab = config.crontab.as_ref().map(ToString::to_string),
        dry_run,
        "started"
    );
}
