//! A round of a sender: sends until nothing is left that may be sent now.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;

use super::NamespaceSender;
use super::account::Account;
use crate::clock::Clock;
use crate::outbox::{Batch, PARKED_RETRY};
use crate::publish::{Delivery, Outcome, RequestError, Retry, Sink, Step, Verdict};
use crate::run::senders::Phase;
use crate::run::store::Share;

/// After so many ticks in a row a backlog that waits gets one request. Where a tick takes
/// longer to deliver than the next takes to come, the backlog would never move.
const TICKS_IN_A_ROW: u32 = 3;

/// How the delivery of one batch ended.
pub(super) enum Ending {
    /// Every point of it was accepted, rejected or parked.
    Done,
    /// Its retries are spent, or somebody must act first.
    Failed(RequestError),
    /// It made room: a newer tick is there, or the run ends.
    Interrupted,
}

/// What one batch came to.
pub(super) struct Delivered {
    pub(super) ending: Ending,
    pub(super) accepted: usize,
    pub(super) attempts: u32,
}

/// A batch on its way.
struct Sending {
    batch: Batch,
    share: Share,
    delivery: Delivery,
}

impl<S: Sink, C: Clock> NamespaceSender<S, C> {
    /// Sends until nothing is left that may be sent now, or a delivery fails; tells which.
    pub(super) async fn round(&mut self, retry: Retry) -> bool {
        let mut account = Account::new();
        let mut interrupted: Option<Sending> = None;
        let mut ticks_in_a_row = 0;
        // The first point of a tick that was held for what it holds, and the refusal.
        let mut held_tick = None;
        let mut held_for: Option<Arc<str>> = None;
        loop {
            let now = self.shared.clock.now();
            let backlog_first = ticks_in_a_row >= TICKS_IN_A_ROW;
            let next = self.next_batch(now, backlog_first);
            let Some((batch, share)) = next else {
                self.shared.report_queued();
                self.account_for(&mut account);
                self.recovered();
                return held_tick.is_none();
            };
            let is_tick = share == Share::Tick;
            if !is_tick {
                self.account_for(&mut account);
                if held_tick.is_some() && held_tick == batch.ids().next() {
                    return false;
                }
            }
            ticks_in_a_row = if is_tick { ticks_in_a_row + 1 } else { 0 };
            // What made room goes on where it was, or its search would begin anew with
            // every tick and never end.
            let resumed = interrupted.take_if(|sending| sending.share == share);
            let mut sending = resumed.unwrap_or_else(|| {
                let lasting = held_for.clone().or_else(|| self.lately_parked(now));
                Sending {
                    delivery: Delivery::new(batch.clone(), retry).expecting(lasting),
                    batch,
                    share,
                }
            });
            let delivered = self.deliver(&mut sending).await;
            self.shared.report_queued();
            self.tell(&sending.batch, &delivered, share);
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
                Ending::Interrupted if self.phase() == Phase::Running => {
                    interrupted = Some(sending);
                }
                Ending::Interrupted => {
                    self.account_for(&mut account);
                    return false;
                }
                Ending::Failed(failure) if self.may_park(share, &failure) => {
                    self.parked(&sending.batch, &failure);
                }
                Ending::Failed(failure) => {
                    self.is_taking = false;
                    self.account_for(&mut account);
                    // The backlog may fail as its tick did; that was told.
                    let attempts = sending.delivery.attempts();
                    self.failed(&sending.batch, &failure, attempts, held_tick.is_none());
                    if !failure.blames_points() {
                        return false;
                    }
                    if !is_tick {
                        self.shared.store().pass_over(&sending.batch);
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
        let mut store = self.shared.store();
        store.next_batch(&self.namespace, now, backlog_first)
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

    /// The refusal that a point was parked for lately, or at the last try of one: it lasts.
    fn lately_parked(&self, now: DateTime<Utc>) -> Option<Arc<str>> {
        let (reason, at) = self.last_parked.as_ref()?;
        (now - *at < PARKED_RETRY * 2).then(|| reason.clone())
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
                    self.shared.wait_durable().await;
                    let answer = self.shared.sink.put(&batch).await;
                    for outcome in delivery.answer(answer, &mut rand::rng()) {
                        match outcome {
                            Outcome::Accepted(batch) => {
                                accepted += self.shared.store().accept(&batch);
                                self.is_taking = true;
                            }
                            Outcome::Rejected(batch, failure) => self.rejected(&batch, &failure),
                            Outcome::Parked(batch, failure) => self.parked(&batch, &failure),
                            Outcome::Retrying { failure, delay } => {
                                self.retrying(delivery.attempts(), &failure, delay);
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
