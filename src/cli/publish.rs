//! `run` and `once`: the publisher in service.

use std::sync::Arc;
use std::time::Instant;

use aws_connection::SdkFiles;
use diagnostics::chain;
use shutdown::{Request, Requests, Stop, Stops};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info};

use super::destination::Destination;
use super::files::Look;
use super::health;
use super::reload::{CrontabFile, Reloads};
use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::config::Config;
use crate::config::setting::SPOOL_DIR;
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
pub(super) async fn run(
    config: Config,
    look: Option<Look>,
    files: SdkFiles,
    dry_run: bool,
    requests: Requests,
) -> u8 {
    announce(&config, dry_run);
    let status = Arc::new(Status::new(config.health_failures));
    // It listens until the run is over.
    let Ok(_server) = health::serve(&config.health, &status).await else {
        return FAILURE;
    };
    let destination = Destination::new(&config, files, dry_run);
    let crontab = CrontabFile::new(&config, look);
    let (entries, reloaded) = mpsc::channel(1);
    let (asked, ticked) = (Notify::new(), Arc::new(Notify::new()));
    let reloads = Reloads {
        asked: &asked,
        ticked: ticked.clone(),
        entries,
        destination: destination.clone(),
    };
    let reloads = reloads.serve(crontab);
    let (shutdown, cut_short) = stops(requests, &asked);
    let controls = Controls {
        shutdown,
        reload: reloaded,
        ticked,
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
