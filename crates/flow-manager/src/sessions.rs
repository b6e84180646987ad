//! Sessions of Engine.IO, from their first request to their end: which are of strangers, who have
//! not said who they are, how many of those there may be, and what they may send; and how much
//! is on its way to each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::auth::network;

/// Most strangers at a time, in all and from one address. A session of one takes some KiB, and
/// ends after ten seconds without a token.
const STRANGERS_MAX: usize = 4096;
const STRANGERS_OF_ADDRESS_MAX: usize = 1024;
/// Most bytes that a stranger may send at once: CONNECT with the longest token is a tenth.
pub(crate) const WORDS_MAX: u64 = 16 * 1024;
/// What anybody else may: the library has its own bound on a message.
const UNBOUNDED: u64 = u64::MAX;
/// Most bytes that the library may have of what goes to one client, unless it is one packet: it
/// counts packets alone.
const ON_THEIR_WAY_MAX: usize = 256 * 1024;

/// What the library has of what goes to a client, and has not written yet.
#[derive(Debug, Default)]
pub(crate) struct Passage(AtomicUsize);

impl Passage {
    /// Takes room for a packet; false if there is none.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let take = |taken: usize| {
            let both = taken.saturating_add(bytes);
            (taken == 0 || both <= ON_THEIR_WAY_MAX).then_some(both)
        };
        let order = Ordering::Relaxed;
        self.0.fetch_update(order, order, take).is_ok()
    }

    /// A packet that room was taken for goes another time.
    pub(crate) fn give_back(&self, bytes: usize) {
        let give = |taken: usize| Some(taken.saturating_sub(bytes));
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }

    /// What was there is written. What came a moment ago may be among that or not, so of that
    /// there may be twice as much.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A connection, as far as a session has to do with it: it may become a websocket, of which the
/// server hears nothing more but here.
#[derive(Debug)]
pub(crate) struct Wire {
    /// How many bytes may yet come over it.
    allowance: AtomicU64,
    /// What goes over it, once it is a websocket.
    passage: OnceLock<Arc<Passage>>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            allowance: AtomicU64::new(UNBOUNDED),
            passage: OnceLock::new(),
        }
    }
}

impl Wire {
    /// Bytes came; false if they are more than may come.
    pub(crate) fn received(&self, bytes: u64) -> bool {
        let take = |allowance: u64| match allowance {
            UNBOUNDED => Some(UNBOUNDED),
            allowance => allowance.checked_sub(bytes),
        };
        let order = Ordering::Relaxed;
        self.allowance.fetch_update(order, order, take).is_ok()
    }

    /// All that was written is on the line.
    pub(crate) fn flushed(&self) {
        if let Some(passage) = self.passage.get() {
            passage.clear();
        }
    }

    fn allow(&self, bytes: u64) {
        self.allowance.store(bytes, Ordering::Relaxed);
    }
}

/// The sessions that are open.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: HashMap<u64, Open>,
    by_sid: HashMap<String, u64>,
    strangers: usize,
    strangers_by_address: HashMap<Option<IpAddr>, usize>,
}

#[derive(Debug)]
struct Open {
    address: Option<IpAddr>,
    sid: Option<String>,
    is_stranger: bool,
    /// The websockets of a stranger.
    wires: Vec<Arc<Wire>>,
    passage: Arc<Passage>,
}

/// A session. The library keeps it with the head of the first request, and drops it at its end.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its number, by which [`Sessions::knows`] finds it.
    pub(crate) number: u64,
    pub(crate) passage: Arc<Passage>,
    sessions: Arc<Sessions>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.lock().close(self.number);
    }
}

