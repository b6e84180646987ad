//! One container's side of the protocol, over all connections of its flow.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use docker_client::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::frame::{Close, CloseCode, FlowEvent};
use super::handler::FlowObserver;
use super::link::Link;
use super::session::Sessions;
use crate::time::Moment;

/// Most calls that wait for the next message of one container.
const RECEIVERS_MAX: usize = 64;

/// One container.
#[derive(Debug)]
pub(super) struct Channel {
    id: String,
    state: Mutex<State>,
    /// Held while an event is told: two connections of one flow must not tell at once.
    sessions: Mutex<Sessions>,
    last: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Link>>,
    /// When it became that.
    entered: Option<Instant>,
    receivers: Vec<oneshot::Sender<FlowEvent>>,
}

impl Channel {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: Mutex::default(),
            sessions: Mutex::default(),
            last: AtomicI64::new(0),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn touch(&self) {
        self.last.store(Moment::now().0.nanos(), Ordering::Relaxed);
    }

    /// When something last came from the flow or went to it.
    pub(super) fn last(&self) -> Option<Moment> {
        let nanos = self.last.load(Ordering::Relaxed);
        (nanos > 0).then(|| Moment(Timestamp::from_nanos(nanos)))
    }

    /// The connection that messages go to.
    pub(super) fn current(&self) -> Option<Arc<Link>> {
        self.lock().current.clone()
    }

    /// Since when there is one.
    pub(super) fn since(&self) -> Option<Instant> {
        self.lock().entered
    }

    /// Whom to hand the next event to; `None` if too many wait already.
    pub(super) fn wait(&self) -> Option<oneshot::Receiver<FlowEvent>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        state.receivers.retain(|receiver| !receiver.is_closed());
        let has_room = state.receivers.len() < RECEIVERS_MAX;
        has_room.then(|| state.receivers.push(sender))?;
        Some(receiver)
    }

    /// The newest connection is the container's; the one before is told so and closed.
    pub(super) fn enter(
        &self,
        link: &Arc<Link>,
        session: &str,
        welcome: impl FnOnce(u64) -> Bytes,
    ) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        link.welcome(welcome(sessions.open(session)));
        let before = {
            let mut state = self.lock();
            state.entered = Some(Instant::now());
            state.current.replace(link.clone())
        };
        if let Some(before) = before {
            let code = CloseCode::Replaced;
            before.close(Close::new(code, "a newer connection took over"));
        }
    }

    /// False if another connection took over.
    pub(super) fn leave(&self, link: &Arc<Link>) -> bool {
        let mut state = self.lock();
        let is_current = state
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, link));
        if is_current {
            state.current = None;
            state.entered = None;
        }
        is_current
    }

    /// Tells an event unless it is a repeat; what is to be acknowledged then. A connection
    /// that was replaced tells nothing.
    pub(super) fn take_event(
        &self,
        link: &Link,
        seq: u64,
        event: FlowEvent,
        observer: &dyn FlowObserver,
    ) -> Option<u64> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if link.is_closing() {
            return None;
        }
        if sessions.take(seq) {
            observer.flow_event(&self.id, &event);
            for receiver in self.lock().receivers.drain(..) {
                let _ = receiver.send(event.clone());
            }
        }
        Some(sessions.received())
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
