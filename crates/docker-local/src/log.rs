//! The log of a container as the engine keeps it: lines in chunks, each with its time.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat};

/// The engine reads what a container writes through a buffer of so many bytes; a longer line
/// comes out in chunks that repeat its time.
const CHUNK: usize = 16_384;
/// The header of a frame: the stream, three zeros, the length as 32 bits, big-endian.
const FRAME_HEADER: usize = 8;

/// Where a container wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output; with a terminal, all output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
        }
    }

    fn index(self) -> usize {
        usize::from(self.number() - 1)
    }
}

/// What ends a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is a whole line.
    Line,
    /// It is the last chunk of a line.
    LastChunk,
    /// More of the line follows, or the container ended without a line break.
    Open,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stream: Stream,
    pub(crate) nanos: i64,
    bytes: Bytes,
    end: End,
}

/// What the engine does to an entry when it sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Without a terminal each entry is in a frame.
    pub(crate) framed: bool,
    pub(crate) timestamps: bool,
    /// `json-file` ends the last chunk of a long line with a line break, `local` does not.
    pub(crate) break_last_chunk: bool,
}

impl Entry {
    pub(crate) fn encode(&self, form: Form) -> Bytes {
        let mut payload = BytesMut::new();
        if form.timestamps {
            let time = DateTime::from_timestamp_nanos(self.nanos);
            payload.put_slice(time.to_rfc3339_opts(SecondsFormat::Nanos, true).as_bytes());
            payload.put_u8(b' ');
        }
        payload.put_slice(&self.bytes);
        if self.end == End::Line || (self.end == End::LastChunk && form.break_last_chunk) {
            payload.put_u8(b'\n');
        }
        // The engine writes no empty frame.
        if form.framed && !payload.is_empty() {
            frame(self.stream.number(), &payload)
        } else {
            payload.freeze()
        }
    }
}

/// A frame of a multiplexed stream.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).expect("a frame is shorter than 4 GiB");
    let mut frame = BytesMut::with_capacity(FRAME_HEADER + payload.len());
    frame.put_slice(&[kind, 0, 0, 0]);
    frame.put_u32(length);
    frame.put_slice(payload);
    frame.freeze()
}

/// The beginning of a line that has no end yet.
#[derive(Clone, Debug, Default)]
struct Unfinished {
    bytes: BytesMut,
    /// The time of the chunks of it that are in the log.
    nanos: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    /// How many entries were rotated away.
    gone: usize,
    unfinished: [Unfinished; 2],
    /// Where each run of the container ended.
    ends: Vec<usize>,
}

