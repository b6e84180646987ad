//! Which lines were delivered: the place in each stream, and what a repeat is.
//!
//! After a cut the log is read again from a little before the older stream's place. A line that
//! is at or below its stream's place was delivered. The exception is a clock that was put back:
//! a ring of the times delivered last tells its lines from repeats.

use std::collections::VecDeque;

use crate::logs::line::Piece;
use crate::logs::{LogCursor, LogGap, LogPosition, Source};
use crate::timestamp::Timestamp;

/// Times that are remembered for each stream: 128 KiB.
const RING: usize = 8192;
/// How often the clock may go back within the ring.
const RUNS: usize = 16;
/// Frames of the two streams come up to 2 ms out of order, and `since` of older engines is
/// whole seconds.
const OVERLAP_SECONDS: i64 = 2;
const SECOND: i64 = 1_000_000_000;

/// What to do with a piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was delivered, or is not wanted.
    Skip,
    Deliver,
    /// Lines before it may be missing.
    DeliverAfter(LogGap),
    /// It looks like the line before it: read again, which tells how many there are.
    Recount,
}

/// What was delivered of both streams.
#[derive(Debug)]
pub(crate) struct Tracker {
    streams: [Track; 2],
    floor: Option<i64>,
    /// Lines of one stream do have the same time.
    twins: bool,
    /// Streams that are to be read from their first line on, until they have been.
    unread: [bool; 2],
}

impl Tracker {
    /// At the beginning, or behind what an earlier stream delivered.
    pub(crate) fn new(cursor: Option<&LogCursor>) -> Self {
        let cursor = cursor.cloned().unwrap_or_default();
        Self {
            streams: [
                Track::new(Source::Stdout, cursor.stdout),
                Track::new(Source::Stderr, cursor.stderr),
            ],
            floor: cursor.floor.map(Timestamp::nanos),
            twins: false,
            unread: [false; 2],
        }
    }

    /// The stream, if it has no place, is to be read from its first line on.
    pub(crate) fn read_from_first(&mut self, source: Source) {
        self.unread[source as usize] = self.position(source).is_none();
    }

    pub(crate) fn floor(&self) -> Option<Timestamp> {
        self.floor.map(Timestamp::from_nanos)
    }

    /// Lines before this instant are not wanted when the log is read again.
    pub(crate) fn set_floor(&mut self, nanos: i64) {
        self.floor = Some(nanos);
    }

    /// The second from which to read so that nothing is missed; `None` for all.
    pub(crate) fn since(&self) -> Option<i64> {
        let floor = self.floor.map(|nanos| nanos.div_euclid(SECOND));
        if self.unread.contains(&true) {
            return floor;
        }
        let places = self
            .streams
            .iter()
            .filter_map(|track| Some(track.position?.nanos));
        let placed = places
            .min()
            .map(|nanos| nanos.div_euclid(SECOND) - OVERLAP_SECONDS);
        // Of two that are there the later one; the floor may lie behind the place of a silent stream.
        placed.max(floor)
    }

