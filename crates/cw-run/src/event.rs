//! From lines to events: text repaired, long lines split, lines of one event joined.

use docker_client::{LogPosition, Source};

mod assembler;
mod date_format;
mod line_start;
mod text;

pub use assembler::{Assembler, Line};
pub use line_start::{LineStart, LineStartError};
pub use text::{Decoder, split};

/// The longest message, in bytes: an event has up to 1 MB (CloudWatch Logs API Reference,
/// `PutLogEvents`), and 26 bytes of a batch's 1,048,576 are counted beside each message.
pub const MESSAGE_MAX: usize = 1_048_576 - 26;

/// What a held line costs beside its bytes, for the bound on memory.
const LINE_COST: usize = 128;

/// A place in the log of a container, in one of its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which stream.
    pub source: Source,
    /// Up to where.
    pub place: LogPosition,
}

/// An event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The text, never empty.
    pub message: String,
    /// When its first line was written, in milliseconds since the Unix epoch.
    pub time: i64,
    /// The place behind it; none if it was not read from a log that can be gone on with.
    pub mark: Option<Mark>,
    /// How many lines it holds; a line that is split counts with its first piece.
    pub lines: u64,
    /// What holding it costs.
    pub cost: usize,
}

impl Event {
    /// An event of one line.
    #[must_use]
    pub fn new(message: impl Into<String>, time: i64) -> Self {
        let message = message.into();
        Self {
            cost: cost(&message),
            message,
            time,
            mark: None,
            lines: 1,
        }
    }
}

/// What holding a line costs.
#[must_use]
pub fn cost(text: &str) -> usize {
    text.len() + LINE_COST
}
