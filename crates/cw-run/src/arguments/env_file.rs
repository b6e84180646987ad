//! Files of variables, as `docker run --env-file` takes them.

use std::fs::File;
use std::io::{self, Read};

/// The longest file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnvFileError {
    #[error("cannot be read, write the path of a file of lines NAME=VALUE")]
    Read { source: io::Error },
    #[error("is no regular file")]
    Kind,
    #[error("is longer than {FILE_MAX} bytes")]
    TooLong,
    #[error("is not UTF-8")]
    NotText,
}

/// The lines that name variables.
pub(super) fn read(path: &str) -> Result<Vec<String>, EnvFileError> {
    let source = |source| EnvFileError::Read { source };
    // What is no regular file may block for ever, so it is asked for before it is opened.
    if !std::fs::metadata(path).map_err(source)?.is_file() {
        return Err(EnvFileError::Kind);
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(source)?
        .take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(source)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(EnvFileError::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|_| EnvFileError::NotText)?;
    Ok(lines(&text))
}

fn lines(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim_start);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_passed_over() {
        assert_eq!(
            lines("\u{feff}# x\n\n  A=1 # no comment\r\nB\n"),
            ["A=1 # no comment", "B"]
        );
    }
}
