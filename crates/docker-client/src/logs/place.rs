//! A place in a log, and its text for a checkpoint.

use std::fmt;
use std::str::FromStr;

use crate::logs::Source;
use crate::timestamp::Timestamp;

/// A place in one stream of a log: all lines up to and with the `lines`th at `nanos`, and
/// `offset` bytes of the line behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The instant of the last delivered line, in nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// How many lines at that instant were delivered whole.
    pub lines: u32,
    /// How many bytes of the next line at that instant were delivered in pieces.
    pub offset: u64,
}

/// A place in a log. `Display` and `FromStr` are one line of ASCII, for a checkpoint:
///
/// ```
/// let text = "stdout=1763719200000000001:2:0";
/// let cursor: docker_client::LogCursor = text.parse().unwrap();
/// assert_eq!(cursor.stdout.unwrap().lines, 2);
/// assert_eq!(cursor.to_string(), text);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCursor {
    /// In standard output; `None` if nothing was delivered.
    pub stdout: Option<LogPosition>,
    /// In standard error; `None` if nothing was delivered.
    pub stderr: Option<LogPosition>,
    /// Lines before this instant are not wanted.
    pub floor: Option<Timestamp>,
}

impl LogCursor {
    pub(crate) fn place_mut(&mut self, source: Source) -> &mut Option<LogPosition> {
        match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        }
    }
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parted = "";
        for (name, place) in [("stdout", self.stdout), ("stderr", self.stderr)] {
            if let Some(LogPosition {
                nanos,
                lines,
                offset,
            }) = place
            {
                write!(f, "{parted}{name}={nanos}:{lines}:{offset}")?;
                parted = " ";
            }
        }
        if let Some(floor) = self.floor {
            write!(f, "{parted}floor={}", floor.nanos())?;
        }
        Ok(())
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no cursor of a log: it looks like stdout=NANOS:LINES:OFFSET stderr=… floor=NANOS")]
pub struct ParseCursorError;

impl FromStr for LogCursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut cursor = Self::default();
        for field in text.split_ascii_whitespace() {
            let (name, value) = field.split_once('=').ok_or(ParseCursorError)?;
            match name {
                "stdout" => cursor.stdout = Some(position(value)?),
                "stderr" => cursor.stderr = Some(position(value)?),
                "floor" => cursor.floor = Some(Timestamp::from_nanos(number(value)?)),
                _ => return Err(ParseCursorError),
            }
        }
        Ok(cursor)
    }
}

fn position(text: &str) -> Result<LogPosition, ParseCursorError> {
    let fields: Vec<&str> = text.split(':').collect();
    let [nanos, lines, offset] = fields[..] else {
        return Err(ParseCursorError);
    };
    Ok(LogPosition {
        nanos: number(nanos)?,
        lines: number(lines)?,
        offset: number(offset)?,
    })
}

fn number<T: FromStr>(text: &str) -> Result<T, ParseCursorError> {
    text.parse().map_err(|_| ParseCursorError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Option<LogPosition>> {
        prop::option::of((any::<i64>(), any::<u32>(), any::<u64>()).prop_map(
            |(nanos, lines, offset)| LogPosition {
                nanos,
                lines,
                offset,
            },
        ))
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(
            stdout in place(), stderr in place(), floor in prop::option::of(any::<i64>())
        ) {
            let cursor = LogCursor { stdout, stderr, floor: floor.map(Timestamp::from_nanos) };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_panics(text in "[a-z]{0,6}=?[0-9:-]{0,30} ?") {
            let _ = text.parse::<LogCursor>();
        }
    }
}
