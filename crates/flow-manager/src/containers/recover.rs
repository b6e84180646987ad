//! Taking up what an earlier run left: its containers, and what it began.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::registry::Entry;
use super::store::{CreatedRecord, Record, StoreError};
use super::{ContainerManager, Inner};
use crate::failure::Failure;

/// How long it is looked whether the engine still makes what a killed flow-manager asked for.
const LATE: Duration = Duration::from_secs(5);

/// A folder that is to be removed, and the container that the engine may make for it.
pub(super) struct Abandoned {
    folder: String,
    /// How long one may come, from the first time that it is looked for.
    late: Duration,
    until: Option<Instant>,
}

impl ContainerManager {
    /// Reads what is on disk, and listens for the flows at once: they run while the engine may
    /// be away. What was being created is removed when the engine is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder cannot be listed. What is wrong with one container is
    /// logged, and the container left alone.
    pub async fn recover(&self) -> Result<usize, Failure> {
        let inner = &self.inner;
        let read = inner.on_disk(|inner| {
            let names = inner.store.names()?;
            let read = |name: String| {
                let (record, is_cut_off) = (inner.store.read(&name), inner.store.has_backup(&name));
                (record, is_cut_off, name)
            };
            Ok::<_, StoreError>(names.into_iter().map(read).collect::<Vec<_>>())
        });
        let records = read.await?.map_err(|error| {
            let message = "The state cannot be read";
            Failure::new(crate::failure::ErrorCode::StateNotWritten, message).because(error)
        })?;
        let mut taken = 0;
        for (record, is_cut_off, folder) in records {
            match record {
                Ok(Some(Record::Created(record))) => {
                    let CreatedRecord {
                        id,
                        name,
                        created,
                        wish,
                        config,
                    } = *record;
                    if is_cut_off {
                        inner.update_was_cut_off(&id);
                    }
                    let entry = Entry::new(folder, id, name, created, wish, config);
                    inner.take_up(entry).await;
                    taken += 1;
                }
                // A folder without a file was made a moment before the end.
                Ok(Some(Record::Creating) | None) => inner.abandon(folder, LATE),
                Err(error) => {
                    error!(
                        folder,
                        error = diagnostics::chain(&error),
                        "container left alone, its state cannot be read"
                    );
                }
            }
        }
        info!(containers = taken, "containers taken up");
        Ok(taken)
    }
}

impl Inner {
    async fn take_up(self: &Arc<Self>, entry: Entry) {
        let folder = self.store.folder(&entry.folder);
        let id = entry.id.clone();
        self.lock().insert(entry);
        // Without its socket the container can still be started and stopped.
        if let Err(failure) = self.sockets.setup_socket(&id, &folder).await {
            warn!(
                container = id,
                error = diagnostics::chain(&failure),
                "container without a socket"
            );
        }
    }

    /// Listens for the flows of the containers that have no socket: none could be made for them.
    pub(super) async fn mend_sockets(self: &Arc<Self>) {
        let mut without = self.lock().ids();
        without.retain(|id| !self.sockets.has_socket(id));
        for id in without {
            self.mend_socket(&id).await;
        }
    }

    /// The same for one container. Without its socket it is started and stopped all the same.
    pub(super) async fn mend_socket(self: &Arc<Self>, id: &str) {
        let folder = |entry: &Entry| self.store.folder(&entry.folder);
        let Some(folder) = self.lock().get(id).map(folder) else {
            return;
        };
        if self.sockets.has_socket(id) {
            return;
        }
        match self.sockets.setup_socket(id, &folder).await {
            // It was removed meanwhile, and so was what listens for it.
            Ok(()) if self.lock().get(id).is_none() => {
                self.sockets.cleanup_socket(id, &folder).await;
            }
            Ok(()) => info!(container = id, "socket made"),
            Err(failure) => debug!(
                container = id,
                error = diagnostics::chain(&failure),
                "container without a socket"
            ),
        }
    }

    /// Notes a folder that is to be removed with what was made for it.
    pub(super) fn abandon(&self, folder: String, late: Duration) {
        self.keep_abandoned(Abandoned {
            folder,
            late,
            until: None,
        });
        self.has_abandoned.notify_one();
    }

    fn keep_abandoned(&self, folder: Abandoned) {
        let mut abandoned = self
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        abandoned.push(folder);
    }

    /// Removes what nobody waits for any more. An engine goes on with a request whose client
    /// was killed, so its container may come later: those without one are looked at again.
    pub(super) async fn sweep_abandoned(self: &Arc<Self>) {
        let folders = {
            let mut abandoned = self
                .abandoned
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *abandoned)
        };
        for mut abandoned in folders {
            let folder = &abandoned.folder;
            let now = Instant::now();
            let until = *abandoned.until.get_or_insert(now + abandoned.late);
            let waits = match self.made_for(folder).await {
                Ok(made) => made.is_empty() && now < until,
                Err(_) => true,
            };
            if waits {
                self.keep_abandoned(abandoned);
            } else if let Err(failure) = self.sweep(folder).await {
                warn!(
                    folder,
                    error = diagnostics::chain(&failure),
                    "container not removed"
                );
                self.keep_abandoned(abandoned);
            }
        }
    }

    pub(super) fn has_abandoned(&self) -> bool {
        let abandoned = self
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !abandoned.is_empty()
    }
}
