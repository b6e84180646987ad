//! What is wrong with the configuration, and where.

use std::fmt;
use std::path::PathBuf;

use diagnostics::{given, one_line, shown_path};

/// One thing that is wrong: where, and what would be right. It never holds the text of a
/// place where a secret may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting or the line.
    pub place: Place,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An environment variable.
    Setting(String),
    /// A line of the crontab; both counts begin with 1.
    Line {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The character in the line.
        column: usize,
    },
}

impl Problem {
    pub(super) fn new(place: Place, message: impl fmt::Display) -> Self {
        let message = one_line(&message.to_string());
        Self { place, message }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(name) => f.write_str(&one_line(name)),
            Self::Line { file, line, column } => {
                write!(f, "{}:{line}:{column}", shown_path(file))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that reading the configuration found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What keeps the publisher from starting.
    pub problems: Vec<Problem>,
    /// What is suspicious but harmless.
    pub warnings: Vec<Problem>,
}

impl Findings {
    pub(super) fn problem(&mut self, setting: &str, message: impl fmt::Display) {
        self.problems.push(at_setting(setting, message));
    }

    /// Of a setting that has no place for a secret; `text` is what was given.
    pub(super) fn refused(&mut self, setting: &str, text: &str, error: impl fmt::Display) {
        self.problem(setting, format!("{}{error}", given(text)));
    }

    pub(super) fn warning(&mut self, setting: &str, message: impl fmt::Display) {
        self.warnings.push(at_setting(setting, message));
    }
}

fn at_setting(setting: &str, message: impl fmt::Display) -> Problem {
    Problem::new(Place::Setting(setting.to_owned()), message)
}
