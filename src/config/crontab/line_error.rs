//! What is wrong with a crontab: every problem is counted, so many are told, and none of
//! them says what stands in the line, for any line may hold a secret.

use std::fmt::Display;
use std::path::PathBuf;

use diagnostics::{Hidden, did_you_mean, nearest};
use settings::{Place, Problem};

use super::limits::{ENTRIES_MAX, KEYS, LINE_MAX, LINES_MAX, VARIABLES};

/// A file of so many lines is a mistake; this many problems tell enough of it.
pub(super) const PROBLEMS_MAX: usize = 100;

/// Why a line is refused, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineErrorKind {
    #[error(
        "this variable is not known here{} a crontab may set {}",
        did_you_mean(nearest(.given.as_str(), VARIABLES.iter().copied())),
        VARIABLES.join(", ")
    )]
    Variable { given: Hidden },
    #[error(
        "this key is not known{} the keys are {}",
        did_you_mean(nearest(.given.as_str(), KEYS.iter().copied())),
        KEYS.join(", ")
    )]
    Key { given: Hidden },
    #[error("expected key=value; quote a value that has spaces, key=\"a b\"")]
    NotAPair,
    #[error("{key} has no effect here, it is for {kinds}; leave it out")]
    Idle {
        key: &'static str,
        kinds: &'static str,
    },
    #[error("{key} is given twice, give it once")]
    Twice { key: &'static str },
    #[error("{key} is missing, a line needs a schedule, name=... and value=...")]
    Missing { key: &'static str },
    #[error(
        "no schedule stands before this, begin the line with five fields, for example * * * * * name=..."
    )]
    NoSchedule,
    #[error("the quote {quote} is not closed")]
    OpenQuote { quote: char },
    #[error("nothing follows the backslash")]
    OpenEscape,
    #[error("the line has more than {LINE_MAX} bytes, the most that is read")]
    LongLine,
    #[error("the crontab has more than {LINES_MAX} lines, none is read")]
    TooManyLines,
    #[error("the crontab has more than {ENTRIES_MAX} metrics, none is read")]
    TooManyEntries,
    #[error("and {count} more problems, which are not shown")]
    More { count: usize },
    #[error("the crontab has no metric line, add one such as: * * * * * name=Heartbeat value=1")]
    NoEntry,
}

/// What is wrong with a word or with the whole line that it stands in.
#[derive(Debug)]
pub(super) struct LineError {
    pub(super) column: usize,
    pub(super) error: LineErrorKind,
}

impl LineError {
    pub(super) fn new(column: usize, error: LineErrorKind) -> Self {
        Self { column, error }
    }
}

/// The problems of a file, of which the first are told.
pub(super) struct LineErrors {
    file: PathBuf,
    /// The line that is being read, from 1.
    line: usize,
    problems: Vec<Problem>,
    in_line: usize,
    /// Where the first that is not told is, and how many there are.
    more: Option<(Place, usize)>,
}

impl LineErrors {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            line: 1,
            problems: Vec::new(),
            in_line: 0,
            more: None,
        }
    }

    pub(super) fn begin_line(&mut self, line: usize) {
        self.line = line;
        self.in_line = 0;
    }

    /// The message is only made if it is told: it may name the nearest of 600 time zones.
    pub(super) fn add(&mut self, column: usize, error: impl Display) {
        self.in_line += 1;
        if let Some((_, count)) = &mut self.more {
            *count += 1;
        } else if self.problems.len() == PROBLEMS_MAX {
            self.more = Some((self.place(column), 1));
        } else {
            let place = self.place(column);
            self.problems.push(Problem::new(place, error));
        }
    }

    pub(super) fn has_line(&self) -> bool {
        self.in_line > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems;
        let more = self.more;
        problems
            .extend(more.map(|(place, count)| Problem::new(place, LineErrorKind::More { count })));
        problems
    }

    fn place(&self, column: usize) -> Place {
        Place::Line {
            file: self.file.clone(),
            line: self.line,
            column,
        }
    }
}
