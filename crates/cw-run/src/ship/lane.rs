//! The events between one container's reader and one of its senders.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::budget::Share;
use crate::batch::{Batch, Waiting};
use crate::event::Event;

/// Events that wait, bounded by the budget that their reader asks.
#[derive(Debug)]
pub(crate) struct Lane {
    /// What its events are held by.
    pub(crate) share: Arc<Share>,
    state: Mutex<State>,
    changed: Notify,
}

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Work {
    Send(Batch),
    /// The reader waits for room, and nothing is here that could be sent.
    Starved,
    /// All was taken, and nothing more comes.
    Over,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// When the first of those that wait came.
    since: Option<Instant>,
    /// The time of the oldest event that is being sent.
    sending: Option<i64>,
    /// The reader waits for room.
    hurried: bool,
    closed: bool,
}

impl Lane {
    pub(crate) fn new(share: Arc<Share>) -> Self {
        Self {
            share,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        state.waiting.push(event);
        // Who sends looks at the clock by itself.
        let wake = state.waiting.is_full() || state.waiting.iter().nth(1).is_none();
        drop(state);
        if wake {
            self.changed.notify_one();
        }
    }

    /// What waits is to be sent now: nothing more can come before, until the reader is relieved.
    pub(crate) fn hurry(&self) {
        self.state().hurried = true;
        self.changed.notify_one();
    }

    /// The reader has found room.
    pub(crate) fn relieve(&self) {
        self.state().hurried = false;
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// The time of the oldest event that was not accepted, in milliseconds.
    pub(crate) fn oldest(&self) -> Option<i64> {
        let state = self.state();
        let (sending, waiting) = (state.sending, state.waiting.oldest());
        sending.into_iter().chain(waiting).min()
    }

    /// Waits until a batch is full, or its first event waited for long enough. Whoever `holds`
    /// events of his own hears of a reader that waits for them.
    pub(crate) async fn work(
        &self,
        interval: Duration,
        holds: bool,
        now: impl Fn() -> i64,
    ) -> Work {
        loop {
            let due = {
                let mut state = self.state();
                let due = state.since.map(|since| since + interval);
                if state.waiting.is_full()
                    || state.closed
                    || state.hurried && !state.waiting.is_empty()
                    || due.is_some_and(|due| due <= Instant::now())
                {
                    if state.waiting.is_empty() {
                        return Work::Over;
                    }
                    let batch = state.waiting.take(now());
                    // What is left came later, at an unknown moment before now.
                    state.since = (!state.waiting.is_empty()).then(Instant::now);
                    state.sending = batch.events.first().map(|event| event.time);
                    return Work::Send(batch);
                }
                if holds && state.hurried {
                    return Work::Starved;
                }
                due
            };
            match due {
                Some(due) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(due) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// The batch was accepted, or given up.
    pub(crate) fn sent(&self) {
        self.state().sending = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::EVENTS_MAX;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn lane() -> Lane {
        let budget = Arc::new(crate::ship::Budget::new(100));
        Lane::new(Arc::new(Share::new(&budget)))
    }

    async fn batch(lane: &Lane) -> Option<Batch> {
        match lane.work(INTERVAL, false, || 1).await {
            Work::Send(batch) => Some(batch),
            Work::Starved | Work::Over => None,
        }
    }

    fn event() -> Event {
        Event::new("x", 1)
    }

    #[tokio::test(start_paused = true)]
    async fn event_waits_for_others_but_not_for_ever() {
        let lane = lane();
        let began = Instant::now();
        lane.push(event());
        tokio::time::sleep(Duration::from_secs(3)).await;
        lane.push(event());
        let batch = batch(&lane).await.unwrap();
        assert_eq!((batch.events.len(), began.elapsed()), (2, INTERVAL));
        assert_eq!(lane.oldest(), Some(1));
        lane.sent();
        assert_eq!(lane.oldest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn reader_that_finds_no_room_has_what_waits_sent_at_once() {
        let lane = lane();
        lane.push(event());
        let began = Instant::now();
        lane.hurry();
        assert!(batch(&lane).await.is_some());
        assert_eq!(began.elapsed(), Duration::ZERO);
        lane.relieve();
        lane.push(event());
        assert!(batch(&lane).await.is_some());
        assert_eq!(began.elapsed(), INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_events_hears_of_a_reader_that_waits_for_room() {
        let lane = lane();
        lane.hurry();
        let work = lane.work(INTERVAL, true, || 1).await;
        assert!(matches!(work, Work::Starved));
        lane.push(event());
        let work = lane.work(INTERVAL, true, || 1).await;
        assert!(matches!(work, Work::Send(_)));
        lane.hurry();
        lane.relieve();
        lane.close();
        assert!(matches!(lane.work(INTERVAL, true, || 1).await, Work::Over));
    }

    #[tokio::test(start_paused = true)]
    async fn full_batch_and_closed_lane_wait_for_nothing() {
        let lane = lane();
        let began = Instant::now();
        for _ in 0..=EVENTS_MAX {
            lane.push(event());
        }
        assert_eq!(batch(&lane).await.unwrap().events.len(), EVENTS_MAX);
        lane.close();
        assert_eq!(batch(&lane).await.unwrap().events.len(), 1);
        assert!(batch(&lane).await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
