//! A sender: sends what is held for one namespace, the newest tick first, one request
//! at a time.

use std::sync::Arc;
use std::time::Duration;

use cloudwatch_metric::Namespace;
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::shared::{Phase, Shared};
use crate::clock::Clock;
use crate::publish::{Retry, Sink};

mod reporter;
mod round;

use reporter::Reporter;
use round::Rounds;

/// Held points are tried again this long after a failure if no tick comes before:
/// with an hourly schedule an outage would otherwise last an hour longer. It is more
/// than the minute between the ticks of the usual schedule, so that each of those asks
/// once, and with its own points first.
const HELD_RETRY: Duration = Duration::from_secs(90);

pub(super) struct NamespaceSender<S, C> {
    rounds: Rounds<S, C>,
    /// Whether the last round ended with a failure.
    has_failed: bool,
}

impl<S: Sink, C: Clock> NamespaceSender<S, C> {
    pub(super) fn new(namespace: Namespace, shared: Arc<Shared<S, C>>, wake: Arc<Notify>) -> Self {
        Self {
            rounds: Rounds::new(Reporter::new(namespace, shared), wake),
            has_failed: false,
        }
    }

    /// Sends whenever there is something to send, until the run ends.
    pub(super) async fn run(mut self) {
        while self.phase() == Phase::Running {
            self.wait_for_points().await;
            self.wait_for_jitter().await;
            if self.phase() == Phase::Running {
                self.has_failed = !self.rounds.send(self.shared().retry).await;
            }
        }
        while self.phase() == Phase::Finishing && self.has_sendable() {
            if !self.rounds.send(self.shared().retry).await {
                break;
            }
        }
        if self.phase() == Phase::Stopping {
            self.rounds.send(Retry::NEVER).await;
        }
    }

    fn phase(&self) -> Phase {
        *self.rounds.phase.borrow()
    }

    fn shared(&self) -> &Shared<S, C> {
        &self.rounds.reporter.shared
    }

    fn namespace(&self) -> &Namespace {
        &self.rounds.reporter.namespace
    }

    fn has_sendable(&self) -> bool {
        self.shared().outbox.lock().sendable_of(self.namespace()) > 0
    }

    /// How long until held points are tried again if no tick comes.
    fn next_try(&self) -> Option<Duration> {
        if self.has_sendable() {
            return Some(HELD_RETRY);
        }
        let parked = self
            .shared()
            .outbox
            .lock()
            .next_parked_try(self.namespace())?;
        let until = (parked - self.shared().clock.now()).to_std();
        // What is due is still there only because its try has failed.
        Some(until.unwrap_or(HELD_RETRY))
    }

    async fn wait_for_points(&mut self) {
        let next_try = self.next_try();
        let mut phase = self.rounds.phase.clone();
        let woken = async {
            self.rounds.wake.notified().await;
            // After a failure a wake-up may be left over from what has failed with it.
            while self.has_failed && !self.rounds.has_tick() {
                self.rounds.wake.notified().await;
            }
        };
        tokio::select! {
            () = woken => {}
            () = sleep(next_try.unwrap_or_default()), if next_try.is_some() => {}
            _ = phase.changed() => {}
        }
    }

    async fn wait_for_jitter(&mut self) {
        let longest = self.shared().jitter;
        if longest.is_zero() {
            return;
        }
        let jitter = longest.mul_f64(rand::rng().random_range(0.0..=1.0));
        tokio::select! {
            () = sleep(jitter) => {}
            // Not `changed`: the change may be what ended the wait for points.
            _ = self.rounds.phase.wait_for(|phase| *phase != Phase::Running) => {}
        }
    }
}
