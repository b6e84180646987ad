//! The kernel's files. Reading them takes microseconds and never waits for a disk,
//! so it is done in place.

use std::fmt::Display;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use diagnostics::redacted_prefix;

use super::error::HostError;
use crate::READ_MAX;

/// Where the kernel's file systems are mounted.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) proc: PathBuf,
    pub(super) sys: PathBuf,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
        }
    }
}

/// One file that was read.
#[derive(Debug)]
pub(super) struct KernelFile {
    path: PathBuf,
    pub(super) text: String,
}

impl KernelFile {
    pub(super) fn read(path: PathBuf) -> Result<Self, HostError> {
        match read(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(HostError::Read { path, source }),
        }
    }

    /// The file, unless there is none: a kernel without a feature lacks its files.
    pub(super) fn read_if_there(path: PathBuf) -> Result<Option<Self>, HostError> {
        match read(&path) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HostError::Read { path, source }),
        }
    }

    /// The first word, as a number.
    pub(super) fn first<T: FromStr>(&self) -> Result<T, HostError> {
        self.text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| self.unexpected("a number"))
    }

    /// The number behind a name, as in `MemTotal: 1024 kB` and `inactive_file 4096`.
    pub(super) fn named(&self, name: &str) -> Result<u64, HostError> {
        self.text
            .lines()
            .filter_map(|line| line.split_once([':', ' ']))
            .find(|(key, _)| *key == name)
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| self.unexpected(format_args!("a number named {name}")))
    }

    pub(super) fn unexpected(&self, what: impl Display) -> HostError {
        HostError::Unexpected {
            path: self.path.clone(),
            what: what.to_string(),
            read: redacted_prefix(self.text.trim()),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(READ_MAX as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}
