//! Where a crontab stands: in a file, or in a variable where no file can be mounted.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use aws_connection::{FileRead, unreadable};
use diagnostics::shown_path;
use settings::{Diagnostics, Environment};

use super::crontab::SIZE_MAX;
use super::setting::{CRONTAB, CRONTAB_CONTENT};

/// Where a crontab stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrontabOrigin {
    /// In a file, which can be read again.
    File(PathBuf),
    /// In `CRONTAB_CONTENT`; the environment of a process does not change.
    Variable,
}

impl CrontabOrigin {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Variable => None,
        }
    }

    /// What stands before the number of a line.
    pub(super) fn place(&self) -> &Path {
        self.file()
            .unwrap_or_else(|| Path::new(CRONTAB_CONTENT.name))
    }

    /// The crontab that counts, and its text or why there is none. One that was asked for
    /// in two places is refused; a file that merely stands at the default place gives way.
    pub(super) fn choose<'a>(
        environment: &'a Environment,
        file: Option<&'a FileRead<String>>,
        findings: &mut Diagnostics,
    ) -> Option<(Self, Result<&'a str, CrontabError>)> {
        let Some(content) = environment.whole(CRONTAB_CONTENT.name) else {
            let (path, content) = file?;
            let text = content.as_ref().map(String::as_str);
            let origin = Self::File(path.clone());
            return Some((origin, text.map_err(|error| CrontabError::new(path, error))));
        };
        if environment.get(CRONTAB).is_some() {
            let message = "is set beside CRONTAB, and only one of them can count; leave one out";
            findings.problem(CRONTAB_CONTENT.name, message);
        } else if let Some((path, _)) = file {
            let message = format!("is used, and {} is not", shown_path(path));
            findings.warning(CRONTAB_CONTENT.name, message);
        }
        let text = if content.len() > SIZE_MAX {
            Err(CrontabError::TooLong)
        } else {
            Ok(content)
        };
        Some((Self::Variable, text))
    }
}

impl fmt::Display for CrontabOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().display().fmt(f)
    }
}

/// Why there is no text of a crontab.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum CrontabError {
    #[error("{0}")]
    Unreadable(String),
    #[error("it is longer than {SIZE_MAX} bytes, the most that is read")]
    TooLong,
}

impl CrontabError {
    fn new(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable(unreadable(path, error))
    }

    /// The variable that it is told of.
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => CRONTAB.name,
            Self::TooLong => CRONTAB_CONTENT.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let pairs = variables.iter().map(|(n, v)| (n.into(), v.into()));
        pairs.collect()
    }

    #[test]
    fn content_is_taken_before_a_file_that_nobody_named() {
        let file = ("/etc/cw-publisher/crontab".into(), Ok("file".to_owned()));
        let mut findings = Diagnostics::default();
        let environment = environment(&[("CRONTAB_CONTENT", "\n content")]);
        let chosen = CrontabOrigin::choose(&environment, Some(&file), &mut findings);
        assert_eq!(chosen, Some((CrontabOrigin::Variable, Ok("\n content"))));
        assert_eq!(findings.problems, []);
        assert_eq!(
            findings.warnings[0].to_string(),
            "CRONTAB_CONTENT: is used, and /etc/cw-publisher/crontab is not"
        );
    }

    #[test]
    fn blank_content_is_none() {
        let file = ("/crontab".into(), Ok("file".to_owned()));
        let mut findings = Diagnostics::default();
        let environment = environment(&[("CRONTAB_CONTENT", " \n")]);
        let chosen = CrontabOrigin::choose(&environment, Some(&file), &mut findings);
        let expected = CrontabOrigin::File("/crontab".into());
        assert_eq!(chosen, Some((expected, Ok("file"))));
        assert_eq!(findings, Diagnostics::default());
    }

    #[test]
    fn longest_content_is_taken_and_a_longer_one_refused() {
        for (length, expected) in [
            (SIZE_MAX, None),
            (SIZE_MAX + 1, Some(CrontabError::TooLong)),
        ] {
            let text = "#".repeat(length);
            let environment = environment(&[("CRONTAB_CONTENT", &text)]);
            let mut findings = Diagnostics::default();
            let chosen = CrontabOrigin::choose(&environment, None, &mut findings);
            assert_eq!(chosen.unwrap().1.err(), expected, "{length}");
        }
    }
}
