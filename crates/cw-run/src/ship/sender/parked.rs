//! Events that were refused alone for an unknown reason.

use diagnostics::{chain, redacted_prefix};
use tokio::time::Instant;
use tracing::warn;

use super::{Sender, Sending};
use crate::cloudwatch_manager::{LogsService, Refused};
use crate::delivery::Delivery;
use crate::ship::patience::Reason;
use crate::verdict::Verdict;

impl<S: LogsService> Sender<S> {
    /// Puts those of a batch aside.
    pub(super) fn park(&mut self, sent: &Sending) {
        for alone in sent.delivery.parked() {
            let event = sent.events[*alone].clone();
            warn!(
                group = self.target.name.group,
                stream = self.target.name.stream,
                event = redacted_prefix(&event.message),
                "event refused for an unknown reason, it is tried again later"
            );
            if self.parked.is_empty() {
                self.parked_at = Instant::now();
            }
            self.parked.push_back(event);
        }
    }

    /// Tries each of the parked ones.
    pub(super) async fn try_parked(&mut self) {
        self.parked_at = Instant::now();
        for _ in 0..self.parked.len() {
            let _still_refused = self.try_next_parked().await;
        }
        self.remember().await;
    }

    /// The parked ones take the room that the reader waits for: nothing is dropped for that, so
    /// they are tried one after another, at longer and longer intervals.
    pub(super) async fn make_room(&mut self) {
        match self.try_next_parked().await {
            Some(refused) => self.wait(Reason::Held, None, &refused).await,
            None => self.remember().await,
        }
    }

    /// Tries the one that waits longest; the refusal if it is parked again.
    async fn try_next_parked(&mut self) -> Option<Refused> {
        // It stays where it is meanwhile, so it is there after a panic.
        let alone = [self.parked.front()?.clone()];
        let mut delivery = Delivery::new(alone.len());
        while delivery.part().is_some() {
            match self.put(&alone).await {
                Ok(rejected) => {
                    delivery.accepted();
                    self.account(&alone, rejected);
                }
                Err(refused) => {
                    self.note(&refused, &alone);
                    let verdict = refused.verdict();
                    if matches!(verdict, Verdict::Unknown { .. }) {
                        self.shipping.tally.failed();
                        warn!(
                            error = chain(&refused.failure),
                            event = redacted_prefix(&alone[0].message),
                            "event refused again"
                        );
                        self.parked.rotate_left(1);
                        return Some(refused);
                    }
                    let step = delivery.refused(verdict);
                    self.take(step, &refused, &alone).await;
                }
            }
        }
        self.parked.pop_front();
        None
    }
}
