//! What is wrong with the configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong: where, and what would be right.
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
        /// What stands there.
        text: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(name) => f.write_str(name),
            Self::Line {
                file, line, column, ..
            } => write!(f, "{}:{line}:{column}", file.display()),
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

    pub(super) fn warning(&mut self, setting: &str, message: impl fmt::Display) {
        self.warnings.push(at_setting(setting, message));
    }
}

fn at_setting(setting: &str, message: impl fmt::Display) -> Problem {
    Problem {
        place: Place::Setting(setting.to_owned()),
        message: message.to_string(),
    }
}
