//! Events that wait to be sent, and the batches that the service takes.

use std::collections::VecDeque;

use docker_client::{LogPosition, Source};

use crate::event::Event;

/// The most bytes in a batch, and what each event counts beside its message (CloudWatch Logs API
/// Reference, `PutLogEvents`).
pub const BYTES_MAX: usize = 1_048_576;
/// See [`BYTES_MAX`].
pub const EVENT_BYTES: usize = 26;
/// The most events in a batch (ibid.).
pub const EVENTS_MAX: usize = 10_000;
/// The longest time between two events of a batch, in milliseconds (ibid.).
pub const SPAN_MAX: i64 = 24 * 3_600_000;
/// The oldest event that is taken, in milliseconds before now (ibid.).
pub const AGE_MAX: i64 = 14 * 24 * 3_600_000;
/// The newest event that is taken, in milliseconds after now (ibid.).
pub const AHEAD_MAX: i64 = 2 * 3_600_000;

/// What an event counts in a batch.
#[must_use]
pub fn size(event: &Event) -> usize {
    event.message.len() + EVENT_BYTES
}

/// Places in a container's log, one for each of its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// In standard output.
    pub stdout: Option<LogPosition>,
    /// In standard error.
    pub stderr: Option<LogPosition>,
    /// The one of these two that was reached last.
    pub last: Option<LogPosition>,
}

impl Places {
    /// Goes on to where another has come.
    pub fn advance(&mut self, other: Self) {
        self.stdout = other.stdout.or(self.stdout);
        self.stderr = other.stderr.or(self.stderr);
        self.last = other.last.or(self.last);
    }

    /// Goes on to behind an event.
    pub(crate) fn pass(&mut self, event: &Event) {
        if let Some(mark) = event.mark {
            self.last = Some(mark.place);
            match mark.source {
                Source::Stdout => self.stdout = Some(mark.place),
                Source::Stderr => self.stderr = Some(mark.place),
            }
        }
    }
}

/// How many events of each stream have a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks([u64; 2]);

impl Marks {
    /// Those of these events.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
        let mut marks = Self::default();
        for mark in events.iter().filter_map(|event| event.mark) {
            marks.0[mark.source as usize] += 1;
        }
        marks
    }

    /// Those of one stream.
    #[must_use]
    pub fn get(self, source: Source) -> u64 {
        self.0[source as usize]
    }

    /// So many more.
    pub fn add(&mut self, other: Self) {
        for (marks, more) in self.0.iter_mut().zip(other.0) {
            *marks += more;
        }
    }

    /// So many less.
    pub fn subtract(&mut self, other: Self) {
        for (marks, less) in self.0.iter_mut().zip(other.0) {
            *marks = marks.saturating_sub(less);
        }
    }
}

/// Events for one request, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The events.
    pub events: Vec<Event>,
    /// The places behind all of them, and behind those that were too old or too new.
    pub places: Places,
    /// How many of all these have a place.
    pub marks: Marks,
    /// Older than the service takes.
    pub too_old: Vec<Event>,
    /// Further ahead than the service takes.
    pub too_new: Vec<Event>,
}

/// Events in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    events: VecDeque<Event>,
    /// How many at the front make the next batch.
    next: usize,
    next_bytes: usize,
    /// The oldest and the newest of them.
    next_times: Option<(i64, i64)>,
}

impl Waiting {
    /// Puts an event at the end.
    pub fn push(&mut self, event: Event) {
        self.events.push_back(event);
        self.extend();
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// No event will join the next batch any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.next < self.events.len()
            || self.next == EVENTS_MAX
            || self.next_bytes + EVENT_BYTES >= BYTES_MAX
    }

