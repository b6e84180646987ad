//! How far the log of one container was read, and how much of that came to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use docker_client::{LogCursor, LogPosition, Source, Timestamp};

use crate::batch::{Marks, Places};
use crate::event::Event;

/// Frames of the two streams come up to 2 ms out of order, and older engines count in seconds.
const OVERLAP: i64 = 2_000_000_000;

/// The places of one log, for whoever gives up and for whoever goes on. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    read: Option<LogCursor>,
    accepted: LogCursor,
    /// Events that were read and did not come to their end.
    held: Marks,
    /// Lines of these, and of those before them that have no place.
    lines: u64,
    /// The line that is being read is of this stream.
    taking: Option<Source>,
    /// Streams in which an event waits for more lines.
    unfinished: [bool; 2],
}

impl Followed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Behind the last line that was read.
    #[must_use]
    pub fn place(&self) -> Option<LogCursor> {
        self.state().read.clone()
    }

    /// Behind all that was accepted: to go on there loses nothing.
    #[must_use]
    pub fn accepted(&self) -> Option<LogCursor> {
        let accepted = self.state().accepted.clone();
        (accepted != LogCursor::default()).then_some(accepted)
    }

    /// How many lines were read and did not come to their end.
    #[must_use]
    pub fn lines_held(&self) -> u64 {
        self.state().lines
    }

    /// Reading begins there, behind what was accepted before.
    pub(super) fn begin(&self, cursor: Option<&LogCursor>) {
        self.state().accepted = cursor.cloned().unwrap_or_default();
    }

    /// Reading has come so far.
    pub(super) fn note(&self, cursor: LogCursor) {
        self.state().read = Some(cursor);
    }

    /// A line of this stream was read, and is not among the events yet.
    pub(super) fn take(&self, source: Source, cursor: LogCursor) {
        let mut state = self.state();
        state.taking = Some(source);
        state.read = Some(cursor);
    }

    /// The line that was taken is held, in one of these events or in one that goes on.
    pub(super) fn hold_taken(&self, events: &[Event], source: Source, is_unfinished: bool) {
        self.hold(events, source, is_unfinished);
        self.state().taking = None;
    }

    /// These events of a stream are held.
    pub(super) fn hold(&self, events: &[Event], source: Source, is_unfinished: bool) {
        let mut state = self.state();
        state.held.add(Marks::of(events));
        state.lines += lines(events);
        state.unfinished[source as usize] = is_unfinished;
    }

    /// So many lines came to their end.
    pub(super) fn settle(&self, lines: u64) {
        let mut state = self.state();
        state.lines = state.lines.saturating_sub(lines);
    }

    /// All up to these places came to its end, so many events; gives where to go on.
    pub(super) fn accept(&self, places: Places, marks: Marks) -> LogCursor {
        let mut state = self.state();
        state.held.subtract(marks);
        state.accepted.stdout = places.stdout.or(state.accepted.stdout);
        state.accepted.stderr = places.stderr.or(state.accepted.stderr);
        let floor = state.floor(places);
        state.accepted.floor = floor.or(state.accepted.floor);
        state.accepted.clone()
    }
}

impl State {
    /// Up to where neither stream has a line that did not come to its end. A stream that is silent
    /// is complete up to where the other one was accepted: without that, its old place, or none at
    /// all, would have the whole log read again.
    fn floor(&self, accepted_now: Places) -> Option<Timestamp> {
        let nanos = |place: LogPosition| place.nanos;
        // The last one, not the newest: a clock that was put back takes the floor with it.
        let now = accepted_now.last.map(nanos)?;
        let complete = |source: Source| match (self.is_holding(source), source) {
            (false, _) => Some(now),
            (true, Source::Stdout) => self.accepted.stdout.map(nanos),
            (true, Source::Stderr) => self.accepted.stderr.map(nanos),
        };
        let both = complete(Source::Stdout)?.min(complete(Source::Stderr)?);
        let floor = Timestamp::from_nanos(both.saturating_sub(OVERLAP));
        // Lines before the first that was asked for are not wanted.
        let least = self.read.as_ref().and_then(|read| read.floor);
        let least = least.filter(|least| least.nanos() <= now);
        Some(least.map_or(floor, |least| floor.max(least)))
    }

