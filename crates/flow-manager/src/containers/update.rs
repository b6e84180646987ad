//! Replacing the code of a flow, and taking that back if the flow does not come up with it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::UploadToContainerOptions;
use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use super::{ContainerManager, Inner};
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerHealth, ContainerState, ContainerStatus};
use crate::policy::{CODE_DIR_LABEL, open_below};

mod backup;
mod pack;
mod target;

pub(crate) use pack::PackError;

/// Most bytes of the code, the old and the new: both are in memory for a moment.
const CODE_MAX: u64 = 64 * 1024 * 1024;
/// Most files of it.
const FILES_MAX: u64 = 20_000;
/// Most updates at once: each has the old code, the new, and copies of both in memory.
pub(super) const AT_ONCE: usize = 2;
/// How long a flow may take to be healthy or connected again.
const COME_UP: Duration = Duration::from_secs(30);
/// How long one that is neither must run.
const RUN_FOR: Duration = Duration::from_secs(10);
/// How long the engine may take for one of the calls that docker-client does not have in this
/// form: it unpacks 64 MiB in seconds.
const CALL: Duration = Duration::from_secs(60);
/// The grace of the stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long the parts of an update may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UpdateTimes {
    come_up: Duration,
    run_for: Duration,
    call: Duration,
}

const TIMES: UpdateTimes = UpdateTimes::of(COME_UP, RUN_FOR, CALL);

impl UpdateTimes {
    pub(crate) const fn of(come_up: Duration, run_for: Duration, call: Duration) -> Self {
        Self {
            come_up,
            run_for,
            call,
        }
    }
}

impl ContainerManager {
    /// Replaces the code of a flow by a folder of the host, and starts it again if it ran. If
    /// it does not come up, the old code is put back.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CodePathNotAllowed`], [`ErrorCode::NoCodeDir`],
    /// [`ErrorCode::NotUpdatable`], [`ErrorCode::InvalidState`] for a paused one: nothing was
    /// done then. [`ErrorCode::UpdateFailed`] says whether it was rolled back.
    pub fn update_container(
        &self,
        name: &str,
        code_path: &str,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        let code_path = code_path.to_owned();
        self.operate(name, move |manager, id| async move {
            manager.inner.update(&id, &code_path, TIMES).await
        })
    }
}

/// What an update works on.
#[derive(Clone)]
struct Update {
    id: String,
    /// The name of the container's folder on the host.
    state: String,
    /// The folder of the code in the container, and where it is.
    folder: String,
    parent: String,
    was_running: bool,
    was_connected: bool,
}

impl Inner {
    pub(super) async fn update(
        self: &Arc<Self>,
        id: &str,
        code_path: &str,
        times: UpdateTimes,
    ) -> Result<ContainerStatus, Failure> {
        let (update, target) = self.find_target(id, times).await?;
        let _has_room = self.updates.acquire().await;
        let (code, name) = (code_path.to_owned(), update.folder.clone());
        let packed = self.on_disk(move |inner| {
            let forbidden = &inner.policy.forbidden;
            let code =
                open_below(&code, &inner.policy.code_roots, forbidden).map_err(PackError::Path)?;
            pack::pack(code, &name, CODE_MAX, FILES_MAX)
        });
        let new = packed.await?.map_err(|error| {
            let path = diagnostics::redacted_prefix(code_path);
            let message = format!("{path}: {}", diagnostics::chain(&error));
            Failure::new(ErrorCode::CodePathNotAllowed, message).because(error)
        })?;
        let old = self.back_up(&update, &target).await?;
        self.keep_backup(&update, old.clone()).await?;
        let exchanged = self.exchange(&update, new, old, times).await;
        self.drop_backup(&update.state).await;
        exchanged
    }

    /// Puts the new code in the place of the old, or the old one back.
    async fn exchange(
        self: &Arc<Self>,
        update: &Update,
        new: Bytes,
        old: Bytes,
        times: UpdateTimes,
    ) -> Result<ContainerStatus, Failure> {
        let id = &*update.id;
        if update.was_running
            && let Err(failure) = self.stop(id, GRACE).await
        {
            // The engine may have stopped it all the same.
            if let Err(failure) = self.start(id).await {
                warn!(
                    container = id,
                    error = diagnostics::chain(&failure),
                    "flow not started again"
                );
            }
            return Err(failure);
        }
        let replaced = self.replace(update, new, true, times).await;
        match replaced {
            Ok(()) => self.refresh(id).await,
            Err(failure) => {
                let rolled_back = self.roll_back(update, old, times).await;
                Err(Failure {
                    rolled_back: Some(rolled_back),
                    ..Failure::new(ErrorCode::UpdateFailed, failure.message.clone())
                        .because(failure)
                })
            }
        }
    }

