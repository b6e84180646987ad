//! `file:/path` and `file:/path#/json/pointer`: a number that another program
//! leaves in a file.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::OFlags;

use super::one_at_a_time::OneAtATime;
use super::{NumberError, READ_MAX, Sampling, Source, Tick, json, number};
use crate::metric::Value;
use crate::text::{excerpt, excerpt_bytes};

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    pointer: Option<json::Pointer>,
    /// A file on a dead mount hangs its reader; one is enough.
    reading: OneAtATime<io::Result<Vec<u8>>>,
}

/// Why a text names no file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseFileError {
    #[error("the path {given:?} is not absolute, write file:/path/to/file")]
    NotAbsolute { given: String },
    #[error(transparent)]
    Pointer(#[from] json::ParsePointerError),
}

/// Why a file gave no value.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the thread that read {path} ended in disorder")]
    Thread {
        path: PathBuf,
        source: tokio::task::JoinError,
    },
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
            return Err(ParseFileError::NotAbsolute {
                given: excerpt(path),
            });
        }
        Ok(Self {
            path: path.into(),
            pointer,
            reading: OneAtATime::default(),
        })
    }
}

impl File {
    async fn value(&self) -> Result<Value, FileError> {
        let path = || self.path.clone();
        let file = path();
        let bytes = self.reading.run(move || read(&file)).await;
        let bytes = bytes.map_err(|source| FileError::Thread {
            path: path(),
            source,
        })?;
        let bytes = bytes.map_err(|source| FileError::Read {
            path: path(),
            source,
        })?;
        if bytes.len() > READ_MAX {
            return Err(FileError::TooLong { path: path() });
        }
        let text = String::from_utf8(bytes).map_err(|error| FileError::NotText {
            path: path(),
            read: excerpt_bytes(error.as_bytes()),
        })?;
        match &self.pointer {
            Some(pointer) => pointer.number_in(&text).map_err(|source| FileError::Json {
                path: path(),
                source,
            }),
            None => number(&text).map_err(|source| FileError::Number {
                path: path(),
                source,
            }),
        }
    }
}

/// Reads one byte more than is allowed, so that "too long" can be told. A pipe that
/// nobody writes to is read as empty and does not hang.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the type differs between systems"
    )]
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    let file = options.read(true).custom_flags(nonblocking).open(path)?;
    let mut bytes = Vec::new();
    file.take(READ_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Source for File {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value().await?.into()) })
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
        match source.value().await {
            Ok(value) => Ok(value.get()),
            Err(error) => Err(crate::telemetry::chain(&error)),
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

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn pipe_that_nobody_writes_to_does_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let source: File = path.display().to_string().parse().unwrap();
        let error = crate::telemetry::chain(&source.value().await.unwrap_err());
        assert!(error.contains("expected a number, read \"\""), "{error}");
    }

    #[test]
    fn relative_path_is_refused() {
        assert!("queue".parse::<File>().is_err());
        assert!("/queue#a".parse::<File>().is_err());
    }
}
