//! What is wrong with the configuration, and where.

use std::fmt;
use std::path::PathBuf;

use diagnostics::{given, one_line, shown_path};
use tracing::{error, warn};

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
    /// A line of a file; both counts begin with 1.
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
    /// A problem, on one line.
    pub fn new(place: Place, message: impl fmt::Display) -> Self {
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
pub struct Diagnostics {
    /// What keeps the program from starting.
    pub problems: Vec<Problem>,
    /// What is suspicious but harmless.
    pub warnings: Vec<Problem>,
}

impl Diagnostics {
    /// Something that keeps the program from starting.
    pub fn problem(&mut self, setting: &str, message: impl fmt::Display) {
        self.problems.push(at_setting(setting, message));
    }

    /// A problem of a setting that has no place for a secret; `text` is what was given.
    pub fn refused(&mut self, setting: &str, text: &str, error: impl fmt::Display) {
        self.problem(setting, format!("{}{error}", given(text)));
    }

    /// Something suspicious.
    pub fn warning(&mut self, setting: &str, message: impl fmt::Display) {
        self.warnings.push(at_setting(setting, message));
    }

    /// Logs one line for each problem and each warning.
    pub fn log(&self) {
        log_warnings(&self.warnings);
        log_problems(&self.problems, "invalid configuration");
    }
}

/// Logs one line for each warning.
pub fn log_warnings(warnings: &[Problem]) {
    for warning in warnings {
        warn!(
            setting = %warning.place,
            problem = warning.message,
            "configuration looks wrong"
        );
    }
}

/// Logs one line for each problem.
pub fn log_problems(problems: &[Problem], message: &'static str) {
    for Problem {
        place,
        message: problem,
    } in problems
    {
        error!(setting = %place, problem, "{message}");
    }
}

fn at_setting(setting: &str, message: impl fmt::Display) -> Problem {
    Problem::new(Place::Setting(setting.to_owned()), message)
}