    /// Finds the code, and what stands against replacing it, before anything is stopped.
    async fn find_target(
        self: &Arc<Self>,
        id: &str,
        times: UpdateTimes,
    ) -> Result<(Update, String), Failure> {
        let docker = self.engine.client()?;
        let status = self.refresh(id).await?;
        match status.state {
            ContainerState::Running
            | ContainerState::Created
            | ContainerState::Stopped
            | ContainerState::Exited => {}
            state => {
                let message = format!("The container is {state}");
                return Err(Failure::new(ErrorCode::InvalidState, message));
            }
        }
        let info = docker.get_container_info(id).await?;
        let no_options = None::<bollard::query_parameters::InspectContainerOptions>;
        let inspected = docker.bollard().inspect_container(id, no_options);
        let raw = answered(inspected, times).await?;
        let host = raw.host_config.unwrap_or_default();
        let labelled = info.labels.get(CODE_DIR_LABEL).map(String::as_str);
        let target = labelled.unwrap_or(&info.working_dir);
        let mounts: Vec<_> = info
            .mounts
            .iter()
            .map(|mount| &*mount.destination)
            .collect();
        let is_fixed = host.readonly_rootfs.unwrap_or_default();
        let place = target::find(target, &mounts, is_fixed)?;
        let state = self.lock().get(id).map(|entry| entry.folder.clone());
        let update = Update {
            id: id.to_owned(),
            state: state.ok_or_else(|| Failure::no_container(id))?,
            folder: place.name,
            parent: place.parent,
            was_running: status.state == ContainerState::Running,
            was_connected: status.socket_connected,
        };
        Ok((update, place.path))
    }

    /// Puts code into a container that does not run, and starts it if it did.
    async fn replace(
        self: &Arc<Self>,
        update: &Update,
        tar: Bytes,
        to_user: bool,
        times: UpdateTimes,
    ) -> Result<(), Failure> {
        let docker = self.engine.client()?;
        let options = UploadToContainerOptions {
            path: update.parent.clone(),
            // The folder is replaced by a file first, so that nothing of the old stays.
            no_overwrite_dir_non_dir: None,
            copy_uidgid: Some(u8::from(to_user).to_string()),
        };
        let put = docker.bollard().upload_to_container(
            &update.id,
            Some(options),
            bollard::body_full(tar),
        );
        answered(put, times).await?;
        if !update.was_running {
            return Ok(());
        }
        let begun = Instant::now();
        self.start(&update.id).await?;
        self.came_up(update, begun, times).await
    }

    /// Waits until the flow is as good as it was. A connection from before its start is read on
    /// to its end, and is none of the new code's.
    async fn came_up(
        self: &Arc<Self>,
        update: &Update,
        begun: Instant,
        times: UpdateTimes,
    ) -> Result<(), Failure> {
        let mut changed = self.changed.subscribe();
        let failed = |what: &str| {
            Err(Failure::new(
                ErrorCode::UpdateFailed,
                format!("With the new code the flow {what}"),
            ))
        };
        loop {
            let status = {
                let registry = self.lock();
                let entry = registry
                    .get(&update.id)
                    .ok_or_else(|| Failure::no_container(&update.id))?;
                self.status(entry)
            };
            if status.state != ContainerState::Running {
                return failed(&format!("is {}", status.state));
            }
            let (is_up, patience) = match status.health {
                ContainerHealth::Healthy => (true, times.come_up),
                ContainerHealth::Unhealthy => return failed("is unhealthy"),
                ContainerHealth::Starting => (false, times.come_up),
                ContainerHealth::None if update.was_connected => {
                    let since = self.sockets.connected_since(&update.id);
                    (since.is_some_and(|since| since >= begun), times.come_up)
                }
                ContainerHealth::None => (begun.elapsed() >= times.run_for, times.run_for),
            };
            if is_up {
                return Ok(());
            }
            let late = timeout_at(begun + patience, changed.changed())
                .await
                .is_err();
            if late && begun.elapsed() >= times.run_for.max(patience) {
                return match status.health {
                    ContainerHealth::None if !update.was_connected => Ok(()),
                    ContainerHealth::None => failed("did not connect again"),
                    _ => failed("did not become healthy"),
                };
            }
        }
    }

    /// Puts the old code back, with the owners that it had; whether that worked.
    async fn roll_back(self: &Arc<Self>, update: &Update, old: Bytes, times: UpdateTimes) -> bool {
        let back = async {
            if update.was_running {
                self.stop(&update.id, GRACE).await?;
            }
            let stopped = Update {
                was_running: false,
                ..update.clone()
            };
            self.replace(&stopped, old, false, times).await?;
            match update.was_running {
                true => self.start(&update.id).await.map(drop),
                // What was last asked of it is what it was.
                false => Ok(()),
            }
        };
        let result: Result<(), Failure> = back.await;
        if let Err(failure) = &result {
            warn!(
                container = update.id,
                error = diagnostics::chain(failure),
                "update not rolled back"
            );
        }
        result.is_ok()
    }
}

/// What the engine answers to bollard, which itself would wait for ever.
async fn answered<T>(
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
    times: UpdateTimes,
) -> Result<T, Failure> {
    let answer = timeout(times.call, call).await.map_err(|late| {
        let message = "Docker took too long";
        Failure::new(ErrorCode::EngineTimeout, message).because(late)
    })?;
    answer.map_err(refused)
}

/// bollard's own errors, for the two calls that docker-client does not have in this form.
fn refused(error: bollard::errors::Error) -> Failure {
    let (code, message) = match &error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            (ErrorCode::EngineError, message.clone())
        }
        _ => (
            ErrorCode::EngineUnavailable,
            "Docker does not answer".to_owned(),
        ),
    };
    Failure::new(code, message).because(error)
}

/// A path of the host as text, for messages.
fn shown(path: &Path) -> String {
    diagnostics::shown_path(path)
}