impl Sessions {
    /// Begins the session of a stranger; `None` if there are too many.
    pub(crate) fn open(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Arc<Session>> {
        let address = address.map(network);
        let mut state = self.lock();
        let of_address = state.strangers_by_address.get(&address).copied();
        // Nobody but our own user is without an address.
        let is_much = address.is_some() && of_address >= Some(STRANGERS_OF_ADDRESS_MAX);
        if is_much || state.strangers >= STRANGERS_MAX {
            return None;
        }
        state.last += 1;
        state.strangers += 1;
        *state.strangers_by_address.entry(address).or_default() += 1;
        let (number, passage) = (state.last, Arc::<Passage>::default());
        let open = Open {
            address,
            sid: None,
            is_stranger: true,
            wires: Vec::new(),
            passage: passage.clone(),
        };
        state.open.insert(number, open);
        Some(Arc::new(Session {
            number,
            passage,
            sessions: self.clone(),
        }))
    }

    /// The library's name of a session is known.
    pub(crate) fn name(&self, session: &Session, sid: String) {
        let mut state = self.lock();
        if let Some(open) = state.open.get_mut(&session.number) {
            open.sid = Some(sid.clone());
            state.by_sid.insert(sid, session.number);
        }
    }

    /// Whether the session of this name is a stranger's.
    pub(crate) fn is_stranger(&self, sid: &str) -> bool {
        self.lock().named(sid).is_some_and(|open| open.is_stranger)
    }

    /// A session begins with a websocket on this connection.
    pub(crate) fn speaks_over(&self, session: &Session, wire: &Arc<Wire>) {
        if let Some(open) = self.lock().open.get_mut(&session.number) {
            open.goes_over(wire);
        }
    }

    /// The session of this name goes on over a websocket on this connection.
    pub(crate) fn goes_on_over(&self, sid: &str, wire: &Arc<Wire>) {
        if let Some(open) = self.lock().named(sid) {
            open.goes_over(wire);
        }
    }

    /// What waited for the session of this name was fetched.
    pub(crate) fn fetched(&self, sid: &str) {
        if let Some(open) = self.lock().named(sid) {
            open.passage.clear();
        }
    }

    /// Who began a session has said who it is: it is a stranger no more.
    pub(crate) fn knows(&self, number: u64) {
        self.lock().know(number);
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn named(&mut self, sid: &str) -> Option<&mut Open> {
        let number = self.by_sid.get(sid)?;
        self.open.get_mut(number)
    }

    fn know(&mut self, number: u64) {
        let Some(open) = self.open.get_mut(&number).filter(|open| open.is_stranger) else {
            return;
        };
        open.is_stranger = false;
        for wire in open.wires.drain(..) {
            wire.allow(UNBOUNDED);
        }
        self.strangers -= 1;
        if let Some(count) = self.strangers_by_address.get_mut(&open.address) {
            *count -= 1;
            if *count == 0 {
                self.strangers_by_address.remove(&open.address);
            }
        }
    }

    fn close(&mut self, number: u64) {
        self.know(number);
        if let Some(Open { sid: Some(sid), .. }) = self.open.remove(&number) {
            self.by_sid.remove(&sid);
        }
    }
}

impl Open {
    fn goes_over(&mut self, wire: &Arc<Wire>) {
        // A connection becomes a websocket once.
        let _ = wire.passage.set(self.passage.clone());
        if self.is_stranger {
            wire.allow(WORDS_MAX);
            self.wires.push(wire.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    #[test]
    fn strangers_are_bounded_by_address_and_in_all() {
        let sessions = Arc::new(Sessions::default());
        let mut open: Vec<_> = (0..STRANGERS_OF_ADDRESS_MAX)
            .map(|_| sessions.open(address(1)).unwrap())
            .collect();
        assert!(sessions.open(address(1)).is_none());
        // One who has said who it is makes room, and so does one that ended; neither twice.
        sessions.knows(open[0].number);
        open.push(sessions.open(address(1)).unwrap());
        assert!(sessions.open(address(1)).is_none());
        open.remove(0);
        assert!(sessions.open(address(1)).is_none());
        open.pop();
        open.push(sessions.open(address(1)).unwrap());
        for number in open.len()..STRANGERS_MAX {
            open.push(sessions.open(address(number as u32)).unwrap());
        }
        assert!(sessions.open(address(0)).is_none() && sessions.open(None).is_none());
        drop(open);
        let state = sessions.lock();
        assert!(state.open.is_empty() && state.strangers_by_address.is_empty());
        assert_eq!(state.strangers, 0);
    }

    #[test]
    fn stranger_may_send_little_until_it_is_known() {
        let sessions = Arc::new(Sessions::default());
        let (direct, upgraded, other) = (Arc::default(), Arc::default(), Arc::<Wire>::default());
        let session = sessions.open(address(1)).unwrap();
        sessions.speaks_over(&session, &direct);
        sessions.name(&session, "s".to_owned());
        assert!(sessions.is_stranger("s") && !sessions.is_stranger("t"));
        sessions.goes_on_over("s", &upgraded);
        sessions.goes_on_over("t", &other);
        assert!(direct.received(WORDS_MAX) && !direct.received(1));
        assert!(!upgraded.received(WORDS_MAX + 1));
        assert!(other.received(WORDS_MAX + 1));
        sessions.knows(session.number);
        assert!(direct.received(u64::MAX - 1) && upgraded.received(1) && upgraded.received(1));
        assert!(!sessions.is_stranger("s"));
        drop(session);
        let state = sessions.lock();
        assert!(state.by_sid.is_empty() && state.open.is_empty());
    }

    #[test]
    fn what_is_on_its_way_is_counted_until_it_is_written() {
        let sessions = Arc::new(Sessions::default());
        let session = sessions.open(address(1)).unwrap();
        sessions.name(&session, "s".to_owned());
        let (passage, wire) = (&session.passage, Arc::default());
        // One packet passes, however long.
        assert!(passage.take(2 * ON_THEIR_WAY_MAX) && !passage.take(1));
        sessions.fetched("s");
        assert!(passage.take(ON_THEIR_WAY_MAX) && !passage.take(1));
        passage.give_back(1);
        assert!(passage.take(1) && !passage.take(1));
        sessions.goes_on_over("s", &wire);
        wire.flushed();
        assert!(passage.take(ON_THEIR_WAY_MAX));
    }
}
