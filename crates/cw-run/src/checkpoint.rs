//! What was accepted, remembered on disk: for each container up to where in its log.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use docker_client::{LogCursor, ParseCursorError, Timestamp};
use tokio::task::spawn_blocking;
use tracing::error;

mod file;

use file::{Content, Lock};

/// How many containers are followed at once.
pub const CONTAINERS_MAX: usize = 1000;
/// How many are remembered, those that have ended and are still there included. Each takes 220
/// bytes at most, and the file has a mebibyte.
const REMEMBERED_MAX: usize = 4000;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file, or its folder.
    #[error("{operation} {}", .path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process uses it.
    #[error("{} is in use by another process", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is of another run.
    #[error("{} belongs to a run with other arguments", .path.display())]
    OtherArguments {
        /// The file.
        path: PathBuf,
    },
    /// It is none.
    #[error("{} is no checkpoint: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl CheckpointError {
    /// Whether the arguments are to be mended.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::InUse { .. })
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "give a path in a folder that this user may write to",
            Self::InUse { .. } => "end the other process, or give another file",
            Self::OtherArguments { .. } => "give the same arguments as before, or another file",
            Self::Damaged { .. } => "give another file, or remove this one",
        }
    }
}

/// A checkpoint in use. Clones are the same.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the file is written: the state that is in it.
    written: tokio::sync::Mutex<u64>,
    _lock: Lock,
}

#[derive(Debug)]
struct State {
    content: Content,
    /// Grows with every change.
    version: u64,
}

impl Checkpoint {
    /// Takes up the file, or begins one for a run with these arguments. `run` names the run if
    /// it is a new one.
    ///
    /// # Errors
    ///
    /// If it belongs to another run, is damaged, in use, or cannot be written.
    pub async fn open(path: &Path, arguments: &str, run: String) -> Result<Self, CheckpointError> {
        let (file_path, arguments) = (path.to_owned(), arguments.to_owned());
        let opened = spawn_blocking(move || {
            let lock = Lock::take(&file_path)?;
            let content = match file::read(&file_path)? {
                Some(content) if content.arguments != arguments => {
                    return Err(CheckpointError::OtherArguments { path: file_path });
                }
                Some(content) => content,
                None => Content::new(arguments, run),
            };
            file::write(&file_path, &content)?;
            Ok((lock, content))
        });
        let (lock, content) = opened.await.map_err(|failure| CheckpointError::File {
            operation: "open",
            path: path.to_owned(),
            source: io::Error::other(failure),
        })??;
        let shared = Shared {
            path: path.to_owned(),
            state: Mutex::new(State {
                content,
                version: 0,
            }),
            written: tokio::sync::Mutex::new(0),
            _lock: lock,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the container of this run is marked with, so that it is found if its id never
    /// reached the file.
    #[must_use]
    pub fn run(&self) -> String {
        self.state().content.run.clone()
    }

    /// The ids of the containers in it.
    #[must_use]
    pub fn containers(&self) -> Vec<String> {
        self.state().content.containers.keys().cloned().collect()
    }

    /// How the run ended, if it came to an end with everything shipped.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        self.state().content.exit_code
    }

    /// Where to go on with a container.
    #[must_use]
    pub fn cursor(&self, id: &str) -> Option<LogCursor> {
        let text = self.state().content.containers.get(id)?.clone();
        // What was read was looked at then.
        let cursor: LogCursor = text.parse().ok()?;
        (cursor != LogCursor::default()).then_some(cursor)
    }

    /// Remembers a container.
    pub async fn begin(&self, id: &str) {
        let known = self.containers();
        if known.len() >= REMEMBERED_MAX && !known.iter().any(|known| known == id) {
            return error!(
                id,
                most = REMEMBERED_MAX,
                "checkpoint is full, a run that is killed would ship this container's lines again"
            );
        }
        self.change(|content| {
            content.containers.entry(id.to_owned()).or_default();
        })
        .await;
    }

    /// Forgets a container that is gone.
    pub async fn forget(&self, id: &str) {
        self.keep(|known| known != id).await;
    }

    /// Forgets those that are not there any more: the file would grow with each that ever was.
    pub async fn keep(&self, is_there: impl Fn(&str) -> bool) {
        if self.containers().iter().all(|id| is_there(id)) {
            return;
        }
        self.change(|content| content.containers.retain(|id, _| is_there(id)))
            .await;
    }

    /// Remembers what was accepted of a container.
    pub async fn advance(&self, id: &str, accepted: &LogCursor) {
        self.change(|content| {
            let is_full = content.containers.len() >= REMEMBERED_MAX;
            let known = match content.containers.entry(id.to_owned()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(_) if is_full => return,
                Entry::Vacant(new) => new.insert(String::new()),
            };
            let mut cursor: LogCursor = known.parse().unwrap_or_default();
            cursor.stdout = accepted.stdout.or(cursor.stdout);
            cursor.stderr = accepted.stderr.or(cursor.stderr);
            cursor.floor = accepted.floor.or(cursor.floor);
            *known = cursor.to_string();
        })
        .await;
    }

    /// Remembers that the lines of a container before this instant are not wanted.
    pub async fn remember_floor(&self, id: &str, floor: Timestamp) {
        self.change(|content| {
            if let Some(known) = content.containers.get_mut(id) {
                let mut cursor: LogCursor = known.parse().unwrap_or_default();
                cursor.floor.get_or_insert(floor);
                *known = cursor.to_string();
            }
        })
        .await;
    }

    /// Remembers how the run ended.
    pub async fn end(&self, exit_code: u8) {
        self.change(|content| content.exit_code = Some(exit_code))
            .await;
    }

    /// Changes the state, and comes back when that is in the file. A file that cannot be written
    /// is told and keeps nothing from being shipped.
    async fn change(&self, change: impl FnOnce(&mut Content)) {
        let version = {
            let mut state = self.state();
            change(&mut state.content);
            state.version += 1;
            state.version
        };
        let mut written = self.shared.written.lock().await;
        if *written >= version {
            return;
        }
        let (content, version) = {
            let state = self.state();
            (state.content.clone(), state.version)
        };
        let path = self.shared.path.clone();
        let result = spawn_blocking(move || file::write(&path, &content)).await;
        match result {
            Ok(Ok(())) => *written = version,
            Ok(Err(failure)) => error!(
                error = diagnostics::chain(&failure),
                "checkpoint not written, a run that is killed now would ship lines again"
            ),
            Err(failure) => error!(error = %failure, "checkpoint not written"),
        }
    }
}

/// Looks at what was read, so that nothing later has to.
fn check(containers: &BTreeMap<String, String>) -> Result<(), String> {
    if containers.len() > REMEMBERED_MAX {
        return Err(format!("more than {REMEMBERED_MAX} containers"));
    }
    for (id, cursor) in containers {
        if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("a container's id is none".to_owned());
        }
        cursor
            .parse::<LogCursor>()
            .map_err(|error: ParseCursorError| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
