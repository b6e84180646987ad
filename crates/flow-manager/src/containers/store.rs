//! What flow-manager keeps on disk: whose containers are its own, and what was last asked of
//! each.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::flow::{FlowFolder, FolderError};
use crate::model::ContainerConfig;
use crate::time::Moment;

/// The folders of the containers.
const CONTAINERS: &str = "c";
const INSTANCE: &str = "instance";
const ENGINE: &str = "engine";
/// An engine's id is a fingerprint or a UUID.
const ENGINE_ID_MAX: u64 = 256;
const LOCK: &str = "lock";
const RECORD: &str = "state.json";
/// A request has 2 MiB at most, of which escapes can make six times as much.
const RECORD_MAX: u64 = 16 * 1024 * 1024;
/// Most folders that are looked at: more than there are containers, and what was being created.
const FOLDERS_MAX: usize = 10_000;

/// Why the folder of the state cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("another flow-manager uses {}", .path.display())]
    Locked { path: PathBuf, source: io::Error },
    #[error("{} has more than {FOLDERS_MAX} folders", .path.display())]
    TooMany { path: PathBuf },
    #[error("{} holds no id: it was written by something else", .path.display())]
    Instance { path: PathBuf },
    #[error("read {}", .path.display())]
    Record {
        path: PathBuf,
        source: serde_json::Error,
    },
}

/// What was last asked of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Wish {
    Create,
    Start,
    Stop,
    Restart,
    Pause,
    Unpause,
    Update,
}

/// What is known of a container while flow-manager is away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Record {
    /// The engine is being asked for it. Whoever asked for it got no answer yet.
    Creating,
    Created(Box<CreatedRecord>),
}

/// What is known of a container that was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CreatedRecord {
    pub id: String,
    pub name: String,
    pub created: Moment,
    pub wish: Wish,
    pub config: ContainerConfig,
}

/// The folder of the state. Its methods work on the disk.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    instance: String,
    /// Locked as long as this lives.
    _lock: File,
}

impl Store {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let private = |path: &Path| {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            let made = made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)));
            made.map_err(|error| FolderError::new("make", path, error))
        };
        private(root)?;
        // What is mounted into containers is named to the engine: no link may stand in it.
        let root = fs::canonicalize(root).map_err(|error| FolderError::new("find", root, error))?;
        private(&root.join(CONTAINERS))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path);
        let lock = lock.map_err(|error| FolderError::new("open", &path, error))?;
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            let source = error.into();
            return Err(StoreError::Locked { path: root, source });
        }
        Ok(Self {
            instance: instance(&root.join(INSTANCE))?,
            root,
            _lock: lock,
        })
    }

    /// The id of this flow-manager: a UUID that stays the same.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The folder of the state.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of this name, whether it is there or not.
    #[must_use]
    pub fn folder(&self, name: &str) -> FlowFolder {
        FlowFolder::at(self.root.join(CONTAINERS).join(name))
    }

    /// Makes a folder of a new name, whose container is being created.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn begin(&self) -> Result<String, FolderError> {
        let name = format!("{:016x}", rand::random::<u64>());
        let folder = self.folder(&name);
        let written = folder
            .create()
            .and_then(|()| self.write(&name, &Record::Creating));
        if written.is_err() {
            // The disk may be full; what is left is an empty folder at most.
            let _ = folder.remove();
        }
        written.map(|()| name)
    }

    /// Writes what is known of a container.
    ///
    /// # Errors
    ///
    /// [`FolderError`]; what stood there before still does.
    pub fn write(&self, name: &str, record: &Record) -> Result<(), FolderError> {
        let path = self.folder(name).path().join(RECORD);
        let text = serde_json::to_vec(record).expect("its keys are texts");
        replace(&path, &text)
    }

    /// What is known of a container; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn read(&self, name: &str) -> Result<Option<Record>, StoreError> {
        let path = self.folder(name).path().join(RECORD);
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(RECORD_MAX).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FolderError::new("read", &path, error).into()),
        }
        let record = serde_json::from_slice(&text);
        record
            .map(Some)
            .map_err(|source| StoreError::Record { path, source })
    }

    /// The names of all folders.
    ///
    /// # Errors
    ///
    /// [`StoreError`], also if there are too many.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let path = self.root.join(CONTAINERS);
        let failed = |error| FolderError::new("list", &path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            if names.len() == FOLDERS_MAX {
                return Err(StoreError::TooMany { path });
            }
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string()
                && is_folder_name(&name)
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Store {
    /// The id of the engine that has our containers, if one was there yet.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn engine(&self) -> Result<Option<String>, FolderError> {
        let path = self.root.join(ENGINE);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(ENGINE_ID_MAX).read_to_string(&mut text))
        {
            Ok(_) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FolderError::new("read", &path, error)),
        }
    }

    /// Remembers the engine.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn set_engine(&self, id: &str) -> Result<(), FolderError> {
        replace(&self.root.join(ENGINE), id.as_bytes())
    }
}

