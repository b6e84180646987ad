//! What a run has, and how one container is seen to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{ContainerInfo, DockerApiClient, DockerClientError, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Stop;
use crate::clock;
use crate::cloudwatch_manager::{LogsService, Streams, setup_cloudwatch_logging};
use crate::failure::RunError;
use crate::job::Job;
use crate::ship::{Begin, Ended, Followed, Shipping, follow};

/// How long the service may take to say whether a stream is there.
const SETUP_PATIENCE: Duration = Duration::from_secs(10);

/// So many times the drain's patience a service is waited for that only asks for less.
const THROTTLED_FOR: u32 = 10;

/// A run.
pub(super) struct Session<S> {
    pub(super) job: Arc<Job>,
    pub(super) shipping: Arc<Shipping<S>>,
    pub(super) docker: DockerApiClient,
    pub(super) stop: Stop,
}

/// Written out, for the service need not be one that can be copied.
impl<S> Clone for Session<S> {
    fn clone(&self) -> Self {
        Self {
            job: self.job.clone(),
            shipping: self.shipping.clone(),
            docker: self.docker.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// How long shipping may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until then.
    Until(Instant),
    /// As long as something is accepted every so often, counted from this moment on.
    WhileMoving(Instant, Duration),
}

/// A container whose log is being shipped. It ends when this is dropped.
pub(super) struct Following<'a> {
    pub(super) shipped: Pin<Box<dyn Future<Output = Result<Ended, DockerClientError>> + Send + 'a>>,
    halt: watch::Sender<Option<Timestamp>>,
    /// How far it was read.
    pub(super) followed: Followed,
}

impl Following<'_> {
    /// Lines from now on are not wanted.
    pub(super) fn halt(&self) {
        self.halt.send_replace(Some(clock::now()));
    }
}

impl<S: LogsService> Session<S> {
    /// Where its lines go, once it is certain that they may.
    pub(super) async fn set_up(&self, info: &ContainerInfo) -> Result<Streams, RunError> {
        let today = clock::today();
        let service = &*self.shipping.service;
        let setup = setup_cloudwatch_logging(service, info, &self.job, &today);
        match tokio::time::timeout(SETUP_PATIENCE, setup).await {
            Ok(streams) => streams,
            Err(_) => Ok(Streams::of(&self.job.destination, info, &today)),
        }
    }

    /// Ships a container's log; from where the checkpoint says on, if it knows.
    pub(super) fn follow<'a>(
        &'a self,
        info: &'a ContainerInfo,
        streams: &'a Streams,
        mut begin: Begin,
        followed: &Followed,
    ) -> Following<'a> {
        let checkpoint = self.shipping.checkpoint.as_ref();
        let known = checkpoint.and_then(|checkpoint| checkpoint.cursor(&info.id));
        begin.accepted |= known.is_some();
        begin.cursor = known.or(begin.cursor);
        let (halt, halted) = watch::channel(None);
        let shipped = follow(
            &self.shipping,
            &self.docker,
            info,
            streams,
            begin,
            followed.clone(),
            halted,
        );
        Following {
            shipped: Box::pin(shipped),
            halt,
            followed: followed.clone(),
        }
    }

    /// Waits until everything is shipped; nothing if that takes too long. A signal shortens what is
    /// left to the time that it allows.
    pub(super) async fn drain<T>(
        &self,
        mut shipped: impl Future<Output = T> + Unpin,
        mut patience: Patience,
    ) -> Option<T> {
        let mut stop = self.stop.clone();
        loop {
            let deadline = self.deadline(patience);
            tokio::select! {
                shipped = &mut shipped => return Some(shipped),
                () = sleep_until(deadline) => {
                    if self.deadline(patience) <= Instant::now() {
                        return None;
                    }
                }
                () = stop.asked(), if !matches!(patience, Patience::Until(_)) => {
                    let soon = Instant::now() + self.job.delivery.drain_timeout;
                    patience = Patience::Until(deadline.min(soon));
                }
            }
        }
    }

    fn deadline(&self, patience: Patience) -> Instant {
        match patience {
            Patience::Until(deadline) => deadline,
            Patience::WhileMoving(since, timeout) => {
                let tally = &self.shipping.tally;
                let accepted = tally.last_accepted().map_or(since, |at| at.max(since));
                // Throttling is no standstill, but it may not go on for ever.
                let most = accepted + timeout.saturating_mul(THROTTLED_FOR);
                let throttled = tally.last_throttled().unwrap_or(accepted).max(accepted);
                (throttled + timeout).min(most)
            }
        }
    }

    /// From now on.
    pub(super) fn until_timeout(&self) -> Patience {
        Patience::Until(Instant::now() + self.job.delivery.drain_timeout)
    }

    /// From now on.
    pub(super) fn while_moving(&self) -> Patience {
        Patience::WhileMoving(Instant::now(), self.job.delivery.drain_timeout)
    }
}
