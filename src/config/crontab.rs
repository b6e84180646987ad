//! The crontab: many metrics in one file, written as cron's users write theirs.

use std::path::Path;

use settings::Diagnostics;

use super::Entry;

mod defaults;
mod dimensions;
mod duplicates;
mod keys;
mod limits;
mod line_error;
mod reader;
mod substitution;
mod words;

pub use defaults::Defaults;
pub(crate) use dimensions::{merged, read as read_dimensions};
pub(crate) use limits::SIZE_MAX;
pub(crate) use substitution::{Substitution, SubstitutionErrorKind};

use limits::{ENTRIES_MAX, LINES_MAX};
use line_error::{LineErrorKind, LineErrors};
use reader::Reader;

/// Reads the text of a file, and tells every problem with its line and column. It may take
/// seconds: let a thread of its own do it.
#[must_use]
pub fn read(path: &Path, text: &str, defaults: &Defaults) -> (Vec<Entry>, Diagnostics) {
    // A file that was written on Windows begins with a mark that is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = LineErrors::new(path.to_owned());
    if let Some((number, error)) = excess(text) {
        faults.begin_line(number);
        faults.add(1, error);
        return (Vec::new(), faults.into_findings());
    }
    let mut reader = Reader::new(defaults, faults);
    for (number, line) in (1..).zip(text.lines()) {
        reader.line(number, line);
    }
    reader.finish()
}

/// The first line that is one too many. None is read then: what is not taken takes no memory.
fn excess(text: &str) -> Option<(usize, LineErrorKind)> {
    let mut entries = 0;
    for (number, line) in (1..).zip(text.lines()) {
        entries += usize::from(!words::is_idle(line) && words::assignment(line).is_none());
        if entries > ENTRIES_MAX {
            return Some((number, LineErrorKind::TooManyEntries));
        }
        if number > LINES_MAX {
            return Some((number, LineErrorKind::TooManyLines));
        }
    }
    None
}

#[cfg(test)]
mod tests;
