//! Which events were told, so that a replay tells none again.

use std::collections::VecDeque;

use crate::events::{Event, EventKind};
use crate::timestamp::Timestamp;

/// More than the engine replays.
const REMEMBERED: usize = 512;

/// What tells events apart: two things happen to one object at one nanosecond under one name
/// only if they are the same.
type Key = (Timestamp, EventKind, String, String);

/// The events told last, in their order.
#[derive(Debug, Default)]
pub(super) struct Seen(VecDeque<Key>);

impl Seen {
    /// Remembers an event; `false` if it was told before.
    pub(super) fn note(&mut self, event: &Event) -> bool {
        let key = key(event);
        if self.contains(&key) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(key);
        true
    }

    /// The time of the event told last.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.0.back().map(|(time, ..)| *time)
    }

    /// Whether this is the event told last.
    pub(super) fn is_last(&self, event: &Event) -> bool {
        self.0.back().is_some_and(|last| *last == key(event))
    }

    fn contains(&self, key: &Key) -> bool {
        self.0.iter().rev().any(|seen| seen == key)
    }
}

fn key(event: &Event) -> Key {
    (
        event.time,
        event.kind.clone(),
        event.action.clone(),
        event.id.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(nanos: i64, action: &str) -> Event {
        Event {
            kind: EventKind::Container,
            action: action.to_owned(),
            id: "f00".to_owned(),
            attributes: Default::default(),
            time: Timestamp::from_nanos(nanos),
        }
    }

    #[test]
    fn a_replayed_event_is_told_once() {
        let mut seen = Seen::default();
        let events = [
            event(1, "create"),
            event(2, "start"),
            event(2, "exec"),
            event(3, "die"),
        ];
        assert!(events.iter().all(|event| seen.note(event)));
        assert!(seen.is_last(&events[3]) && !seen.is_last(&events[2]));
        assert!(!events.iter().any(|event| seen.note(event)));
        assert!(seen.note(&event(3, "stop")));
    }

    #[test]
    fn an_event_after_the_clock_was_put_back_is_told() {
        let mut seen = Seen::default();
        assert!(seen.note(&event(9, "start")) && seen.note(&event(5, "die")));
        assert!(!seen.note(&event(9, "start")) && !seen.note(&event(5, "die")));
        assert_eq!(seen.last(), Some(Timestamp::from_nanos(5)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::default();
        for nanos in 0..10_000 {
            assert!(seen.note(&event(nanos, "start")));
        }
        assert_eq!(seen.0.len(), REMEMBERED);
    }
}
