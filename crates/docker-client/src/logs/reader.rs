//! From the bytes of an answer to lines.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::logs::Source;
use crate::logs::frame::{FrameDecoder, FrameError};
use crate::logs::line::{Joiner, Joining, Piece};
use crate::logs::raw::{NoTime, Splitter};
use crate::logs::stamp;

/// What is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    NoTime(#[from] NoTime),
}

/// What is known of a log before the first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The container has a TTY: one stream, without frames.
    pub(crate) tty: bool,
    pub(crate) joining: Joining,
    /// The last line delivered, if it ended without a newline: its time and length.
    pub(crate) bare: Option<(i64, usize)>,
}

/// Reads one answer.
#[derive(Debug)]
pub(crate) struct LogReader {
    format: Format,
    out: VecDeque<Piece>,
}

#[derive(Debug)]
enum Format {
    Raw(Splitter, Box<Joiner>),
    Framed {
        decoder: FrameDecoder,
        stamped: bool,
        streams: Box<[Stream; 2]>,
    },
}

/// One of two streams.
#[derive(Debug)]
struct Stream {
    joiner: Joiner,
    /// The beginning of a message, as long as its time has not come whole.
    time: BytesMut,
    /// The time has come.
    begun: bool,
}

impl LogReader {
    pub(crate) fn new(layout: Layout) -> Self {
        let Layout { tty, joining, bare } = layout;
        let stream = |source| Stream {
            joiner: Joiner::new(source, joining),
            time: BytesMut::new(),
            begun: false,
        };
        let format = match tty {
            true => Format::Raw(
                Splitter::new(joining.stamped, bare),
                Box::new(Joiner::new(Source::Stdout, joining)),
            ),
            false => Format::Framed {
                decoder: FrameDecoder::new(),
                stamped: joining.stamped,
                streams: Box::new([stream(Source::Stdout), stream(Source::Stderr)]),
            },
        };
        Self {
            format,
            out: VecDeque::new(),
        }
    }

    /// Takes bytes in. What came before an error can still be popped.
    pub(crate) fn push(&mut self, mut chunk: Bytes) -> Result<(), LogError> {
        let out = &mut self.out;
        match &mut self.format {
            Format::Raw(splitter, joiner) => splitter.push(chunk, joiner, out)?,
            Format::Framed {
                decoder,
                stamped,
                streams,
            } => {
                while let Some(piece) = decoder.next(&mut chunk)? {
                    let stream = &mut streams[piece.source as usize];
                    if piece.begins {
                        stream.time.clear();
                        stream.begun = !*stamped;
                        if !*stamped {
                            stream.joiner.begin(0, out);
                        }
                    }
                    stream.take(piece.bytes, piece.ends, out)?;
                }
            }
        }
        Ok(())
    }

    /// The answer ended and nothing will follow: what has no newline is a line.
    pub(crate) fn finish(&mut self) {
        let out = &mut self.out;
        match &mut self.format {
            Format::Raw(splitter, joiner) => splitter.finish(joiner, out),
            Format::Framed { streams, .. } => {
                for stream in streams.iter_mut() {
                    stream.joiner.finish(out);
                }
            }
        }
    }

    /// Whether the last frame is whole. If not, the answer was cut off, however it ended.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.format {
            Format::Raw(..) => true,
            Format::Framed { decoder, .. } => decoder.is_between_frames(),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Piece> {
        self.out.pop_front()
    }
}

impl Stream {
    fn take(
        &mut self,
        mut bytes: Bytes,
        ends: bool,
        out: &mut VecDeque<Piece>,
    ) -> Result<(), LogError> {
        if !self.begun {
            if !self.time.is_empty() {
                self.time.extend_from_slice(&bytes);
                bytes = self.time.split().freeze();
            }
            match stamp::parse(&bytes) {
                Some((nanos, length)) => {
                    self.joiner.begin(nanos, out);
                    self.begun = true;
                    bytes = bytes.split_off(length);
                }
                None if !ends && stamp::may_become(&bytes) => {
                    self.time = BytesMut::from(&bytes[..]);
                    return Ok(());
                }
                None => return Err(NoTime.into()),
            }
        }
        self.joiner.content(bytes, out);
        if ends {
            self.joiner.end(out);
        }
        Ok(())
    }
}
