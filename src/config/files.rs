//! The files and folders that settings name: what is wrong with what was found there.

use std::io;
use std::path::PathBuf;

use aws_connection::FileRead;
use diagnostics::shown_path;
use settings::Diagnostics;

use super::setting;

/// Why a text is no path of a file of headers, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no absolute path, name a file, for example /run/secrets/headers, in which the headers stand"
)]
pub(super) struct HeadersFileError;

/// Reads the path of a file of headers. One of them in its place would be a secret in the
/// place of a path, which is shown.
pub(super) fn headers_file(text: &str) -> Result<PathBuf, HeadersFileError> {
    if text.starts_with('/') {
        Ok(PathBuf::from(text))
    } else {
        Err(HeadersFileError)
    }
}

/// The folder where held points survive a restart.
pub(super) fn spool_dir(
    asked: Option<&FileRead<()>>,
    findings: &mut Diagnostics,
) -> Option<PathBuf> {
    let (dir, usable) = asked?;
    let error = match usable {
        Ok(()) => return Some(dir.clone()),
        Err(error) => error,
    };
    let dir = shown_path(dir);
    let problem = match error.kind() {
        io::ErrorKind::NotFound => {
            format!("{dir} does not exist, create it or mount a volume there")
        }
        io::ErrorKind::NotADirectory => {
            format!("{dir} is not a folder, create one or mount a volume there")
        }
        _ => format!(
            "cannot write to {dir}: {error}; make it writable for the user that this process runs as"
        ),
    };
    findings.problem(setting::SPOOL_DIR.name, problem);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_that_cannot_be_used_is_told_with_what_would_be_right() {
        for (kind, expected) in [
            (io::ErrorKind::NotFound, "does not exist, create it"),
            (io::ErrorKind::NotADirectory, "is not a folder, create one"),
            (io::ErrorKind::PermissionDenied, "make it writable"),
            (io::ErrorKind::ReadOnlyFilesystem, "make it writable"),
        ] {
            let mut findings = Diagnostics::default();
            let asked = ("/spool".into(), Err(kind.into()));
            assert_eq!(spool_dir(Some(&asked), &mut findings), None);
            let problem = findings.problems[0].to_string();
            assert!(problem.starts_with("SPOOL_DIR: "), "{problem}");
            assert!(
                problem.contains("/spool") && problem.contains(expected),
                "{problem}"
            );
        }
    }
}
