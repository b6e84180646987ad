//! Sends the events of one lane, one request after another, until each was accepted or came to
//! another end that is counted and told.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use retry_policy::RequestErrorKind;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info, warn};

use super::followed::{Followed, lines};
use super::lane::{Lane, Work};
use super::patience::{Patience, Reason};
use super::target::Target;
use super::{Dropped, IN_FLIGHT, Shipping};
use crate::batch::{Batch, Marks, Places, size};
use crate::clock::now_ms;
use crate::cloudwatch_manager::{
    LogsService, Refused, Rejected, StreamName, put_logs_to_cloudwatch,
};
use crate::delivery::Delivery;
use crate::event::Event;

mod parked;
mod refused;

/// How often those are tried again that were refused alone for an unknown reason.
const PARKED_FOR: Duration = Duration::from_secs(3600);

pub(super) struct Sender<S> {
    shipping: Arc<Shipping<S>>,
    lane: Arc<Lane>,
    target: Arc<Target>,
    container: String,
    followed: Followed,
    patience: Patience,
    /// Somebody was told loudly that nothing is taken.
    alarmed: bool,
    /// Group and stream were looked after.
    ready: bool,
    /// It is kept here, and not by who sends it: so it is there after a panic.
    sending: Option<Sending>,
    /// Behind all that was sent, and how many events that were.
    places: Places,
    marks: Marks,
    /// Those that were refused alone for an unknown reason, bounded by the share.
    parked: VecDeque<Event>,
    parked_at: Instant,
}

/// A batch on its way.
struct Sending {
    events: Arc<Vec<Event>>,
    delivery: Delivery,
    places: Places,
    marks: Marks,
}

impl<S: LogsService> Sender<S> {
    pub(super) fn new(
        shipping: &Arc<Shipping<S>>,
        lane: &Arc<Lane>,
        name: &StreamName,
        container: &str,
        followed: &Followed,
    ) -> Self {
        Self {
            shipping: shipping.clone(),
            lane: lane.clone(),
            target: shipping.destinations.target(name),
            container: container.to_owned(),
            followed: followed.clone(),
            patience: Patience::default(),
            alarmed: false,
            ready: false,
            sending: None,
            places: Places::default(),
            marks: Marks::default(),
            parked: VecDeque::new(),
            parked_at: Instant::now(),
        }
    }

    /// A panic costs the request in which it came: it is made again, as after any other failure.
    pub(super) async fn run(mut self) {
        loop {
            match AssertUnwindSafe(self.step()).catch_unwind().await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(_told_by_the_hook) => {
                    self.shipping.tally.failed();
                    let delay = self.patience.delay(Reason::Held, None);
                    error!(
                        group = self.target.name.group,
                        stream = self.target.name.stream,
                        delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                        "the sender panicked, it goes on with the lines that it holds"
                    );
                    sleep(delay).await;
                }
            }
        }
    }

    async fn step(&mut self) -> ControlFlow<()> {
        if !self.ready {
            self.make_ready().await;
            self.ready = true;
        }
        if self.sending.is_some() {
            self.send().await;
            return ControlFlow::Continue(());
        }
        let try_at = self.parked_at + PARKED_FOR;
        let holds = !self.parked.is_empty();
        let interval = self.shipping.flush_interval;
        tokio::select! {
            work = self.lane.work(interval, holds, now_ms) => match work {
                Work::Send(batch) => self.begin(batch),
                Work::Starved => self.make_room().await,
                Work::Over => {
                    self.try_parked().await;
                    return ControlFlow::Break(());
                }
            },
            () = sleep_until(try_at), if holds => self.try_parked().await,
        }
        ControlFlow::Continue(())
    }

    fn begin(&mut self, batch: Batch) {
        self.drop_all(Dropped::TooOld, &batch.too_old);
        self.drop_all(Dropped::TooNew, &batch.too_new);
        self.sending = Some(Sending {
            delivery: Delivery::new(batch.events.len()),
            events: Arc::new(batch.events),
            places: batch.places,
            marks: batch.marks,
        });
    }

    async fn send(&mut self) {
        self.deliver().await;
        self.lane.sent();
        let Some(sent) = self.sending.take() else {
            return;
        };
        self.park(&sent);
        self.places.advance(sent.places);
        self.marks.add(sent.marks);
        // Whatever became of its events, the service answers.
        self.shipping.tally.settled();
        self.patience.over();
        self.remember().await;
        self.target.retain(&self.shipping).await;
    }

    /// A run that goes on from the checkpoint has those that are parked in its way again.
    async fn remember(&mut self) {
        if !self.parked.is_empty() {
            return;
        }
        let (places, marks) = (self.places, std::mem::take(&mut self.marks));
        let accepted = self.followed.accept(places, marks);
        if let Some(checkpoint) = &self.shipping.checkpoint {
            checkpoint.advance(&self.container, &accepted).await;
        }
    }

    async fn deliver(&mut self) {
        while let Some(sending) = &mut self.sending
            && let Some(part) = sending.delivery.part()
        {
            let events = sending.events.clone();
            let logs = &events[part];
            match self.put(logs).await {
                Ok(rejected) => {
                    self.decide(Delivery::accepted);
                    self.account(logs, rejected);
                }
                Err(refused) => {
                    self.note(&refused, logs);
                    let verdict = refused.verdict();
                    if let Some(step) = self.decide(|delivery| delivery.refused(verdict)) {
                        self.take(step, &refused, &events).await;
                    }
                }
            }
        }
    }

    /// What becomes of the batch.
    fn decide<T>(&mut self, decide: impl FnOnce(&mut Delivery) -> T) -> Option<T> {
        let sending = self.sending.as_mut()?;
        Some(decide(&mut sending.delivery))
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
        self.followed.settle(lines(events));
        self.lane
            .share
            .give_back(events.iter().map(|event| event.cost).sum());
    }
}
