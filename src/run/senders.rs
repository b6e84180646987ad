//! The senders, one for each namespace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cloudwatch_metric::Namespace;
use diagnostics::chain;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tracing::error;

use super::sender::NamespaceSender;
use super::shared::{Phase, Shared};
use super::shared_outbox::SharedOutbox;
use super::spooler::{self, PATIENCE, Spooler};
use super::summary::Summary;
use crate::clock::Clock;
use crate::config::Config;
use crate::health::Status;
use crate::publish::Sink;
use crate::spool::SpoolError;

/// The disk gets this long at the end even if sending took all of the grace: whatever was
/// accepted last would come twice.
const LAST_WRITE: Duration = Duration::from_millis(250);

/// The running senders.
pub(super) struct NamespaceSenders<S, C> {
    shared: Arc<Shared<S, C>>,
    phase: watch::Sender<Phase>,
    running: BTreeMap<Namespace, AbortHandle>,
    /// The namespaces that points come for.
    published: HashSet<Namespace>,
    tasks: JoinSet<()>,
    /// The task of the spool, which outlives the senders.
    spooling: JoinSet<()>,
}

impl<S: Sink, C: Clock> NamespaceSenders<S, C> {
    /// Opens the outbox; what an earlier process left in it goes out at once.
    pub(super) async fn open(
        sink: S,
        clock: Arc<C>,
        config: &Config,
        status: Arc<Status>,
    ) -> Result<Self, SpoolError> {
        let (limits, dir) = (config.buffer, config.spool_dir.clone());
        let (outbox, thread) = spooler::open(limits, dir, clock.now()).await?;
        let outbox = Arc::new(SharedOutbox::new(outbox, status.clone()));
        let mut spooling = JoinSet::new();
        let spooler =
            thread.map(|thread| Spooler::start(thread, outbox.clone(), PATIENCE, &mut spooling));
        let (phase, phases) = watch::channel(Phase::Running);
        let mut senders = Self {
            shared: Arc::new(Shared {
                sink,
                clock,
                retry: config.retry,
                jitter: config.jitter,
                phase: phases,
                status,
                outbox,
                spooler,
            }),
            phase,
            running: BTreeMap::new(),
            published: HashSet::new(),
            tasks: JoinSet::new(),
            spooling,
        };
        senders.attend();
        Ok(senders)
    }

    /// What ticks put their points into.
    pub(super) fn outbox(&self) -> Arc<SharedOutbox> {
        self.shared.outbox.clone()
    }

    /// Waits until points have come for a namespace that has no sender.
    pub(super) async fn unattended(&self) {
        self.shared.outbox.unattended().await;
    }

    /// From now on points come for these namespaces. What is held for others is still
    /// sent; then their senders end.
    pub(super) fn publish_in(&mut self, namespaces: HashSet<Namespace>) {
        self.published = namespaces;
        self.end_idle();
    }

    /// Ends the senders of namespaces that nothing comes for any more, once nothing is held
    /// for them. One that a tick still comes for begins anew.
    fn end_idle(&mut self) {
        let outbox = &self.shared.outbox;
        self.running.retain(|namespace, task| {
            let holds = outbox.lock().len_of(namespace) > 0;
            let stays = self.published.contains(namespace) || holds;
            if !stays {
                outbox.leave(namespace);
                task.abort();
            }
            stays
        });
        self.join_ended();
    }

    fn join_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            log_ended(ended);
        }
    }

    /// What there is to do at every tick of the clock: senders that nobody needs end, and those
    /// that panicked (the SDK is large) begin anew, for their points are all there.
    pub(super) fn maintain(&mut self) {
        self.end_idle();
        self.attend();
    }

    /// Begins a sender for each namespace that holds points and has none that runs.
    pub(super) fn attend(&mut self) {
        self.join_ended();
        let holding: Vec<_> = self.shared.outbox.lock().namespaces().cloned().collect();
        for namespace in holding {
            let task = self.running.get(&namespace);
            if task.is_none_or(AbortHandle::is_finished) {
                self.begin(namespace);
            }
        }
    }

    fn begin(&mut self, namespace: Namespace) {
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        self.shared.outbox.attend(namespace.clone(), &wake);
        let sender = NamespaceSender::new(namespace.clone(), self.shared.clone(), wake);
        let task = self.tasks.spawn(sender.run());
        self.running.insert(namespace, task);
    }

    /// How many points are held.
    pub(super) fn held(&self) -> usize {
        self.shared.outbox.lock().len()
    }

    /// Lets the senders come to their end, no longer than `grace`.
    pub(super) async fn finish(&mut self, phase: Phase, grace: Duration) -> Summary {
        let began = Instant::now();
        self.phase.send_replace(phase);
        self.attend();
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                log_ended(ended);
            }
        };
        if timeout(grace, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        let left = grace.saturating_sub(began.elapsed()).max(LAST_WRITE);
        let written = async {
            self.shared.wait_durable().await;
            if let Some(spooler) = &self.shared.spooler {
                spooler.stop();
            }
            // Until its thread has let go of the folder.
            self.spooling.join_next().await
        };
        let _ = timeout(left, written).await;
        self.spooling.shutdown().await;
        let outbox = self.shared.outbox.lock();
        let spooler = self.shared.spooler.as_ref();
        Summary {
            sent: outbox.accepted(),
            dropped: outbox.dropped(),
            unsent: outbox.len(),
            span: outbox.span(),
            spooled: spooler.is_some_and(|spooler| spooler.holds(outbox.revision())),
            failed_samples: 0,
        }
    }
}

fn log_ended(ended: Result<(), JoinError>) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        error!(error = chain(&failure), "sender task panicked");
    }
}
