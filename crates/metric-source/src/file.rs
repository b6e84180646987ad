//! `file:/path` and `file:/path#/json/pointer`: a number that another program
//! leaves in a file.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use blocking_io::Files;
use cloudwatch_metric::Value;
use diagnostics::redacted_prefix_bytes;

use super::computing::{self, Stopped};
use super::{NumberError, READ_MAX, Sampling, Source, Tick, json, number};

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    pointer: Option<json::Pointer>,
}

/// Why a text names no file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseFileError {
    #[error("the path is not absolute, write file:/path/to/file")]
    NotAbsolute,
    #[error(transparent)]
    Pointer(#[from] json::ParsePointerError),
}

/// Why a file gave no value.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("read {path}")]
    Read {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error(
        "read {path}: what is no regular file is not waited for; have the number written to \
         a file, or printed by an exec: source"
    )]
    NotRegular {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error("the content of {path}")]
    Stopped { path: PathBuf, source: Stopped },
    #[error("{path} is longer than {READ_MAX} bytes")]
    TooLong { path: PathBuf },
    #[error("{path} is not UTF-8 text, read \"{read}\"")]
    NotText { path: PathBuf, read: String },
    #[error("the content of {path}")]
    Number { path: PathBuf, source: NumberError },
    #[error("the content of {path}")]
    Json {
        path: PathBuf,
        source: json::JsonError,
    },
}

impl FromStr for File {
    type Err = ParseFileError;

    fn from_str(text: &str) -> Result<Self, ParseFileError> {
        let (path, pointer) = json::split_pointer(text)?;
        if !path.starts_with('/') {
            return Err(ParseFileError::NotAbsolute);
        }
        Ok(Self {
            path: path.into(),
            pointer,
        })
    }
}

impl File {
    async fn value(&self, files: &Files) -> Result<Value, FileError> {
        let path = || self.path.clone();
        let bytes = files.read(&self.path, READ_MAX).await;
        let bytes = bytes.map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => FileError::TooLong { path: path() },
            io::ErrorKind::InvalidInput => FileError::NotRegular {
                path: path(),
                source,
            },
            _ => FileError::Read {
                path: path(),
                source,
            },
        })?;
        let (path, pointer) = (path(), self.pointer.clone());
        let number = computing::by_size(bytes.len(), move |_| {
            number_in(&bytes, path, pointer.as_ref())
        });
        number.await.map_err(|source| FileError::Stopped {
            path: self.path.clone(),
            source,
        })?
    }
}

fn number_in(
    bytes: &[u8],
    path: PathBuf,
    pointer: Option<&json::Pointer>,
) -> Result<Value, FileError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let read = redacted_prefix_bytes(bytes);
        return Err(FileError::NotText { path, read });
    };
    match pointer {
        Some(pointer) => pointer
            .number_in(text)
            .map_err(|source| FileError::Json { path, source }),
        None => number(text).map_err(|source| FileError::Number { path, source }),
    }
}

impl Source for File {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value(&tick.resources.files).await?.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(content: &[u8], pointer: &str) -> Result<f64, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let source: File = format!("{}{pointer}", file.path().display())
            .parse()
            .unwrap();
        match source.value(&Files::default()).await {
            Ok(value) => Ok(value.get()),
            Err(error) => Err(diagnostics::chain(&error)),
        }
    }

    #[tokio::test]
    async fn number_in_a_file_is_read() {
        assert_eq!(read(b" 17\n", "").await, Ok(17.0));
        assert_eq!(read(br#"{"a":[1,2.5]}"#, "#/a/1").await, Ok(2.5));
    }

    #[tokio::test]
    async fn garbage_is_refused_and_shown() {
        let error = read(b"full\x07", "").await.unwrap_err();
        assert!(
            error.contains(r#"expected a number, read "full\u{7}""#),
            "{error}"
        );
        assert!(read(b"\xff", "").await.unwrap_err().contains("UTF-8"));
        let long = vec![b'1'; READ_MAX + 1];
        assert!(read(&long, "").await.unwrap_err().contains("longer than"));
        assert!(read(b"NaN", "").await.unwrap_err().contains("finite"));
    }

    #[tokio::test]
    async fn pipe_is_refused_with_what_would_be_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let source: File = path.display().to_string().parse().unwrap();
        let error = source.value(&Files::default()).await.unwrap_err();
        let error = diagnostics::chain(&error);
        assert!(error.contains("it is a pipe"), "{error}");
        assert!(error.contains("exec:"), "{error}");
    }

    #[test]
    fn relative_path_is_refused() {
        assert!("queue".parse::<File>().is_err());
        assert!("/queue#a".parse::<File>().is_err());
    }
}
