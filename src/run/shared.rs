//! What the senders share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::shared_outbox::SharedOutbox;
use super::spooler::Spooler;
use crate::health::Status;
use crate::publish::Retry;

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Ticks come.
    Running,
    /// No more ticks come: send what is held with the usual retries, then end.
    Finishing,
    /// The process shall end: one attempt for what is held, then end.
    Stopping,
}

/// What the senders share.
pub(super) struct Shared<S, C> {
    pub(super) sink: S,
    pub(super) clock: Arc<C>,
    pub(super) retry: Retry,
    pub(super) jitter: Duration,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) status: Arc<Status>,
    pub(super) outbox: Arc<SharedOutbox>,
    pub(super) spooler: Option<Spooler>,
}

impl<S, C> Shared<S, C> {
    /// Waits until the disk holds what the outbox holds, if it is to. Nothing is sent
    /// before: what is sent is on disk, and what was accepted is gone from it.
    pub(super) async fn wait_durable(&self) {
        if let Some(spooler) = &self.spooler {
            let revision = self.outbox.lock().revision();
            spooler.wait_durable(revision).await;
        }
    }
}