    /// Whether the log was read before, or is to be read from some line on.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_place() || self.floor.is_some()
    }

    /// Whether anything was delivered.
    pub(crate) fn has_place(&self) -> bool {
        self.streams.iter().any(|track| track.position.is_some())
    }

    /// The place in a stream.
    pub(crate) fn position(&self, source: Source) -> Option<LogPosition> {
        self.streams[source as usize].position
    }

    /// Whether a line of this time is news, as far as the time tells.
    pub(crate) fn is_news(&self, source: Source, nanos: i64) -> bool {
        match self.streams[source as usize].position {
            Some(place) => nanos > place.nanos.max(self.streams[source as usize].newest),
            None => self.floor.is_none_or(|floor| nanos >= floor),
        }
    }

    /// The log is read again, from [`Tracker::since`].
    pub(crate) fn read_again(&mut self) {
        for track in &mut self.streams {
            track.catching_up = true;
            track.run = None;
        }
    }

    /// Whether a piece that an earlier reading held back did not come again. It is a line's last
    /// words, or all of a short line.
    pub(crate) fn is_unread(&mut self, piece: &Piece) -> bool {
        let track = &mut self.streams[piece.source as usize];
        if piece.offset > 0 {
            let place = track.position.map(|place| (place.nanos, place.offset));
            return place == Some((piece.nanos, piece.offset));
        }
        track.run = None;
        track.catching_up = false;
        track.ring.lines(piece.nanos).is_none()
            && track
                .position
                .is_none_or(|place| place.nanos != piece.nanos)
    }

    /// Judges the next piece that was read, and books it. What was delivered of it is cut off.
    ///
    /// Engines that follow a log over a rotation may repeat its last line. No other line of the
    /// stream has its time, as long as the engine's clock is fine enough; whether it is, the first
    /// such line of a `live` answer decides, by being counted anew.
    pub(crate) fn admit(&mut self, piece: &mut Piece, live: bool) -> Verdict {
        let track = &mut self.streams[piece.source as usize];
        if live && !self.twins && piece.offset == 0 && track.looks_repeated(piece.nanos) {
            if track.recounted == Some(piece.nanos) {
                self.twins = true;
            } else {
                track.recounted = Some(piece.nanos);
                return Verdict::Recount;
            }
        }
        let has_place = track.position.is_some();
        let verdict = track.admit(piece, self.floor);
        if verdict != Verdict::Skip {
            // Behind a place that there was, all that the other stream had before it is read.
            self.unread[piece.source as usize] = false;
            if has_place {
                self.unread = [false; 2];
            }
        }
        verdict
    }
}

/// What was delivered of one stream.
#[derive(Debug)]
struct Track {
    source: Source,
    position: Option<LogPosition>,
    ring: Ring,
    /// The newest time delivered.
    newest: i64,
    /// Where in a row of lines of the same time the reading is: that time, and which line.
    run: Option<(i64, u32)>,
    /// The line that is being read is skipped.
    skipping: bool,
    /// Bytes of the line that were delivered before.
    delivered: u64,
    /// The log is read again, and the place has not been reached.
    catching_up: bool,
    /// The instant whose lines were counted anew.
    recounted: Option<i64>,
}

impl Track {
    fn new(source: Source, position: Option<LogPosition>) -> Self {
        let newest = position.map_or(i64::MIN, |place| place.nanos);
        Self {
            source,
            position,
            ring: Ring {
                horizon: newest,
                ..Ring::default()
            },
            newest,
            run: None,
            skipping: false,
            delivered: 0,
            catching_up: position.is_some(),
            recounted: None,
        }
    }

    /// Whether a line that begins is one more at the place's instant than were delivered.
    fn looks_repeated(&self, nanos: i64) -> bool {
        let nth = match self.run {
            Some((same, nth)) if same == nanos => nth.saturating_add(1),
            _ => 1,
        };
        self.position.is_some_and(|place| {
            place.nanos == nanos && place.offset == 0 && nth > place.lines.max(1)
        })
    }

    fn admit(&mut self, piece: &mut Piece, floor: Option<i64>) -> Verdict {
        let mut verdict = Verdict::Deliver;
        if piece.offset == 0 {
            verdict = self.begin_line(piece.nanos, floor);
            self.skipping = verdict == Verdict::Skip;
        }
        if self.skipping {
            return Verdict::Skip;
        }
        let end = piece.offset + piece.bytes.len() as u64;
        if end <= self.delivered && !(piece.ends && end == self.delivered) {
            return Verdict::Skip;
        }
        let known = self
            .delivered
            .saturating_sub(piece.offset)
            .min(piece.bytes.len() as u64);
        piece.bytes = piece.bytes.split_off(known as usize);
        let (_, lines) = self.run.unwrap_or((piece.nanos, 1));
        self.position = Some(match piece.ends {
            true => LogPosition {
                nanos: piece.nanos,
                lines,
                offset: 0,
            },
            false => LogPosition {
                nanos: piece.nanos,
                lines: lines - 1,
                offset: end,
            },
        });
        verdict
    }

