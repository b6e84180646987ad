//! Sends the events of one lane, one request after another, until each was accepted or came to
//! another end that is counted and told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use diagnostics::{chain, redacted_prefix};
use retry_policy::RequestErrorKind;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info, warn};

use super::hint::hint;
use super::lane::{Lane, Work};
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
    /// Those that were refused alone for an unknown reason, bounded by the share.
    parked: VecDeque<Event>,
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
            parked: VecDeque::new(),
            parked_at: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        self.make_ready().await;
        loop {
            let try_at = self.parked_at + PARKED_FOR;
            let holds = !self.parked.is_empty();
            let interval = self.shipping.flush_interval;
            tokio::select! {
                work = self.lane.work(interval, holds, now_ms) => match work {
                    Work::Send(batch) => self.send(batch).await,
                    Work::Starved => self.make_room().await,
                    Work::Over => break,
                },
                () = sleep_until(try_at), if holds => self.try_parked().await,
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
        self.target.retain(&self.shipping).await;
        self.places.advance(places);
        self.remember().await;
    }

    /// A run that goes on from the checkpoint has those that are parked in its way again.
    async fn remember(&self) {
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
                    self.note(&refused, logs);
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
            self.parked.push_back(event);
        }
        // Whatever became of its events, the service answers.
        self.shipping.tally.settled();
        self.patience.over();
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

    /// Tries each of the parked ones.
    async fn try_parked(&mut self) {
        self.parked_at = Instant::now();
        for _ in 0..self.parked.len() {
            let _still_refused = self.try_next_parked().await;
        }
        self.remember().await;
    }

    /// The parked ones take the room that the reader waits for: nothing is dropped for that, so
    /// they are tried one after another, at longer and longer intervals.
    async fn make_room(&mut self) {
        match self.try_next_parked().await {
            Some(refused) => self.wait(Reason::Held, None, &refused).await,
            None => self.remember().await,
        }
    }

    /// Tries the one that waits longest; the refusal if it is parked again.
    async fn try_next_parked(&mut self) -> Option<Refused> {
        let alone = [self.parked.pop_front()?];
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
                        self.parked.extend(alone);
                        return Some(refused);
                    }
                    let step = delivery.refused(verdict);
                    self.take(step, &refused, &alone).await;
                }
            }
        }
        None
    }

    fn note(&self, refused: &Refused, logs: &[Event]) {
        if refused.failure.kind == RequestErrorKind::NoResponse {
            self.shipping.tally.unanswered(lines(logs));
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
