//! A sender: sends what is held for one namespace, the newest tick first, one request
//! at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;
use rand::RngExt;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::senders::{Phase, Shared};
use crate::clock::Clock;
use crate::publish::{Retry, Sink};

mod account;
mod round;

use account::Outage;

/// Held points are tried again this long after a failure if no tick comes before:
/// with an hourly schedule an outage would otherwise last an hour longer. It is more
/// than the minute between the ticks of the usual schedule, so that each of those asks
/// once, and with its own points first.
const HELD_RETRY: Duration = Duration::from_secs(90);

pub(super) struct NamespaceSender<S, C> {
    namespace: Namespace,
    shared: Arc<Shared<S, C>>,
    wake: Arc<Notify>,
    phase: watch::Receiver<Phase>,
    outage: Option<Outage>,
    /// Whether the last round ended with a failure.
    has_failed: bool,
    /// The last tick that was told to have failed; it may come in parts.
    failed_tick: Option<DateTime<Utc>>,
    /// The unknown refusal that a point was last parked for, and when.
    last_parked: Option<(Arc<str>, DateTime<Utc>)>,
    /// Whether the service has accepted anything since it last refused all of a batch.
    is_taking: bool,
}

impl<S: Sink, C: Clock> NamespaceSender<S, C> {
    pub(super) fn new(namespace: Namespace, shared: Arc<Shared<S, C>>, wake: Arc<Notify>) -> Self {
        let phase = shared.phase.clone();
        Self {
            namespace,
            shared,
            wake,
            phase,
            outage: None,
            has_failed: false,
            failed_tick: None,
            last_parked: None,
            is_taking: false,
        }
    }

    /// Sends whenever there is something to send, until the run ends.
    pub(super) async fn run(mut self) {
        while self.phase() == Phase::Running {
            self.wait_for_points().await;
            self.wait_for_jitter().await;
            if self.phase() == Phase::Running {
                self.has_failed = !self.round(self.shared.retry).await;
            }
        }
        while self.phase() == Phase::Finishing && self.has_sendable() {
            if !self.round(self.shared.retry).await {
                break;
            }
        }
        if self.phase() == Phase::Stopping {
            self.round(Retry::NEVER).await;
        }
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    fn has_sendable(&self) -> bool {
        self.shared.store().sendable_of(&self.namespace) > 0
    }

    /// How long until held points are tried again if no tick comes.
    fn next_try(&self) -> Option<Duration> {
        if self.has_sendable() {
            return Some(HELD_RETRY);
        }
        let parked = self.shared.store().next_parked_try(&self.namespace)?;
        let until = (parked - self.shared.clock.now()).to_std();
        // What is due is still there only because its try has failed.
        Some(until.unwrap_or(HELD_RETRY))
    }

    fn has_tick(&self) -> bool {
        self.shared.store().has_tick(&self.namespace)
    }

    async fn wait_for_points(&mut self) {
        let next_try = self.next_try();
        let woken = async {
            self.wake.notified().await;
            // After a failure a wake-up may be left over from what has failed with it.
            while self.has_failed && !self.shared.store().has_tick(&self.namespace) {
                self.wake.notified().await;
            }
        };
        tokio::select! {
            () = woken => {}
            () = sleep(next_try.unwrap_or_default()), if next_try.is_some() => {}
            _ = self.phase.changed() => {}
        }
    }

    async fn wait_for_jitter(&mut self) {
        if self.shared.jitter.is_zero() {
            return;
        }
        let jitter = self
            .shared
            .jitter
            .mul_f64(rand::rng().random_range(0.0..=1.0));
        tokio::select! {
            () = sleep(jitter) => {}
            // Not `changed`: the change may be what ended the wait for points.
            _ = self.phase.wait_for(|phase| *phase != Phase::Running) => {}
        }
    }
}
