//! What a refusal makes the sender do.

use std::time::Duration;

use diagnostics::{chain, redacted_prefix};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::Sender;
use crate::cloudwatch_manager::{LogsService, Refused, StreamName};
use crate::delivery::Step;
use crate::event::Event;
use crate::ship::Dropped;
use crate::ship::hint::hint;
use crate::ship::patience::Reason;
use crate::verdict::Verdict;

impl<S: LogsService> Sender<S> {
    pub(super) async fn take(&mut self, step: Step, refused: &Refused, events: &[Event]) {
        self.shipping.tally.failed();
        match step {
            Step::Next => debug!(
                error = chain(&refused.failure),
                "the request is sent in parts"
            ),
            Step::Drop(alone) => {
                let event = std::slice::from_ref(&events[alone]);
                warn!(
                    error = chain(&refused.failure),
                    event = redacted_prefix(&event[0].message),
                    "event dropped"
                );
                self.drop_all(Dropped::Refused, event);
            }
            Step::Retry { after } => self.wait(Reason::Soon, after, refused).await,
            Step::Throttled { after } => {
                self.shipping.tally.throttled();
                self.wait(Reason::Later, after, refused).await;
            }
            Step::Hold => self.wait(Reason::Held, None, refused).await,
            Step::Create if self.shipping.group.no_create => {
                self.wait(Reason::Held, None, refused).await
            }
            Step::Create => match self.target.create(&self.shipping).await {
                // A stream that was just made may not be seen everywhere yet.
                Ok(()) if self.patience.failures() == 0 => {
                    self.patience.delay(Reason::Soon, None);
                }
                Ok(()) => self.wait(Reason::Soon, None, refused).await,
                Err(refused) => self.wait_on(&refused).await,
            },
        }
    }

    /// Group and stream, before the first event: who looks for them finds them. Whether they may
    /// be created does not matter if they are there.
    pub(super) async fn make_ready(&mut self) {
        while !self.shipping.group.no_create && !*self.target.turn.lock().await {
            match self.target.create(&self.shipping).await {
                Ok(()) => return self.patience.over(),
                Err(refused) if matches!(refused.verdict(), Verdict::Hold) => {
                    warn!(
                        error = chain(&refused.failure),
                        operation = refused.operation.name(),
                        group = self.target.name.group,
                        stream = self.target.name.stream,
                        "cannot create the stream, it is sent to as if it were there"
                    );
                    return;
                }
                Err(refused) => {
                    self.shipping.tally.failed();
                    self.wait_on(&refused).await;
                }
            }
        }
    }

    async fn wait_on(&mut self, refused: &Refused) {
        match refused.verdict() {
            Verdict::Retry { after } => self.wait(Reason::Soon, after, refused).await,
            Verdict::Hold => self.wait(Reason::Held, None, refused).await,
            Verdict::Throttled { after } | Verdict::Unknown { after } => {
                self.wait(Reason::Later, after, refused).await
            }
            _ => self.wait(Reason::Later, None, refused).await,
        }
    }

    pub(super) async fn wait(
        &mut self,
        reason: Reason,
        asked: Option<Duration>,
        refused: &Refused,
    ) {
        let delay = self.patience.delay(reason, asked);
        let StreamName { group, stream } = &self.target.name;
        let operation = refused.operation.name();
        let error = chain(&refused.failure);
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let hint = hint(refused);
        if reason == Reason::Held && !self.alarmed {
            self.alarmed = true;
            error!(
                group,
                stream,
                operation,
                error,
                hint,
                "nothing is accepted, lines are held until somebody acts"
            );
        } else {
            warn!(
                group,
                stream,
                operation,
                error,
                hint,
                failures = self.patience.failures(),
                delay_ms,
                "request failed, it is made again"
            );
        }
        sleep(delay).await;
    }
}