impl Log {
    /// Takes what a container writes, at this time.
    pub(crate) fn write(&mut self, stream: Stream, nanos: i64, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let unfinished = &mut self.unfinished[stream.index()];
            let whole = line.ends_with(b"\n");
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            unfinished.bytes.extend_from_slice(text);
            while unfinished.bytes.len() >= CHUNK {
                let nanos = *unfinished.nanos.get_or_insert(nanos);
                self.entries.push_back(Entry {
                    stream,
                    nanos,
                    bytes: unfinished.bytes.split_to(CHUNK).freeze(),
                    end: End::Open,
                });
            }
            if whole {
                let started = unfinished.nanos.take();
                let end = started.map_or(End::Line, |_| End::LastChunk);
                self.entries.push_back(Entry {
                    stream,
                    nanos: started.unwrap_or(nanos),
                    bytes: unfinished.bytes.split().freeze(),
                    end,
                });
            }
        }
    }

    /// The container ended: what it wrote without a line break is logged.
    pub(crate) fn end_run(&mut self, nanos: i64) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let unfinished = std::mem::take(&mut self.unfinished[stream.index()]);
            if !unfinished.bytes.is_empty() {
                self.entries.push_back(Entry {
                    stream,
                    nanos: unfinished.nanos.unwrap_or(nanos),
                    bytes: unfinished.bytes.freeze(),
                    end: End::Open,
                });
            }
        }
        self.ends.push(self.len());
    }

    /// Forgets the oldest entries, as a rotation does.
    pub(crate) fn rotate(&mut self, keep: usize) {
        let gone = self.entries.len().saturating_sub(keep);
        self.entries.drain(..gone);
        self.gone += gone;
    }

    /// How many entries there were ever.
    pub(crate) fn len(&self) -> usize {
        self.gone + self.entries.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index.checked_sub(self.gone)?)
    }

    /// The first entry that is still there.
    pub(crate) fn first(&self) -> usize {
        self.gone
    }

    /// Which run goes on, counted from 0.
    pub(crate) fn run(&self) -> usize {
        self.ends.len()
    }

    /// Where this run ended, if it has.
    pub(crate) fn end_of(&self, run: usize) -> Option<usize> {
        self.ends.get(run).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON_FILE: Form = Form {
        framed: false,
        timestamps: false,
        break_last_chunk: true,
    };
    const LOCAL: Form = Form {
        break_last_chunk: false,
        ..JSON_FILE
    };

    fn lengths(log: &Log, form: Form) -> Vec<(usize, i64)> {
        let entries = log.entries.iter();
        entries
            .map(|entry| (entry.encode(form).len(), entry.nanos))
            .collect()
    }

    // What Docker 20.10.24 gave for the same output.
    #[test]
    fn long_line_comes_in_chunks_of_one_time() {
        let mut log = Log::default();
        log.write(Stream::Stdout, 1, &[b'x'; 40_000]);
        log.write(Stream::Stdout, 2, b"\na\n");
        let expected = [(16_384, 1), (16_384, 1), (7_233, 1), (2, 2)];
        assert_eq!(lengths(&log, JSON_FILE), expected);
        let expected = [(16_384, 1), (16_384, 1), (7_232, 1), (2, 2)];
        assert_eq!(lengths(&log, LOCAL), expected);
    }

    #[test]
    fn line_of_whole_chunks_ends_with_an_empty_one() {
        let mut log = Log::default();
        log.write(Stream::Stdout, 1, &[b'x'; CHUNK]);
        log.write(Stream::Stdout, 2, b"\n");
        assert_eq!(lengths(&log, JSON_FILE), [(CHUNK, 1), (1, 1)]);
        assert_eq!(lengths(&log, LOCAL), [(CHUNK, 1), (0, 1)]);
        let framed = |timestamps| Form {
            framed: true,
            timestamps,
            ..LOCAL
        };
        assert_eq!(lengths(&log, framed(false)), [(8 + CHUNK, 1), (0, 1)]);
        assert_eq!(lengths(&log, framed(true)), [(39 + CHUNK, 1), (39, 1)]);
    }

    #[test]
    fn unfinished_line_is_logged_when_the_run_ends() {
        let mut log = Log::default();
        log.write(Stream::Stderr, 1, b"no end");
        assert_eq!(log.len(), 0);
        log.end_run(5);
        assert_eq!(lengths(&log, JSON_FILE), [(6, 5)]);
        assert_eq!(log.end_of(0), Some(1));
        assert_eq!(log.end_of(1), None);
    }

    #[test]
    fn rotation_forgets_the_oldest_and_keeps_the_numbers() {
        let mut log = Log::default();
        log.write(Stream::Stdout, 1, b"a\nb\nc\n");
        log.rotate(1);
        assert_eq!((log.first(), log.len()), (2, 3));
        assert!(log.get(1).is_none());
        assert_eq!(&log.get(2).unwrap().bytes[..], b"c");
    }

    #[test]
    fn frame_names_its_stream_and_length() {
        let mut log = Log::default();
        log.write(Stream::Stderr, 1_500_000_000, b"hi\n");
        let form = Form {
            framed: true,
            timestamps: true,
            ..JSON_FILE
        };
        let bytes = log.get(0).unwrap().encode(form);
        assert_eq!(bytes[..8], [2, 0, 0, 0, 0, 0, 0, 34]);
        assert_eq!(&bytes[8..], b"1970-01-01T00:00:01.500000000Z hi\n");
    }
}
