//! Sessions of Engine.IO, from their first request to their end: which are of strangers, who have
//! not said who they are, how many of those there may be, and what they may send.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::network;

/// Most strangers at a time, in all and from one address. A session of one takes some KiB, and
/// ends after ten seconds without a token.
const STRANGERS_MAX: usize = 4096;
const STRANGERS_OF_ADDRESS_MAX: usize = 1024;
/// Most bytes that a stranger may send at once: CONNECT with the longest token is a tenth.
pub(crate) const WORDS_MAX: u64 = 16 * 1024;
/// What anybody else may: the library has its own bound on a message.
const UNBOUNDED: u64 = u64::MAX;

/// A connection, as far as a session has to do with it: it may become a websocket, of which the
/// server hears nothing more but here.
#[derive(Debug)]
pub(crate) struct Wire {
    /// How many bytes may yet come over it.
    allowance: AtomicU64,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            allowance: AtomicU64::new(UNBOUNDED),
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

    fn allow(&self, bytes: u64) {
        self.allowance.store(bytes, Ordering::Relaxed);
    }
}

/// The sessions of strangers.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    strangers: HashMap<u64, Stranger>,
    by_sid: HashMap<String, u64>,
    by_address: HashMap<Option<IpAddr>, usize>,
}

#[derive(Debug)]
struct Stranger {
    address: Option<IpAddr>,
    sid: Option<String>,
    wires: Vec<Arc<Wire>>,
}

/// A session. The library keeps it with the head of the first request, and drops it at its end.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its number, by which [`Sessions::knows`] finds it.
    pub(crate) number: u64,
    sessions: Arc<Sessions>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.forget(self.number);
    }
}

impl Sessions {
    /// Begins the session of a stranger; `None` if there are too many.
    pub(crate) fn open(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Arc<Session>> {
        let address = address.map(network);
        let mut state = self.lock();
        let of_address = state.by_address.get(&address).copied().unwrap_or_default();
        // Nobody but our own user is without an address.
        let is_much = address.is_some() && of_address >= STRANGERS_OF_ADDRESS_MAX;
        if is_much || state.strangers.len() >= STRANGERS_MAX {
            return None;
        }
        state.last += 1;
        let number = state.last;
        *state.by_address.entry(address).or_default() += 1;
        let stranger = Stranger {
            address,
            sid: None,
            wires: Vec::new(),
        };
        state.strangers.insert(number, stranger);
        Some(Arc::new(Session {
            number,
            sessions: self.clone(),
        }))
    }

    /// The library's name of a session is known.
    pub(crate) fn name(&self, session: &Session, sid: String) {
        let mut state = self.lock();
        let State {
            strangers, by_sid, ..
        } = &mut *state;
        if let Some(stranger) = strangers.get_mut(&session.number) {
            stranger.sid = Some(sid.clone());
            by_sid.insert(sid, session.number);
        }
    }

    /// Whether the session of this name is a stranger's.
    pub(crate) fn is_stranger(&self, sid: &str) -> bool {
        self.lock().by_sid.contains_key(sid)
    }

    /// A session begins with a websocket on this connection.
    pub(crate) fn speaks_over(&self, session: &Session, wire: &Arc<Wire>) {
        let mut state = self.lock();
        if let Some(stranger) = state.strangers.get_mut(&session.number) {
            stranger.restrict(wire);
        }
    }

    /// The session of this name goes on over a websocket on this connection.
    pub(crate) fn goes_on_over(&self, sid: &str, wire: &Arc<Wire>) {
        let mut state = self.lock();
        let State {
            strangers, by_sid, ..
        } = &mut *state;
        if let Some(stranger) = by_sid.get(sid).and_then(|number| strangers.get_mut(number)) {
            stranger.restrict(wire);
        }
    }

    /// Who began a session has said who it is: it is a stranger no more.
    pub(crate) fn knows(&self, number: u64) {
        if let Some(stranger) = self.forget(number) {
            for wire in stranger.wires {
                wire.allow(UNBOUNDED);
            }
        }
    }

    fn forget(&self, number: u64) -> Option<Stranger> {
        let mut state = self.lock();
        let stranger = state.strangers.remove(&number)?;
        if let Some(sid) = &stranger.sid {
            state.by_sid.remove(sid);
        }
        if let Some(count) = state.by_address.get_mut(&stranger.address) {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&stranger.address);
            }
        }
        Some(stranger)
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stranger {
    fn restrict(&mut self, wire: &Arc<Wire>) {
        wire.allow(WORDS_MAX);
        self.wires.push(wire.clone());
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
        assert!(state.strangers.is_empty() && state.by_address.is_empty());
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
        assert!(!sessions.is_stranger("s") && sessions.lock().by_sid.is_empty());
    }
}