    fn begin_line(&mut self, nanos: i64, floor: Option<i64>) -> Verdict {
        let nth = match self.run {
            Some((same, nth)) if same == nanos => nth.saturating_add(1),
            _ => 1,
        };
        self.run = Some((nanos, nth));
        self.delivered = 0;
        let Some(place) = self.position else {
            if self.catching_up && floor.is_some_and(|floor| nanos < floor) {
                return Verdict::Skip;
            }
            return self.take(nanos, nth);
        };
        if nanos == place.nanos {
            self.catching_up = false;
            if nth <= place.lines {
                return Verdict::Skip;
            }
            if nth == place.lines + 1 {
                self.delivered = place.offset;
            }
            return self.take(nanos, nth);
        }
        if nanos < self.newest && self.is_repeat(nanos, nth, floor) {
            return Verdict::Skip;
        }
        if nanos == self.newest && self.ring.lines(nanos).is_some_and(|lines| nth <= lines) {
            return Verdict::Skip;
        }
        // Reading began behind a place that lies before the floor: it does not come by.
        let is_missed = self.catching_up && floor.is_none_or(|floor| place.nanos >= floor);
        match is_missed {
            false => self.take(nanos, nth),
            true => {
                self.take(nanos, nth);
                Verdict::DeliverAfter(LogGap {
                    stream: self.source,
                    after: Timestamp::from_nanos(place.nanos),
                    before: Timestamp::from_nanos(nanos),
                })
            }
        }
    }

    /// Whether a line from before the newest was delivered, or is not wanted.
    fn is_repeat(&self, nanos: i64, nth: u32, floor: Option<i64>) -> bool {
        match self.ring.lines(nanos) {
            Some(lines) => nth <= lines,
            // What the ring forgot lies before the place, where the reading has not arrived.
            None => {
                self.catching_up
                    && (nanos <= self.ring.horizon || floor.is_some_and(|floor| nanos < floor))
            }
        }
    }

    fn take(&mut self, nanos: i64, nth: u32) -> Verdict {
        self.catching_up = false;
        self.newest = self.newest.max(nanos);
        self.ring.note(nanos, nth);
        Verdict::Deliver
    }
}

/// Times delivered lately, in ascending runs: one, unless the clock went back.
#[derive(Debug)]
struct Ring {
    runs: VecDeque<VecDeque<(i64, u32)>>,
    length: usize,
    /// The newest time that was forgotten.
    horizon: i64,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            runs: VecDeque::new(),
            length: 0,
            horizon: i64::MIN,
        }
    }
}

impl Ring {
    /// How many lines of this time were delivered; `None` if it is not known.
    fn lines(&self, nanos: i64) -> Option<u32> {
        self.runs.iter().rev().find_map(|run| {
            let at = run.binary_search_by_key(&nanos, |(nanos, _)| *nanos).ok()?;
            Some(run[at].1)
        })
    }

    fn note(&mut self, nanos: i64, lines: u32) {
        let last = self.runs.back_mut().and_then(|run| run.back_mut());
        match last {
            Some((same, count)) if *same == nanos => {
                *count = lines;
                return;
            }
            Some((before, _)) if *before < nanos => {}
            _ => self.runs.push_back(VecDeque::new()),
        }
        if let Some(run) = self.runs.back_mut() {
            run.push_back((nanos, lines));
            self.length += 1;
        }
        while self.length > RING || self.runs.len() > RUNS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(run) = self.runs.front_mut() else {
            return;
        };
        if let Some((nanos, _)) = run.pop_front() {
            self.length -= 1;
            self.horizon = self.horizon.max(nanos);
        }
        if run.is_empty() {
            self.runs.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