/// Whether a label's text can be a folder of ours: it becomes part of a path.
fn is_folder_name(name: &str) -> bool {
    name.len() == 16
        && name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Writes a file that is whole at any moment. It is not flushed: after a loss of power no
/// container runs, and one whose file is damaged is left alone.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<(), FolderError> {
    let new = path.with_extension("new");
    let failed = |error| FolderError::new("write", path, error);
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new);
    let written = file
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map_err(failed)
}

fn instance(path: &Path) -> Result<String, StoreError> {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(64).read_to_string(&mut text)) {
        Ok(_) => {
            let id = text.trim();
            let is_id = id.len() == 36
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            let path = path.to_owned();
            is_id
                .then(|| id.to_owned())
                .ok_or(StoreError::Instance { path })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = uuid(rand::random());
            replace(path, id.as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(FolderError::new("read", path, error).into()),
    }
}

/// A random UUID, version 4 of RFC 9562.
fn uuid(random: u128) -> String {
    let bits = (random & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn state_is_private_and_stays() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a/state");
        let store = Store::open(&root).unwrap();
        let instance = store.instance().to_owned();
        let name = store.begin().unwrap();
        assert_eq!(store.read(&name).unwrap(), Some(Record::Creating));
        let record = Record::Created(Box::new(CreatedRecord {
            id: "1".to_owned(),
            name: "a1".to_owned(),
            created: "2026-11-21T10:00:00.123Z".parse().unwrap(),
            wish: Wish::Start,
            config: ContainerConfig {
                image: "flow:1".to_owned(),
                ..ContainerConfig::default()
            },
        }));
        store.write(&name, &record).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&store.folder(&name).path().join(RECORD)), 0o600);
        assert!(matches!(Store::open(&root), Err(StoreError::Locked { .. })));
        drop(store);
        let store = Store::open(&root).unwrap();
        assert_eq!(store.instance(), instance);
        assert_eq!(store.names().unwrap(), [&*name]);
        assert_eq!(store.read(&name).unwrap(), Some(record));
        fs::write(store.folder(&name).path().join(RECORD), "{").unwrap();
        assert!(matches!(store.read(&name), Err(StoreError::Record { .. })));
        assert_eq!(store.read("0123456789abcdef").unwrap(), None);
    }

    #[test]
    fn folders_that_are_too_many_are_not_passed_over() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        for number in 0..FOLDERS_MAX {
            let folder = store.folder(&format!("{number:016x}"));
            fs::create_dir(folder.path()).unwrap();
        }
        assert_eq!(store.names().unwrap().len(), FOLDERS_MAX);
        fs::create_dir(store.folder(&"f".repeat(16)).path()).unwrap();
        assert!(matches!(store.names(), Err(StoreError::TooMany { .. })));
    }

    #[test]
    fn engine_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        assert_eq!(store.engine().unwrap(), None);
        store.set_engine("A:B").unwrap();
        assert_eq!(store.engine().unwrap().as_deref(), Some("A:B"));
    }

    #[test]
    fn ids_are_of_version_4() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn folder_name_leads_nowhere_else(name in "[0-9a-fA-F./]{0,20}") {
            if is_folder_name(&name) {
                prop_assert!(!name.contains(['.', '/']));
            }
        }
    }
}
