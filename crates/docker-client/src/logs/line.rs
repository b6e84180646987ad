//! From messages of the engine to lines: it cuts a line of more than 16 KiB into chunks.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::logs::Source;

/// The engine's buffer: a chunk that is shorter is its line's last one.
pub(crate) const CHUNK: usize = 16 * 1024;

/// A line, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) source: Source,
    /// Nanoseconds; 0 where no times were asked for.
    pub(crate) nanos: i64,
    /// Where in its line the piece begins.
    pub(crate) offset: u64,
    pub(crate) bytes: Bytes,
    /// The line ends here.
    pub(crate) ends: bool,
    /// No newline follows.
    pub(crate) partial: bool,
}

/// How lines are joined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    /// Longer lines come in pieces of this many bytes.
    pub(crate) max_line: usize,
    /// Whether messages carry their time.
    pub(crate) stamped: bool,
    /// Whether the driver leaves out the newline behind the last chunk of a long line, as
    /// `local` does.
    pub(crate) bare_last_chunk: bool,
}

/// Joins the messages of one stream into lines.
#[derive(Debug)]
pub(crate) struct Joiner {
    source: Source,
    joining: Joining,
    nanos: i64,
    /// What has come of the line and is not in a piece yet; at most `max_line`.
    pending: BytesMut,
    /// Bytes of the line that are in pieces.
    offset: u64,
    /// Whole messages that the line has so far, and bytes of the message that is coming.
    chunks: u64,
    message: usize,
    /// The line has begun and not ended.
    open: bool,
}

impl Joiner {
    pub(crate) fn new(source: Source, joining: Joining) -> Self {
        Self {
            source,
            joining,
            nanos: 0,
            pending: BytesMut::new(),
            offset: 0,
            chunks: 0,
            message: 0,
            open: false,
        }
    }

    /// A message begins. All chunks of a line have the line's time.
    pub(crate) fn begin(&mut self, nanos: i64, out: &mut VecDeque<Piece>) {
        if self.open && self.joining.stamped && nanos != self.nanos {
            self.end_line(Bytes::new(), true, out);
        }
        self.nanos = nanos;
        self.message = 0;
    }

    /// Bytes of the message.
    pub(crate) fn content(&mut self, mut bytes: Bytes, out: &mut VecDeque<Piece>) {
        self.message += bytes.len();
        while let Some(at) = memchr::memchr(b'\n', &bytes) {
            let line = bytes.split_to(at);
            bytes.advance(1);
            self.end_line(line, false, out);
        }
        if !bytes.is_empty() {
            self.open = true;
            let rest = self.shed(bytes, out);
            self.pending.extend_from_slice(&rest);
        }
    }

    /// The message ends.
    pub(crate) fn end(&mut self, out: &mut VecDeque<Piece>) {
        if !self.open {
            return;
        }
        if self.message < CHUNK {
            let complete = self.chunks > 0 && self.joining.bare_last_chunk;
            self.end_line(Bytes::new(), !complete, out);
        } else {
            self.chunks += 1;
        }
    }

    /// Nothing follows: what is there is a line without a newline.
    pub(crate) fn finish(&mut self, out: &mut VecDeque<Piece>) {
        if self.open {
            self.end_line(Bytes::new(), true, out);
        }
    }

    fn end_line(&mut self, bytes: Bytes, partial: bool, out: &mut VecDeque<Piece>) {
        let rest = self.shed(bytes, out);
        let bytes = match self.pending.is_empty() {
            true => rest,
            false => {
                self.pending.extend_from_slice(&rest);
                self.pending.split().freeze()
            }
        };
        out.push_back(Piece {
            source: self.source,
            nanos: self.nanos,
            offset: self.offset,
            bytes,
            ends: true,
            partial,
        });
        self.offset = 0;
        self.chunks = 0;
        self.open = false;
    }

    /// Gives away full pieces until the rest fits beside what is pending. A line of exactly
    /// `max_line` is one piece, so the last piece is never empty.
    fn shed(&mut self, mut bytes: Bytes, out: &mut VecDeque<Piece>) -> Bytes {
        while self.pending.len() + bytes.len() > self.joining.max_line {
            let head = bytes.split_to(self.joining.max_line - self.pending.len());
            let bytes = match self.pending.is_empty() {
                true => head,
                false => {
                    self.pending.extend_from_slice(&head);
                    self.pending.split().freeze()
                }
            };
            let offset = self.offset;
            self.offset += bytes.len() as u64;
            out.push_back(Piece {
                source: self.source,
                nanos: self.nanos,
                offset,
                bytes,
                ends: false,
                partial: true,
            });
        }
        bytes
    }
}
