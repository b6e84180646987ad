//! A run from its beginning to its end: what runs, when it stops, and what exit code that gives.

use std::sync::Arc;
use std::time::Duration;

use diagnostics::chain;
use docker_client::DockerApiClient;
use retry_policy::RequestErrorKind;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::checkpoint::Checkpoint;
use crate::cloudwatch_manager::LogsService;
use crate::failure::{RunError, exit};
use crate::job::{Job, Target};
use crate::ship::{Shipping, Summary};
use crate::tee::Tee;

mod attach;
mod container;
mod rest;
mod session;

use session::Session;

/// How long credentials are waited for before the container is made: their absence is told at
/// once, and whoever gives them may be slow.
const CREDENTIALS_PATIENCE: Duration = Duration::from_secs(10);

/// Tells a run to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A run stops when the sender says `true`.
    #[must_use]
    pub fn new(asked: watch::Receiver<bool>) -> Self {
        Self(asked)
    }

    /// Whether it is to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is to stop.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Does a job; gives the exit code.
///
/// # Errors
///
/// Why it could not be done, with its own exit code.
pub async fn run<S: LogsService>(
    job: Job,
    service: S,
    docker: DockerApiClient,
    mut stop: Stop,
) -> Result<u8, RunError> {
    let checkpoint = open_checkpoint(&job).await?;
    if let Some(code) = checkpoint.as_ref().and_then(Checkpoint::exit_code) {
        remove_left_over(&job, &docker, checkpoint.as_ref()).await;
        info!(
            exit_code = code,
            "the run of this checkpoint has ended, all its lines were accepted"
        );
        return Ok(code);
    }
    // A container that the checkpoint knows is stopped by who takes it up.
    let may_run = checkpoint.is_some() && matches!(job.target, Target::Run(_));
    tokio::select! {
        ready = find_credentials(&service) => ready?,
        () = stop.asked(), if !may_run => return Err(RunError::Stopped),
    }
    let tee = match job.output.tee {
        true => Some(Tee::to_stdout().map_err(|source| RunError::Process { source })?),
        false => None,
    };
    let shipping = Arc::new(Shipping::new(Arc::new(service), &job, checkpoint, tee));
    let _progress = crate::progress::show(&job, &shipping.tally);
    let session = Session {
        job: Arc::new(job),
        shipping: shipping.clone(),
        docker,
        stop,
    };
    let ended = match &session.job.clone().target {
        Target::Run(settings) => container::run(&session, settings).await,
        Target::Attach(settings) => attach::attach(&session, settings).await,
    };
    if let Some(tee) = &shipping.tee {
        tee.finish().await;
    }
    summarize(&shipping.tally.summary(), ended.as_ref().copied().ok());
    ended
}

/// Removes what a run left that was killed before it could.
async fn remove_left_over(job: &Job, docker: &DockerApiClient, checkpoint: Option<&Checkpoint>) {
    if let (Target::Run(settings), Some(checkpoint)) = (&job.target, checkpoint)
        && settings.remove
    {
        for id in checkpoint.containers() {
            crate::docker_manager::remove(docker, &id).await;
        }
    }
}

async fn open_checkpoint(job: &Job) -> Result<Option<Checkpoint>, RunError> {
    let Some(path) = &job.delivery.checkpoint else {
        return Ok(None);
    };
    let name = format!(
        "{:016x}{:016x}",
        rand::random::<u64>(),
        rand::random::<u64>()
    );
    let opened = Checkpoint::open(path, &job.identity(), name).await;
    opened
        .map(Some)
        .map_err(|source| RunError::Checkpoint { source })
}

/// Without any, nothing could ever be shipped; if they only cannot be had now, that is no reason
/// not to begin.
async fn find_credentials(service: &impl LogsService) -> Result<(), RunError> {
    match tokio::time::timeout(CREDENTIALS_PATIENCE, service.ready()).await {
        Ok(Ok(())) => {}
        Ok(Err(failure)) if failure.kind == RequestErrorKind::NoCredentials => {
            return Err(RunError::Credentials {
                source: Box::new(failure),
            });
        }
        Ok(Err(failure)) => warn!(
            error = chain(&failure),
            "credentials cannot be had now, lines are held until they can"
        ),
        Err(_) => warn!("credentials take long, lines are held until they are there"),
    }
    Ok(())
}

fn summarize(summary: &Summary, exit_code: Option<u8>) {
    info!(
        lines = summary.lines,
        bytes = summary.bytes,
        events = summary.events,
        requests = summary.requests,
        retries = summary.retries,
        duplicates_possible = summary.duplicates_possible,
        lines_held = summary.lines_held(),
        lines_too_old = summary.too_old,
        lines_too_new = summary.too_new,
        lines_refused = summary.refused,
        gaps = summary.gaps,
        exit_code,
        "summary"
    );
}

/// Says that lines were left, and how many.
fn tell_unshipped(summary: &Summary, rest: rest::Rest) -> u8 {
    let lines = summary.lines_held() + rest.lines;
    let since = summary
        .oldest
        .map(|millis| docker_client::Timestamp::from_nanos(millis.saturating_mul(1_000_000)));
    let since = since.or(rest.since).map(|since| since.to_string());
    error!(
        lines,
        at_least = !rest.is_all,
        since,
        "not everything could be shipped in time, the container keeps its log"
    );
    exit::UNSHIPPED
}
