//! Sends the events of one lane, one request after another, until each was accepted or came to
//! another end that is counted and told.

use std::sync::Arc;
use std::time::Duration;

use diagnostics::{chain, redacted_prefix};
use retry_policy::RequestErrorKind;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info, warn};

use super::hint::hint;
use super::lane::Lane;
use super::patience::{Patience, Reason};
use super::target::Target;
use super::{Dropped, IN_FLIGHT, Shipping};
use crate::batch::{Batch, Places, size};
use crate::clock::now_ms;
use crate::cloudwatch_manager::{
    LogsService, Refused, Rejected, StreamName, put_logs_to_cloudwatch,
};
use crate::delivery::{Delivery, Step};
use crate::event::Event;
use crate::verdict::Verdict;

/// How often those are tried again that were refused alone for an unknown reason.
const PARKED_FOR: Duration = Duration::from_secs(3600);
/// So many of them are kept, in so small a part of what the container may hold: they must not keep
/// the lines behind them from being read.
const PARKED_MAX: usize = 1000;
const PARKED_SHARE: usize = 4;

pub(super) struct Sender<S> {
    shipping: Arc<Shipping<S>>,
    lane: Arc<Lane>,
    target: Arc<Target>,
    container: String,
    patience: Patience,
    /// Somebody was told loudly that nothing is taken.
    alarmed: bool,
    /// Behind all that was sent.
    places: Places,
    parked: Vec<Event>,
    parked_at: Instant,
}

impl<S: LogsService> Sender<S> {
    pub(super) fn new(
        shipping: Arc<Shipping<S>>,
        lane: Arc<Lane>,
        name: &StreamName,
        container: String,
    ) -> Self {
        let target = shipping.destinations.target(name);
        Self {
            shipping,
            lane,
            target,
            container,
            patience: Patience::default(),
            alarmed: false,
            places: Places::default(),
            parked: Vec::new(),
            parked_at: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        self.make_ready().await;
        loop {
            let try_at = self.parked_at + PARKED_FOR;
            tokio::select! {
                batch = self.lane.batch(self.shipping.flush_interval, now_ms) => match batch {
                    Some(batch) => self.send(batch).await,
                    None => break,
                },
                () = sleep_until(try_at), if !self.parked.is_empty() => self.try_parked().await,
            }
        }
        self.try_parked().await;
    }

    async fn send(&mut self, batch: Batch) {
        let Batch {
            events,
            places,
            too_old,
            too_new,
        } = batch;
        self.drop_all(Dropped::TooOld, &too_old);
        self.drop_all(Dropped::TooNew, &too_new);
        self.deliver(events).await;
        self.lane.sent();
        self.places.advance(places);
        // A run that goes on from the checkpoint has those that are parked in its way again.
        if let Some(checkpoint) = self
            .shipping
            .checkpoint
            .as_ref()
            .filter(|_| self.parked.is_empty())
        {
            checkpoint.advance(&self.container, self.places).await;
        }
    }

    async fn deliver(&mut self, events: Vec<Event>) {
        let mut delivery = Delivery::new(events.len());
        while let Some(part) = delivery.part() {
            let logs = &events[part];
            match self.put(logs).await {
                Ok(rejected) => {
                    delivery.accepted();
                    self.account(logs, rejected);
                }
                Err(refused) => {
                    if refused.failure.kind == RequestErrorKind::NoResponse {
                        self.shipping.tally.unanswered(lines(logs));
                    }
                    let step = delivery.refused(refused.verdict());
                    self.take(step, &refused, &events).await;
                }
            }
        }
        for alone in delivery.parked() {
            let event = events[alone].clone();
            warn!(
                group = self.target.name.group,
                stream = self.target.name.stream,
                event = redacted_prefix(&event.message),
                "event refused for an unknown reason, it is tried again later"
            );
            if self.parked.is_empty() {
                self.parked_at = Instant::now();
            }
            self.parked.push(event);
        }
        // They hold memory that others need: who is refused for so long is dropped at last.
        let excess = self.parked.len().saturating_sub(PARKED_MAX);
        let dropped: Vec<_> = self.parked.drain(..excess).collect();
        self.drop_all(Dropped::Refused, &dropped);
        let held = |parked: &[Event]| parked.iter().map(|event| event.cost).sum::<usize>();
        while held(&self.parked) > self.lane.share.all() / PARKED_SHARE {
            let first = self.parked.remove(0);
            self.drop_all(Dropped::Refused, &[first]);
        }
        // Whatever became of its events, the service answers.
        self.shipping.tally.settled();
    }

    async fn put(&self, logs: &[Event]) -> Result<Rejected, Refused> {
        let bytes: usize = logs.iter().map(size).sum();
        let permits = u32::try_from(bytes.min(IN_FLIGHT)).unwrap_or(u32::MAX);
        // Its turn first: who waits for one that hangs takes no room from others.
        let _turn = self.target.turn.lock().await;
        let _room = self.shipping.in_flight.acquire_many(permits).await;
        self.shipping.tally.asked();
        put_logs_to_cloudwatch(&*self.shipping.service, &self.target.name, logs).await
    }

    fn account(&mut self, logs: &[Event], rejected: Rejected) {
        let too_new_from = rejected.too_new_from.unwrap_or(logs.len()).min(logs.len());
        let too_old = rejected.too_old.min(too_new_from);
        let accepted = &logs[too_old..too_new_from];
        self.drop_all(Dropped::TooOld, &logs[..too_old]);
        self.drop_all(Dropped::TooNew, &logs[too_new_from..]);
        let bytes = accepted.iter().map(|event| event.message.len()).sum();
        self.shipping
            .tally
            .accepted(accepted.len() as u64, lines(accepted), bytes);
        self.give_back(accepted);
        debug!(
            group = self.target.name.group,
            stream = self.target.name.stream,
            events = accepted.len(),
            bytes,
            "accepted"
        );
        if self.patience.failures() > 0 {
            info!(
                group = self.target.name.group,
                stream = self.target.name.stream,
                failures = self.patience.failures(),
                "shipping again"
            );
        }
        self.patience.over();
        self.alarmed = false;
    }

    async fn take(&mut self, step: Step, refused: &Refused, events: &[Event]) {
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
    async fn make_ready(&mut self) {
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

    async fn wait(&mut self, reason: Reason, asked: Option<Duration>, refused: &Refused) {
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

    async fn try_parked(&mut self) {
        self.parked_at = Instant::now();
        for event in std::mem::take(&mut self.parked) {
            let logs = std::slice::from_ref(&event);
            match self.put(logs).await {
                Ok(rejected) => self.account(logs, rejected),
                Err(refused) => {
                    self.shipping.tally.failed();
                    warn!(
                        error = chain(&refused.failure),
                        event = redacted_prefix(&event.message),
                        "event refused again"
                    );
                    self.parked.push(event);
                }
            }
        }
    }

    fn drop_all(&self, reason: Dropped, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let StreamName { group, stream } = &self.target.name;
        warn!(
            group,
            stream,
            events = events.len(),
            reason = reason.reason(),
            "events dropped"
        );
        self.shipping.tally.dropped(reason, lines(events));
        self.give_back(events);
    }

    fn give_back(&self, events: &[Event]) {
        self.lane
            .share
            .give_back(events.iter().map(|event| event.cost).sum());
    }
}

fn lines(events: &[Event]) -> u64 {
    events.iter().map(|event| event.lines).sum()
}