    fn is_holding(&self, source: Source) -> bool {
        self.held.get(source) > 0 || self.unfinished[source as usize] || self.taking == Some(source)
    }
}

pub(super) fn lines(events: &[Event]) -> u64 {
    events.iter().map(|event| event.lines).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Mark;

    const SECOND: i64 = 1_000_000_000;

    fn place(seconds: i64) -> LogPosition {
        LogPosition {
            nanos: seconds * SECOND,
            lines: 1,
            offset: 0,
        }
    }

    fn event(source: Source, seconds: i64) -> Event {
        let mark = Mark {
            source,
            place: place(seconds),
        };
        Event {
            mark: Some(mark),
            ..Event::new("x", seconds * 1000)
        }
    }

    /// Reads an event of a stream, which is done with its line.
    fn read(followed: &Followed, source: Source, seconds: i64) {
        followed.take(source, LogCursor::default());
        followed.hold_taken(&[event(source, seconds)], source, false);
    }

    fn accept(followed: &Followed, source: Source, seconds: i64) -> Option<i64> {
        let mut places = Places::default();
        let event = event(source, seconds);
        places.pass(&event);
        let cursor = followed.accept(places, Marks::of(&[event]));
        cursor.floor.map(|floor| floor.nanos() / SECOND)
    }

    #[test]
    fn silent_stream_is_complete_up_to_where_the_other_was_accepted() {
        let followed = Followed::default();
        for seconds in [100, 200] {
            read(&followed, Source::Stdout, seconds);
            let floor = accept(&followed, Source::Stdout, seconds);
            assert_eq!(floor, Some(seconds - 2));
        }
        let cursor = followed.accepted().unwrap();
        assert_eq!((cursor.stdout, cursor.stderr), (Some(place(200)), None));
    }

    #[test]
    fn stream_with_lines_that_are_held_is_complete_up_to_its_own_place() {
        let followed = Followed::default();
        read(&followed, Source::Stderr, 50);
        assert_eq!(accept(&followed, Source::Stderr, 50), Some(48));
        read(&followed, Source::Stderr, 60);
        for seconds in [100, 200] {
            read(&followed, Source::Stdout, seconds);
            assert_eq!(accept(&followed, Source::Stdout, seconds), Some(48));
        }
        assert_eq!(accept(&followed, Source::Stderr, 60), Some(58));
    }

    #[test]
    fn nothing_is_said_of_a_stream_whose_first_lines_are_held() {
        let of_each_kind: [fn(&Followed); 3] = [
            |followed| read(followed, Source::Stderr, 10),
            |followed| followed.hold(&[], Source::Stderr, true),
            |followed| followed.take(Source::Stderr, LogCursor::default()),
        ];
        for hold in of_each_kind {
            let followed = Followed::default();
            hold(&followed);
            assert_eq!(accept(&followed, Source::Stdout, 100), None);
        }
    }

    #[test]
    fn clock_that_was_put_back_takes_the_floor_with_it() {
        let followed = Followed::default();
        for seconds in [1000, 400] {
            read(&followed, Source::Stdout, seconds);
            let floor = accept(&followed, Source::Stdout, seconds);
            assert_eq!(floor, Some(seconds - 2));
        }
    }

    #[test]
    fn what_lies_before_the_first_line_that_was_asked_for_stays_unwanted() {
        let followed = Followed::default();
        followed.note(LogCursor {
            floor: Some(Timestamp::from_nanos(99 * SECOND)),
            ..LogCursor::default()
        });
        assert_eq!(accept(&followed, Source::Stdout, 100), Some(99));
        assert_eq!(accept(&followed, Source::Stdout, 200), Some(198));
    }

    #[test]
    fn lines_are_held_until_they_came_to_their_end() {
        let followed = Followed::default();
        read(&followed, Source::Stdout, 1);
        read(&followed, Source::Stderr, 2);
        followed.settle(1);
        assert_eq!(followed.lines_held(), 1);
    }
}
