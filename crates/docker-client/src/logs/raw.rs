//! The log of a container with a TTY: no frames, the messages stand one behind the other, each
//! behind its time.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::logs::line::{CHUNK, Joiner, Piece};
use crate::logs::stamp;

/// A message whose time was expected is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of the log does not begin with its time")]
pub(crate) struct NoTime;

/// Where in the log we are.
#[derive(Debug)]
enum State {
    /// At the time of a message, so far.
    Time(BytesMut),
    /// In the message. At `boundary` bytes it may end without a newline.
    Text { length: usize, boundary: usize },
    /// At such a place: what follows is a time, or more of the message.
    Boundary { length: usize, next: BytesMut },
}

/// Parts the log into messages.
#[derive(Debug)]
pub(crate) struct Splitter {
    stamped: bool,
    state: State,
    /// A message that is known to end without a newline: its time and length.
    bare: Option<(i64, usize)>,
}

impl Splitter {
    pub(crate) fn new(stamped: bool, bare: Option<(i64, usize)>) -> Self {
        let state = match stamped {
            true => State::Time(BytesMut::new()),
            false => State::Text {
                length: 0,
                boundary: usize::MAX,
            },
        };
        Self {
            stamped,
            state,
            bare,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut chunk: Bytes,
        joiner: &mut Joiner,
        out: &mut VecDeque<Piece>,
    ) -> Result<(), NoTime> {
        while !chunk.is_empty() {
            match &mut self.state {
                State::Time(bytes) => {
                    take_up_to_space(bytes, &mut chunk);
                    if let Some((nanos, _)) = stamp::parse(bytes) {
                        self.begin(nanos, joiner, out);
                    } else if !stamp::may_become(bytes) {
                        return Err(NoTime);
                    }
                }
                State::Text { length, boundary } => {
                    let within = chunk.len().min(*boundary - *length);
                    let newline = memchr::memchr(b'\n', &chunk[..within]);
                    let text = chunk.split_to(newline.map_or(within, |at| at + 1));
                    *length += text.len();
                    let (length, boundary) = (*length, *boundary);
                    joiner.content(text, out);
                    if newline.is_some() && self.stamped {
                        joiner.end(out);
                        self.state = State::Time(BytesMut::new());
                    } else if length == boundary {
                        self.state = State::Boundary {
                            length,
                            next: BytesMut::new(),
                        };
                    }
                }
                State::Boundary { length, next } => {
                    take_up_to_space(next, &mut chunk);
                    let length = *length;
                    if let Some((nanos, _)) = stamp::parse(next) {
                        joiner.end(out);
                        self.begin(nanos, joiner, out);
                    } else if !stamp::may_become(next) {
                        // An engine with another buffer: the message goes on.
                        let next = next.split().freeze();
                        let boundary = if length < CHUNK { CHUNK } else { usize::MAX };
                        self.state = State::Text { length, boundary };
                        let mut again = BytesMut::from(&next[..]);
                        again.extend_from_slice(&chunk);
                        chunk = again.freeze();
                    }
                }
            }
        }
        Ok(())
    }

    /// Nothing follows.
    pub(crate) fn finish(&mut self, joiner: &mut Joiner, out: &mut VecDeque<Piece>) {
        if let State::Boundary { next, .. } = &mut self.state {
            joiner.content(next.split().freeze(), out);
        }
        joiner.finish(out);
    }

    fn begin(&mut self, nanos: i64, joiner: &mut Joiner, out: &mut VecDeque<Piece>) {
        joiner.begin(nanos, out);
        let boundary = match self.bare {
            Some((at, length)) if at == nanos && length > 0 => length.min(CHUNK),
            _ => CHUNK,
        };
        self.state = State::Text {
            length: 0,
            boundary,
        };
    }
}

/// Moves bytes up to and with the first space, as long as they may be a time.
fn take_up_to_space(bytes: &mut BytesMut, chunk: &mut Bytes) {
    let most = chunk.len().min(stamp::LONGEST - bytes.len());
    let end = memchr::memchr(b' ', &chunk[..most]).map_or(most, |at| at + 1);
    bytes.extend_from_slice(&chunk.split_to(end));
}
