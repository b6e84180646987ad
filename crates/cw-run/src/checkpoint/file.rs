//! The file of a checkpoint: one JSON document, replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CheckpointError, check};

/// The longest file that is read, in bytes: as many containers as there may be fit into it.
const FILE_MAX: u64 = 1 << 20;
const VERSION: u32 = 1;
const WORD_MAX: usize = 128;

/// What is in the file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    version: u32,
    /// What the run's arguments were.
    pub(super) arguments: String,
    /// What its container is marked with.
    pub(super) run: String,
    /// Of each container the place up to which its log was accepted.
    pub(super) containers: BTreeMap<String, String>,
    /// How the run ended.
    pub(super) exit_code: Option<u8>,
}

impl Content {
    pub(super) fn new(arguments: String, run: String) -> Self {
        Self {
            version: VERSION,
            arguments,
            run,
            containers: BTreeMap::new(),
            exit_code: None,
        }
    }
}

/// Keeps other processes from the same file for as long as it is there.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "the kernel unlocks it when it is closed")] File,
);

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, CheckpointError> {
        let lock_path = beside(path, ".lock");
        let failed = |source| CheckpointError::File {
            operation: "lock",
            path: lock_path.clone(),
            source,
        };
        let options = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .to_owned();
        let file = options.open(&lock_path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(CheckpointError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Another file in the same folder.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What is in the file; nothing if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Content>, CheckpointError> {
    let failed = |source| CheckpointError::File {
        operation: "read",
        path: path.to_owned(),
        source,
    };
    let damaged = |reason: String| CheckpointError::Damaged {
        path: path.to_owned(),
        reason,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        // A pipe may have no end.
        Ok(found) if !found.is_file() => return Err(damaged("no regular file".to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(damaged(format!("more than {FILE_MAX} bytes")));
    }
    parse(&bytes).map(Some).map_err(damaged)
}

/// What these bytes say. The errors hold no text of theirs.
pub(super) fn parse(bytes: &[u8]) -> Result<Content, String> {
    let content: Content = serde_json::from_slice(bytes).map_err(|error| {
        format!(
            "no such document, at line {} column {}",
            error.line(),
            error.column()
        )
    })?;
    if content.version != VERSION {
        return Err(format!(
            "version {}, this program knows {VERSION}",
            content.version
        ));
    }
    let is_word = |text: &str| {
        text.len() <= WORD_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if !is_word(&content.arguments) || !is_word(&content.run) {
        return Err("a field is none".to_owned());
    }
    check(&content.containers)?;
    Ok(content)
}

/// Replaces the file: whatever happens, there is the old one or the new one.
pub(super) fn write(path: &Path, content: &Content) -> Result<(), CheckpointError> {
    let new = beside(path, ".new");
    let failed = |operation| {
        move |source| CheckpointError::File {
            operation,
            path: path.to_owned(),
            source,
        }
    };
    let json = serde_json::to_vec(content).map_err(|error| failed("write")(error.into()))?;
    let options = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .to_owned();
    let mut file = options.open(&new).map_err(failed("create"))?;
    file.write_all(&json).map_err(failed("write"))?;
    file.sync_all().map_err(failed("flush"))?;
    fs::rename(&new, path).map_err(failed("replace"))?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("flush the folder of"))
}
