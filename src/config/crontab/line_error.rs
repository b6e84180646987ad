//! What is wrong with a crontab: every problem is counted, so many are told, and none of
//! them says what stands in the line, for any line may hold a secret.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use diagnostics::{Hidden, did_you_mean, nearest};
use settings::{Diagnostics, Place, Problem};

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
    #[error(
        "line {first} publishes the same metric at the same moments; CloudWatch adds the values up, leave one line out or give it a dimension"
    )]
    Repeated { first: usize },
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

/// What was found in a file, of which the first is told.
pub(super) struct LineErrors {
    file: PathBuf,
    /// The line that is being read, from 1.
    line: usize,
    in_line: usize,
    problems: Told,
    warnings: Told,
}

/// The first of many.
#[derive(Default)]
struct Told {
    first: Vec<Problem>,
    /// Where the first that is not told is, and how many there are.
    more: Option<(Place, usize)>,
}

impl Told {
    /// The message is only made if it is told: it may name the nearest of 600 time zones.
    fn add(&mut self, place: impl FnOnce() -> Place, error: impl Display) {
        if let Some((_, count)) = &mut self.more {
            *count += 1;
        } else if self.first.len() == PROBLEMS_MAX {
            self.more = Some((place(), 1));
        } else {
            self.first.push(Problem::new(place(), error));
        }
    }

    fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.first;
        let more = self.more;
        problems
            .extend(more.map(|(place, count)| Problem::new(place, LineErrorKind::More { count })));
        problems
    }
}

impl LineErrors {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            line: 1,
            in_line: 0,
            problems: Told::default(),
            warnings: Told::default(),
        }
    }

    pub(super) fn begin_line(&mut self, line: usize) {
        self.line = line;
        self.in_line = 0;
    }

    /// A problem of the line that is being read.
    pub(super) fn add(&mut self, column: usize, error: impl Display) {
        self.in_line += 1;
        let (file, line) = (&self.file, self.line);
        self.problems.add(|| place(file, line, column), error);
    }

    /// What looks wrong in the line that is being read.
    pub(super) fn warn(&mut self, column: usize, what: impl Display) {
        let (file, line) = (&self.file, self.line);
        self.warnings.add(|| place(file, line, column), what);
    }

    pub(super) fn has_line(&self) -> bool {
        self.in_line > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.first.is_empty()
    }

    pub(super) fn into_findings(self) -> Diagnostics {
        Diagnostics {
            problems: self.problems.into_problems(),
            warnings: self.warnings.into_problems(),
        }
    }
}

fn place(file: &Path, line: usize, column: usize) -> Place {
    Place::Line {
        file: file.to_owned(),
        line,
        column,
    }
}
