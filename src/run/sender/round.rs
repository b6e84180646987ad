//! Rounds of a sender: each sends until nothing is left that may be sent now.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::super::shared::Phase;
use super::super::shared_outbox::SharedOutbox;
use super::reporter::{Account, Delivered, Ending, Reporter};
use crate::clock::Clock;
use crate::outbox::{Batch, Share};
use crate::publish::{Delivery, Outcome, RequestError, Retry, Sink, Step, Verdict};

/// After so many ticks in a row a backlog that waits gets one request. Where a tick takes
/// longer to deliver than the next takes to come, the backlog would never move.
const TICKS_IN_A_ROW: u32 = 3;

/// A batch on its way.
struct Sending {
    batch: Batch,
    share: Share,
    delivery: Delivery,
}

/// Sends for one namespace, a round at a time.
pub(super) struct Rounds<S, C> {
    pub(super) reporter: Reporter<S, C>,
    pub(super) wake: Arc<Notify>,
    pub(super) phase: watch::Receiver<Phase>,
    /// Whether the service has accepted anything since it last refused all of a batch.
    is_taking: bool,
}

impl<S: Sink, C: Clock> Rounds<S, C> {
    pub(super) fn new(reporter: Reporter<S, C>, wake: Arc<Notify>) -> Self {
        Self {
            phase: reporter.shared.phase.clone(),
            reporter,
            wake,
            is_taking: false,
        }
    }

    fn outbox(&self) -> &SharedOutbox {
        &self.reporter.shared.outbox
    }

    pub(super) fn has_tick(&self) -> bool {
        self.outbox().lock().has_tick(&self.reporter.namespace)
    }

    /// Sends until nothing is left that may be sent now, or a delivery fails; tells which.
    pub(super) async fn send(&mut self, retry: Retry) -> bool {
        let mut account = Account::new();
        let mut interrupted: Option<Sending> = None;
        let mut ticks_in_a_row = 0;
        // The first point of a tick that was held for what it holds, and the refusal.
        let mut held_tick = None;
        let mut held_for: Option<Arc<str>> = None;
        loop {
            let now = self.reporter.shared.clock.now();
            let backlog_first = ticks_in_a_row >= TICKS_IN_A_ROW;
            let next = self.next_batch(now, backlog_first);
            let Some((batch, share)) = next else {
                self.reporter.account_for(&mut account);
                self.reporter.recovered();
                return held_tick.is_none();
            };
            let is_tick = share == Share::Tick;
            if !is_tick {
                self.reporter.account_for(&mut account);
                if held_tick.is_some() && held_tick == batch.ids().next() {
                    return false;
                }
            }
            ticks_in_a_row = if is_tick { ticks_in_a_row + 1 } else { 0 };
            // What made room goes on where it was, or its search would begin anew with
            // every tick and never end.
            let resumed = interrupted.take_if(|sending| sending.share == share);
            let mut sending = resumed.unwrap_or_else(|| {
                let lasting = held_for
                    .clone()
                    .or_else(|| self.reporter.lately_parked(now));
                Sending {
                    delivery: Delivery::new(batch.clone(), retry).expecting(lasting),
                    batch,
                    share,
                }
            });
            let delivered = self.deliver(&mut sending).await;
            self.reporter.report(&sending.batch, &delivered, share);
            account.requests += delivered.attempts;
            if is_tick || self.reporter.outage.is_none() {
                account.points += delivered.accepted;
            } else if let Some(outage) = &mut self.reporter.outage {
                outage.replayed += delivered.accepted;
                // `recovered` tells of these.
                account = Account::new();
            }
            match delivered.ending {
                Ending::Done => {}
                Ending::Interrupted if *self.phase.borrow() == Phase::Running => {
                    interrupted = Some(sending);
                }
                Ending::Interrupted => {
                    self.reporter.account_for(&mut account);
                    return false;
                }
                Ending::Failed(failure) if self.may_park(share, &failure) => {
                    self.reporter.parked(&sending.batch, &failure);
                }
                Ending::Failed(failure) => {
                    self.is_taking = false;
                    self.reporter.account_for(&mut account);
                    // The backlog may fail as its tick did; that was told.
                    let attempts = sending.delivery.attempts();
                    self.reporter
                        .failed(&sending.batch, &failure, attempts, held_tick.is_none());
                    if !failure.blames_points() {
                        return false;
                    }
                    if !is_tick {
                        self.outbox()
                            .reorder(|outbox| outbox.pass_over(&sending.batch));
                        return false;
                    }
                    // It holds up nothing else: the way to the service is open.
                    held_for = Some(failure.reason().into());
                    held_tick = sending.batch.ids().next();
                }
            }
        }
    }

    fn next_batch(&self, now: DateTime<Utc>, backlog_first: bool) -> Option<(Batch, Share)> {
        let namespace = &self.reporter.namespace;
        self.outbox().expire(now);
        let outbox = self.outbox().lock();
        outbox.next_share(namespace, now, backlog_first)
    }

    /// Whether what was refused as a whole waits behind all others. A tick does not: the
    /// service may refuse everything since a moment ago.
    fn may_park(&self, share: Share, failure: &RequestError) -> bool {
        match share {
            Share::Tick => false,
            Share::Backlog => {
                self.is_taking && matches!(failure.verdict(), Verdict::Unknown { .. })
            }
            Share::Parked => failure.blames_points(),
        }
    }

    /// Delivers one batch and books every answer at once, so that whatever ends the
    /// delivery loses and doubles nothing.
    async fn deliver(&mut self, sending: &mut Sending) -> Delivered {
        let is_tick = sending.share == Share::Tick;
        let delivery = &mut sending.delivery;
        let before = delivery.attempts();
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
                // A backlog that is being split makes room as one that waits does.
                Step::Send(_) if !is_tick && delivery.attempts() > before && self.has_tick() => {
                    break Ending::Interrupted;
                }
                Step::Send(batch) => {
                    self.reporter.shared.wait_durable().await;
                    let answer = self.reporter.shared.sink.put(&batch).await;
                    for outcome in delivery.answer(answer, &mut rand::rng()) {
                        match outcome {
                            Outcome::Accepted(batch) => {
                                accepted += self.outbox().change(|outbox| outbox.accept(&batch));
                                self.is_taking = true;
                            }
                            Outcome::Rejected(batch, failure) => {
                                self.reporter.rejected(&batch, &failure)
                            }
                            Outcome::Parked(batch, failure) => {
                                self.reporter.parked(&batch, &failure)
                            }
                            Outcome::Retrying { failure, delay } => {
                                self.reporter.retrying(delivery.attempts(), &failure, delay);
                            }
                            Outcome::Splitting(_) => {}
                            Outcome::Held(failure) => failed = failed.or(Some(failure)),
                        }
                    }
                }
            }
        };
        Delivered {
            ending,
            accepted,
            attempts: delivery.attempts() - before,
        }
    }

    /// Waits before a retry; `false` if the delivery shall make room. A backlog makes
    /// room for a newer tick, which alarms read.
    async fn wait(&mut self, delay: Duration, is_tick: bool) -> bool {
        let Reporter {
            namespace, shared, ..
        } = &self.reporter;
        let newer_tick = async {
            // A wake-up may be left over from a tick that was sent already.
            while !shared.outbox.lock().has_tick(namespace) {
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
