//! The old code: in memory, and on disk while its update is under way, for flow-manager may be
//! killed in the middle. From the first byte of the upload it is nowhere else.

use std::fs::{self, File};
use std::future::Future;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use docker_client::{ArchiveLimits, DockerClientError};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{CODE_MAX, FILES_MAX, TIMES, Update, pack};
use crate::containers::store::replace;
use crate::containers::{Inner, Store, StoreError, not_written};
use crate::failure::{ErrorCode, Failure};
use crate::flow::FolderError;

const TAR: &str = "backup.tar";
/// It is there as long as the update is under way.
const NOTE: &str = "update.json";
/// Most bytes of the tar: the code, and the heads of its files with long names.
const TAR_MAX: u64 = 2 * CODE_MAX;

/// What is needed to take an update back.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    folder: String,
    parent: String,
    was_running: bool,
}

impl Store {
    /// Whether an update of the container with this folder was not brought to its end.
    pub(in crate::containers) fn has_backup(&self, name: &str) -> bool {
        self.folder(name).path().join(NOTE).exists()
    }

    fn write_backup(&self, name: &str, note: &Note, tar: &[u8]) -> Result<(), FolderError> {
        let folder = self.folder(name);
        replace(&folder.path().join(TAR), tar)?;
        let note = serde_json::to_vec(note).expect("its keys are texts");
        replace(&folder.path().join(NOTE), &note)
    }

    fn read_backup(&self, name: &str) -> Result<(Note, Bytes), StoreError> {
        let read = |file| {
            let path = self.folder(name).path().join(file);
            let mut bytes = Vec::new();
            let read =
                File::open(&path).and_then(|file| file.take(TAR_MAX).read_to_end(&mut bytes));
            match read {
                Ok(_) => Ok((path, bytes)),
                Err(error) => Err(FolderError::new("read", &path, error)),
            }
        };
        let (path, note) = read(NOTE)?;
        let note = serde_json::from_slice(&note);
        let note = note.map_err(|source| StoreError::Record { path, source })?;
        Ok((note, read(TAR)?.1.into()))
    }

    fn remove_backup(&self, name: &str) -> Result<(), FolderError> {
        // Without the note, the other is nothing.
        for file in [NOTE, TAR] {
            let path = self.folder(name).path().join(file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(FolderError::new("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Inner {
    /// Reads the old code.
    pub(super) async fn back_up(&self, update: &Update, target: &str) -> Result<Bytes, Failure> {
        let limits = ArchiveLimits {
            bytes: CODE_MAX,
            entries: FILES_MAX,
        };
        let docker = self.engine.client()?;
        let archive = docker.get_archive(&update.id, target, limits).await;
        let read = async {
            let pieces: Vec<Bytes> = archive?.try_collect().await?;
            Ok::<_, DockerClientError>(pieces)
        };
        match read.await {
            Ok(pieces) => Ok(pack::as_replacement(&update.folder, &pieces)),
            Err(
                error @ (DockerClientError::TooLarge { .. }
                | DockerClientError::PathNotFound { .. }),
            ) => {
                let message = format!(
                    "{target} is not there, or larger than {} MiB",
                    CODE_MAX >> 20
                );
                Err(Failure::new(ErrorCode::NotUpdatable, message).because(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the old code to the disk.
    pub(super) async fn keep_backup(
        self: &Arc<Self>,
        update: &Update,
        old: Bytes,
    ) -> Result<(), Failure> {
        let note = Note {
            folder: update.folder.clone(),
            parent: update.parent.clone(),
            was_running: update.was_running,
        };
        let state = update.state.clone();
        let written = self.on_disk(move |inner| inner.store.write_backup(&state, &note, &old));
        written.await?.map_err(not_written)
    }

    /// The update came to its end, whichever.
    pub(super) async fn drop_backup(self: &Arc<Self>, state: &str) {
        let name = state.to_owned();
        let removed = self.on_disk(move |inner| inner.store.remove_backup(&name));
        let removed = removed
            .await
            .and_then(|removed| removed.map_err(not_written));
        if let Err(failure) = removed {
            let error = diagnostics::chain(&failure);
            warn!(folder = state, error, "backup not removed");
        }
    }

    /// Notes a container whose update is to be taken back.
    pub(in crate::containers) fn update_was_cut_off(&self, id: &str) {
        let mut cut_off = self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        cut_off.push(id.to_owned());
    }

    /// The work of taking back the updates that an earlier run did not bring to their end. The
    /// turns of the containers are taken now.
    pub(in crate::containers) fn take_back(
        self: &Arc<Self>,
    ) -> Vec<impl Future<Output = ()> + Send + use<>> {
        let cut_off = self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        let work = cut_off.iter().filter_map(|id| {
            let key = self.lock().queue(id);
            let (gate, mut turn) = self.begin(&key).ok()?;
            let (inner, id) = (self.clone(), id.clone());
            Some(async move {
                turn.come().await;
                inner.take_back_one(&id).await;
                drop(gate);
            })
        });
        work.collect()
    }

    async fn take_back_one(self: &Arc<Self>, id: &str) {
        let state = self.lock().get(id).map(|entry| entry.folder.clone());
        if let Some(state) = state {
            let name = state.clone();
            let read = self.on_disk(move |inner| inner.store.read_backup(&name));
            let read = read
                .await
                .map(|read| read.map_err(|error| diagnostics::chain(&error)));
            match read {
                Ok(Ok((note, old))) => {
                    let update = Update {
                        id: id.to_owned(),
                        state: state.clone(),
                        folder: note.folder,
                        parent: note.parent,
                        was_running: note.was_running,
                        was_connected: false,
                    };
                    // Else it is tried again when the engine is back, or flow-manager.
                    if !self.roll_back(&update, old, TIMES).await {
                        return;
                    }
                    info!(container = id, "update that was cut off taken back");
                }
                Ok(Err(error)) => warn!(container = id, error, "backup not read"),
                Err(_) => return,
            }
            self.drop_backup(&state).await;
        }
        let mut cut_off = self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        cut_off.retain(|other| other != id);
    }
}