    /// The time of the oldest line that waits, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn oldest(&self) -> Option<i64> {
        self.events.front().map(|event| event.time)
    }

    /// All that waits.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// Takes the next batch out; `now` is in milliseconds since the Unix epoch.
    pub fn take(&mut self, now: i64) -> Batch {
        let mut batch = Batch::default();
        for event in self.events.drain(..self.next) {
            batch.marks.add(Marks::of(std::slice::from_ref(&event)));
            batch.places.pass(&event);
            if event.time < now - AGE_MAX {
                batch.too_old.push(event);
            } else if event.time > now + AHEAD_MAX {
                batch.too_new.push(event);
            } else {
                batch.events.push(event);
            }
        }
        // Both streams are read side by side, and clocks are put back.
        batch.events.sort_by_key(|event| event.time);
        self.next = 0;
        self.next_bytes = 0;
        self.next_times = None;
        self.extend();
        batch
    }

    fn extend(&mut self) {
        while let Some(event) = self.events.get(self.next) {
            let bytes = self.next_bytes + size(event);
            let (oldest, newest) = self.next_times.unwrap_or((event.time, event.time));
            let times = (oldest.min(event.time), newest.max(event.time));
            // One alone always goes: what is too large for a batch is not made.
            let fits = bytes <= BYTES_MAX
                && self.next < EVENTS_MAX
                && times.1.saturating_sub(times.0) <= SPAN_MAX;
            if !fits && self.next > 0 {
                break;
            }
            self.next += 1;
            self.next_bytes = bytes;
            self.next_times = Some(times);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;
    use crate::event::MESSAGE_MAX;

    const NOW: i64 = 1_800_000_000_000;

    fn waiting(events: impl IntoIterator<Item = Event>) -> Waiting {
        let mut waiting = Waiting::default();
        events.into_iter().for_each(|event| waiting.push(event));
        waiting
    }

    fn batches(mut waiting: Waiting) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !waiting.is_empty() {
            lengths.push(waiting.take(NOW).events.len());
        }
        lengths
    }

    #[test]
    fn batch_has_as_many_events_as_the_service_takes_and_not_one_more() {
        let events = |count| (0..count).map(|_| Event::new("x", NOW));
        assert_eq!(batches(waiting(events(EVENTS_MAX))), [EVENTS_MAX]);
        assert_eq!(batches(waiting(events(EVENTS_MAX + 1))), [EVENTS_MAX, 1]);
        assert!(waiting(events(EVENTS_MAX)).is_full());
        assert!(!waiting(events(EVENTS_MAX - 1)).is_full());
    }

    #[test]
    fn batch_has_as_many_bytes_as_the_service_takes_and_not_one_more() {
        let longest = Event::new("x".repeat(MESSAGE_MAX), NOW);
        assert!(waiting([longest.clone()]).is_full());
        assert_eq!(batches(waiting([longest, Event::new("x", NOW)])), [1, 1]);
        let half = BYTES_MAX / 2 - EVENT_BYTES;
        let two = |more: usize| {
            waiting([half, half + more].map(|length| Event::new("x".repeat(length), NOW)))
        };
        assert_eq!(batches(two(0)), [2]);
        assert_eq!(batches(two(1)), [1, 1]);
    }

    #[test]
    fn batch_spans_a_day_and_not_a_millisecond_more() {
        let two = |span| waiting([Event::new("a", NOW - span), Event::new("b", NOW)]);
        assert_eq!(batches(two(SPAN_MAX)), [2]);
        assert_eq!(batches(two(SPAN_MAX + 1)), [1, 1]);
    }

    #[test]
    fn what_is_too_old_or_too_new_is_set_apart() {
        let times = [
            NOW - AGE_MAX - 1,
            NOW - AGE_MAX,
            NOW + AHEAD_MAX,
            NOW + AHEAD_MAX + 1,
        ];
        let mut waiting = waiting(times.map(|time| Event::new("x", time)));
        let (mut sent, mut old, mut new) = (0, 0, 0);
        while !waiting.is_empty() {
            let batch = waiting.take(NOW);
            sent += batch.events.len();
            old += batch.too_old.len();
            new += batch.too_new.len();
        }
        assert_eq!((sent, old, new), (2, 1, 1));
    }

    #[test]
    fn events_of_one_time_stay_in_order() {
        let mut waiting = waiting(
            [("b", 2), ("c", 2), ("a", 1), ("d", 2)]
                .map(|(text, time)| Event::new(text, NOW + time)),
        );
        let texts: Vec<_> = waiting
            .take(NOW)
            .events
            .into_iter()
            .map(|event| event.message)
            .collect();
        assert_eq!(texts, ["a", "b", "c", "d"]);
    }

    proptest! {
        #![proptest_config(cases(128))]
        #[test]
        fn every_batch_is_one_that_the_service_takes(
            events in prop::collection::vec((1usize..400_000, -20 * 24 * 3_600_000i64..4 * 3_600_000), 0..40)
        ) {
            let made: Vec<_> = events.iter().map(|(length, time)| Event::new("x".repeat(*length), NOW + time)).collect();
            let mut waiting = waiting(made);
            let mut count = 0;
            while !waiting.is_empty() {
                let batch = waiting.take(NOW);
                let bytes: usize = batch.events.iter().map(size).sum();
                prop_assert!(bytes <= BYTES_MAX && batch.events.len() <= EVENTS_MAX);
                prop_assert!(batch.events.is_sorted_by_key(|event| event.time));
                if let (Some(first), Some(last)) = (batch.events.first(), batch.events.last()) {
                    prop_assert!(last.time - first.time <= SPAN_MAX);
                }
                count += batch.events.len() + batch.too_old.len() + batch.too_new.len();
            }
            prop_assert_eq!(count, events.len());
        }
    }
}
