//! Lines of a log, each stream for itself, as events.

use docker_client::{LogLine, LogPosition, Source};
use tokio::time::Instant;

use crate::event::{Assembler, Decoder, Event, Line, LineStart, Mark};

/// The lines of one container.
#[derive(Debug)]
pub(super) struct Lines {
    stdout: Side,
    stderr: Side,
}

#[derive(Debug)]
struct Side {
    decoder: Decoder,
    assembler: Assembler,
    /// The piece before was not the end of its line.
    open: bool,
    /// When the event began that waits for more lines.
    since: Instant,
}

impl Lines {
    pub(super) fn new(start: Option<&LineStart>) -> Self {
        let side = || Side {
            decoder: Decoder::default(),
            assembler: Assembler::new(start.cloned()),
            open: false,
            since: Instant::now(),
        };
        Self {
            stdout: side(),
            stderr: side(),
        }
    }

    fn side(&mut self, source: Source) -> &mut Side {
        match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }

    /// Reads a line; `place` is the one behind it.
    pub(super) fn read(&mut self, line: &LogLine, place: Option<LogPosition>) -> Line {
        let side = self.side(line.stream);
        // The last words of a container have no newline either: the place behind them is one
        // between lines.
        let is_cut = line.partial && place.is_none_or(|place| place.offset > 0);
        let text = side.decoder.decode(&line.bytes, is_cut);
        let mark = place.map(|mut place| {
            // What waits for the next piece is not in this event.
            place.offset = place.offset.saturating_sub(side.decoder.waiting() as u64);
            Mark {
                source: line.stream,
                place,
            }
        });
        let continues = std::mem::replace(&mut side.open, is_cut);
        let time = line
            .timestamp
            .map_or_else(crate::clock::now_ms, |time| time.millis());
        Line {
            text,
            continues,
            time,
            mark,
        }
    }

    /// Takes a line; what comes out, and what needs not be held any more.
    pub(super) fn push(&mut self, source: Source, line: Line) -> (Vec<Event>, usize) {
        let side = self.side(source);
        let was_waiting = side.assembler.is_waiting();
        let (events, given_back) = side.assembler.push(line);
        if !was_waiting || !events.is_empty() {
            side.since = Instant::now();
        }
        (events, given_back)
    }

    /// Whether an event of the stream waits for more lines.
    pub(super) fn is_waiting(&self, source: Source) -> bool {
        match source {
            Source::Stdout => self.stdout.assembler.is_waiting(),
            Source::Stderr => self.stderr.assembler.is_waiting(),
        }
    }

    /// When the oldest event began that waits for more lines.
    pub(super) fn oldest_waiting(&self) -> Option<Instant> {
        let waiting = [&self.stdout, &self.stderr].into_iter();
        let waiting = waiting.filter(|side| side.assembler.is_waiting());
        waiting.map(|side| side.since).min()
    }

    /// The events that have waited for more lines since then or longer, and what needs not be held any
    /// more.
    pub(super) fn flush(&mut self, since: Instant) -> (Vec<(Source, Event)>, usize) {
        let (mut events, mut given_back) = (Vec::new(), 0);
        for source in [Source::Stdout, Source::Stderr] {
            let side = self.side(source);
            if side.since > since || !side.assembler.is_waiting() {
                continue;
            }
            let (event, back) = side.assembler.flush();
            events.extend(event.map(|event| (source, event)));
            given_back += back;
        }
        (events, given_back)
    }
}

#[cfg(test)]
mod tests {
    use docker_client::Timestamp;

    use super::*;

    fn piece(bytes: &'static [u8], partial: bool) -> LogLine {
        LogLine {
            stream: Source::Stdout,
            timestamp: Some(Timestamp::from_nanos(5_000_000)),
            bytes: bytes.into(),
            partial,
        }
    }

    fn between_lines() -> Option<LogPosition> {
        Some(LogPosition {
            nanos: 5_000_000,
            lines: 1,
            offset: 0,
        })
    }

    #[test]
    fn last_words_without_a_newline_are_not_joined_to_the_next_run() {
        let mut lines = Lines::new(None);
        let last = lines.read(&piece(b"no end\xe2\x82", true), between_lines());
        assert_eq!(&*last.text, "no end\u{fffd}");
        let next = lines.read(&piece(b"next", false), between_lines());
        assert_eq!((&*next.text, next.continues), ("next", false));
    }

    #[tokio::test(start_paused = true)]
    async fn event_that_goes_on_and_on_is_flushed_by_its_age() {
        let start = LineStart::pattern("^NEVER").unwrap();
        let mut lines = Lines::new(Some(&start));
        let began = Instant::now();
        for _ in 0..3 {
            let line = lines.read(&piece(b"more", false), between_lines());
            assert!(lines.push(Source::Stdout, line).0.is_empty());
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
        }
        assert_eq!(lines.oldest_waiting(), Some(began));
        let (events, _) = lines.flush(began);
        assert_eq!(events[0].1.message, "more\nmore\nmore");
    }

    #[test]
    fn place_of_a_piece_is_before_the_character_that_it_cuts() {
        let mut lines = Lines::new(None);
        let place = |offset| LogPosition {
            nanos: 5_000_000,
            lines: 0,
            offset,
        };
        let first = lines.read(&piece(b"ab\xc3", true), Some(place(3)));
        assert_eq!((&*first.text, first.continues), ("ab", false));
        assert_eq!(first.mark.unwrap().place, place(2));
        let second = lines.read(&piece(b"\xa9", false), Some(place(0)));
        assert_eq!(
            (&*second.text, second.continues, second.time),
            ("é", true, 5)
        );
        assert_eq!(second.mark.unwrap().place, place(0));
    }
}
