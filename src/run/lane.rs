//! A lane: sends what is held for one namespace, the newest tick first, one request
//! at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::lanes::{Phase, Shared};
use crate::clock::Clock;
use crate::metric::Namespace;
use crate::outbox::Batch;
use crate::publish::{Delivery, Failure, Outcome, Retry, Sink, Step};

mod account;

use account::{Account, Outage};

/// Held points are tried again this long after a failure if no tick comes before:
/// with an hourly schedule an outage would otherwise last an hour longer. It is more
/// than the minute between the ticks of the usual schedule, so that each of those asks
/// once, and with its own points first.
const HELD_RETRY: Duration = Duration::from_secs(90);

pub(super) struct Lane<S, C> {
    namespace: Namespace,
    shared: Arc<Shared<S, C>>,
    wake: Arc<Notify>,
    phase: watch::Receiver<Phase>,
    outage: Option<Outage>,
    /// Whether the last round ended with a failure.
    has_failed: bool,
    /// The last tick that was told to have failed; it may come in parts.
    failed_tick: Option<DateTime<Utc>>,
}

/// How the delivery of one batch ended.
enum Ending {
    /// Every point of it was accepted or refused.
    Done,
    /// Its retries are spent, or somebody must act first.
    Failed(Failure),
    /// It made room: a newer tick is there, or the run ends.
    Interrupted,
}

/// What one batch came to.
struct Delivered {
    ending: Ending,
    accepted: usize,
    attempts: u32,
}

impl<S: Sink, C: Clock> Lane<S, C> {
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
        while self.phase() == Phase::Finishing && self.holds_any() {
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

    fn holds_any(&self) -> bool {
        self.shared.store().held_of(&self.namespace) > 0
    }

    fn has_tick(&self) -> bool {
        self.shared.store().has_tick(&self.namespace)
    }

    async fn wait_for_points(&mut self) {
        let held = self.holds_any();
        let woken = async {
            self.wake.notified().await;
            // After a failure a wake-up may be left over from what has failed with it.
            while self.has_failed && !self.shared.store().has_tick(&self.namespace) {
                self.wake.notified().await;
            }
        };
        tokio::select! {
            () = woken => {}
            () = sleep(HELD_RETRY), if held => {}
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

    /// Sends until nothing is held or a delivery fails; tells which.
    async fn round(&mut self, retry: Retry) -> bool {
        let mut account = Account::new();
        loop {
            let now = self.shared.clock.now();
            let next = self.shared.store().next_batch(&self.namespace, now);
            let Some((batch, is_tick)) = next else {
                self.shared.tell_held();
                self.account_for(&mut account);
                self.recovered();
                return true;
            };
            if !is_tick {
                self.account_for(&mut account);
            }
            let delivered = self.deliver(batch.clone(), is_tick, retry).await;
            self.shared.tell_held();
            self.tell(&batch, &delivered, is_tick);
            account.requests += delivered.attempts;
            if is_tick || self.outage.is_none() {
                account.points += delivered.accepted;
            } else if let Some(outage) = &mut self.outage {
                outage.replayed += delivered.accepted;
                // `recovered` tells of these.
                account = Account::new();
            }
            match delivered.ending {
                Ending::Done => {}
                Ending::Failed(failure) => {
                    self.account_for(&mut account);
                    self.failed(&batch, &failure, delivered.attempts);
                    return false;
                }
                Ending::Interrupted if self.phase() == Phase::Running => {}
                Ending::Interrupted => {
                    self.account_for(&mut account);
                    return false;
                }
            }
        }
    }

    /// Delivers one batch and books every answer at once, so that whatever ends the
    /// delivery loses and doubles nothing.
    async fn deliver(&mut self, batch: Batch, is_tick: bool, retry: Retry) -> Delivered {
        let mut delivery = Delivery::new(batch, retry);
        let mut accepted = 0;
        let mut failed = None;
        let ending = loop {
            match delivery.step() {
                Step::Done => break failed.map_or(Ending::Done, Ending::Failed),
                Step::Wait(delay) => {
                    if !self.wait(delay, is_tick).await {
                        break Ending::Interrupted;
                    }
                }
                // A backlog that is being parted makes room as one that waits does.
                Step::Send(_) if !is_tick && delivery.attempts() > 0 && self.has_tick() => {
                    break Ending::Interrupted;
                }
                Step::Send(batch) => {
                    self.shared.settle().await;
                    let answer = self.shared.sink.put(&batch).await;
                    for outcome in delivery.answer(answer, &mut rand::rng()) {
                        match outcome {
                            Outcome::Accepted(batch) => {
                                accepted += self.shared.store().accept(&batch);
                            }
                            Outcome::Refused(batch, failure) => self.refused(&batch, &failure),
                            Outcome::Retrying { failure, delay } => {
                                self.retrying(delivery.attempts(), &failure, delay);
                            }
                            Outcome::Parting(_) => {}
                            Outcome::Held(failure) => failed = failed.or(Some(failure)),
                        }
                    }
                }
            }
        };
        Delivered {
            ending,
            accepted,
            attempts: delivery.attempts(),
        }
    }

    /// Waits before a retry; `false` if the delivery shall make room. A backlog makes
    /// room for a newer tick, which alarms read.
    async fn wait(&mut self, delay: Duration, is_tick: bool) -> bool {
        let shared = &self.shared;
        let newer_tick = async {
            // A wake-up may be left over from a tick that was sent already.
            while !shared.store().has_tick(&self.namespace) {
                self.wake.notified().await;
            }
        };
        tokio::select! {
            () = sleep(delay) => true,
            () = newer_tick, if !is_tick => false,
            _ = self.phase.wait_for(|phase| *phase == Phase::Stopping) => false,
        }
    }
}
