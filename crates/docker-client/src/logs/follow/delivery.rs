//! What of the lines that were read is delivered.

use crate::logs::cursor::{Tracker, Verdict};
use crate::logs::follow::{Follower, Phase, SILENCE};
use crate::logs::line::{CHUNK, Piece};
use crate::logs::reader::LogReader;
use crate::logs::stream::{Batch, Delivered};
use crate::logs::{LogItem, LogLine};
use crate::timestamp::Timestamp;

impl Follower {
    /// What has been read and was not delivered before.
    pub(super) fn admit_all(&mut self) -> Batch {
        let mut batch = Batch::default();
        while let Some(piece) = self
            .reading
            .as_mut()
            .and_then(|reading| reading.reader.pop())
        {
            self.admit(piece, &mut batch);
        }
        self.book(batch)
    }

    /// What the last answer's reader still holds, then what the live answer's held before it: if
    /// the clock was put back meanwhile, it lies before the place that the last answer begins at.
    pub(super) fn finish(&mut self, last: Option<LogReader>) -> Batch {
        let mut batch = Batch::default();
        for (reader, again) in [(last, false), (self.ended.take(), true)] {
            let Some(mut reader) = reader else { continue };
            reader.finish();
            while let Some(piece) = reader.pop() {
                if !again || self.is_unread(&piece) {
                    self.admit(piece, &mut batch);
                }
            }
        }
        self.book(batch)
    }

    /// Whether a piece that was held back has not been read again.
    fn is_unread(&mut self, piece: &Piece) -> bool {
        self.tracker
            .as_mut()
            .is_none_or(|tracker| tracker.is_unread(piece))
    }

    fn book(&mut self, mut batch: Batch) -> Batch {
        if !batch.items.is_empty() {
            self.silence = SILENCE;
            self.outage.progress();
        }
        batch.floor = self.tracker.as_ref().and_then(Tracker::floor);
        batch
    }

    fn admit(&mut self, mut piece: Piece, batch: &mut Batch) {
        let mut place = None;
        if let Some(tracker) = &mut self.tracker {
            if self.options.tail.is_some() && !tracker.has_begun() {
                tracker.set_floor(piece.nanos);
            }
            if self.tty && piece.ends && piece.partial {
                let length = piece.offset as usize + piece.bytes.len();
                self.bare = Some((piece.nanos, length % CHUNK));
            }
            match tracker.admit(&mut piece, self.phase == Phase::Live) {
                Verdict::Skip => return,
                Verdict::Recount => {
                    self.reading = None;
                    return;
                }
                Verdict::Deliver => {}
                Verdict::DeliverAfter(gap) => batch.items.push_back(Delivered {
                    item: LogItem::Gap(gap),
                    source: piece.source,
                    place: None,
                }),
            }
            place = tracker.position(piece.source);
        }
        let source = piece.source;
        batch.items.push_back(Delivered {
            item: LogItem::Line(self.line(piece)),
            source,
            place,
        });
    }

    fn line(&self, piece: Piece) -> LogLine {
        LogLine {
            stream: piece.source,
            timestamp: self.timed.then(|| Timestamp::from_nanos(piece.nanos)),
            bytes: piece.bytes,
            partial: piece.partial,
        }
    }
}
