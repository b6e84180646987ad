//! `file:/path` and `file:/path#/json/pointer`: a number that another program
//! leaves in a file.

use std::path::PathBuf;
use std::str::FromStr;

use tokio::io::AsyncReadExt;

use super::{NumberError, READ_MAX, Sampling, Source, Tick, json, number};
use crate::metric::Value;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    path: PathBuf,
    pointer: Option<json::Pointer>,
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
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is longer than {READ_MAX} bytes")]
    TooLong { path: PathBuf },
    #[error("{path} is not UTF-8 text")]
    NotText { path: PathBuf },
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
                given: crate::text::excerpt(path),
            });
        }
        Ok(Self {
            path: path.into(),
            pointer,
        })
    }
}

impl File {
    async fn value(&self) -> Result<Value, FileError> {
        let path = || self.path.clone();
        let bytes = self.read().await.map_err(|source| FileError::Read {
            path: path(),
            source,
        })?;
        if bytes.len() > READ_MAX {
            return Err(FileError::TooLong { path: path() });
        }
        let text = String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path() })?;
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

    /// Reads one byte more than is allowed, so that "too long" can be told.
    async fn read(&self) -> std::io::Result<Vec<u8>> {
        let file = tokio::fs::File::open(&self.path).await?;
        let mut bytes = Vec::new();
        let limit = READ_MAX as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }
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

    #[test]
    fn relative_path_is_refused() {
        assert!("queue".parse::<File>().is_err());
        assert!("/queue#a".parse::<File>().is_err());
    }
}
