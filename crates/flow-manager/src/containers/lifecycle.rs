//! Starting, stopping and the like: the wish is noted, the engine asked, and what it says then
//! is the answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError};
use tracing::warn;

use super::registry::Entry;
use super::store::Wish;
use super::{ContainerManager, Inner};
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerState, ContainerStatus};
use crate::time::Moment;

impl ContainerManager {
    /// Starts a container; one that runs is a success.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::MountNotAllowed`] if what it mounts is not as it was,
    /// [`ErrorCode::PortTaken`], [`ErrorCode::CommandNotFound`], [`ErrorCode::InvalidState`] for
    /// a paused one, and those of the engine.
    pub fn start_container(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        self.operate(
            name,
            |manager, id| async move { manager.inner.start(&id).await },
        )
    }

    /// Stops a container: its stop signal, and SIGKILL after the grace. One that does not run
    /// is a success.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn stop_container(
        &self,
        name: &str,
        grace: Duration,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        self.operate(name, move |manager, id| async move {
            manager.inner.stop(&id, grace).await
        })
    }

    /// Stops and starts a container.
    ///
    /// # Errors
    ///
    /// As [`ContainerManager::start_container`].
    pub fn restart_container(
        &self,
        name: &str,
        grace: Duration,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        self.operate(name, move |manager, id| async move {
            manager.inner.restart(&id, grace).await
        })
    }

    /// Freezes the processes of a container.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidState`] unless it runs, and those of the engine.
    pub fn pause_container(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        self.operate(name, |manager, id| async move {
            let status = manager.inner.act(&id, Act::Pause).await?;
            expect(status, ContainerState::Paused)
        })
    }

    /// Lets a paused container go on.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidState`] unless it is paused or runs, and those of the engine.
    pub fn unpause_container(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<ContainerStatus, Failure>> + Send + use<> {
        self.operate(name, |manager, id| async move {
            let inner = &manager.inner;
            let state = inner.lock().get(&id).map(|entry| entry.state());
            if let Some(state) = state
                && !state.has_process()
            {
                let message = format!("The container is {state}, not paused");
                return Err(Failure::new(ErrorCode::InvalidState, message));
            }
            let status = inner.act(&id, Act::Unpause).await?;
            expect(status, ContainerState::Running)
        })
    }
}

/// What the engine is asked to do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Start,
    Stop(Duration),
    Restart(Duration),
    Pause,
    Unpause,
}

impl Act {
    fn wish(self) -> Wish {
        match self {
            Self::Start => Wish::Start,
            Self::Stop(_) => Wish::Stop,
            Self::Restart(_) => Wish::Restart,
            Self::Pause => Wish::Pause,
            Self::Unpause => Wish::Unpause,
        }
    }

    async fn ask(self, docker: DockerApiClient, id: &str) -> Result<(), DockerClientError> {
        match self {
            Self::Start => docker.start_container(id).await,
            Self::Stop(grace) => docker.stop_container(id, Some(grace)).await,
            Self::Restart(grace) => docker.restart_container(id, Some(grace)).await,
            Self::Pause => docker.pause_container(id).await,
            Self::Unpause => docker.unpause_container(id).await,
        }
    }
}

/// The engine's client takes some refusals for success: what counts is the state afterwards.
fn expect(status: ContainerStatus, wanted: ContainerState) -> Result<ContainerStatus, Failure> {
    match status.state {
        state if state == wanted => Ok(status),
        state => {
            let message = format!("The container is {state}, not {wanted}");
            Err(Failure::new(ErrorCode::InvalidState, message))
        }
    }
}

impl Inner {
    pub(super) async fn start(self: &Arc<Self>, id: &str) -> Result<ContainerStatus, Failure> {
        self.check_mounts(id).await?;
        self.mend_socket(id).await;
        self.act(id, Act::Start).await
    }

    pub(super) async fn stop(
        self: &Arc<Self>,
        id: &str,
        grace: Duration,
    ) -> Result<ContainerStatus, Failure> {
        self.act(id, Act::Stop(grace)).await
    }

    /// A container that mounts something is stopped and then started: the engine would mount
    /// what is there at the end of the grace, which may be minutes after the look.
    async fn restart(
        self: &Arc<Self>,
        id: &str,
        grace: Duration,
    ) -> Result<ContainerStatus, Failure> {
        self.check_mounts(id).await?;
        let has_mounts = |entry: &Entry| !entry.config.volumes.is_empty();
        if !self.lock().get(id).is_some_and(has_mounts) {
            return self.act(id, Act::Restart(grace)).await;
        }
        self.stop(id, grace).await?;
        self.start(id).await
    }

    /// What a container mounts may have become something else since it was created.
    async fn check_mounts(self: &Arc<Self>, id: &str) -> Result<(), Failure> {
        let config = self.lock().get(id).map(|entry| entry.config.clone());
        match config {
            Some(config) if !config.volumes.is_empty() => self
                .on_disk(move |inner| inner.policy.mounts(&config))
                .await?
                .map(drop),
            _ => Ok(()),
        }
    }

    /// Notes a wish, asks the engine, and looks at what came of it. A wish that failed is not
    /// noted.
    async fn act(self: &Arc<Self>, id: &str, act: Act) -> Result<ContainerStatus, Failure> {
        self.engine.client()?;
        let before = self.wish(id, act.wish()).await?;
        let acted = match act {
            // Whether one that was cut off was begun is not known.
            Act::Restart(_) => self.engine.ask_once(|docker| act.ask(docker, id)).await,
            _ => self.engine.ask(|docker| act.ask(docker, id)).await,
        };
        if let Err(failure) = acted {
            if failure.code == ErrorCode::ContainerNotFound {
                self.forget(id).await;
            } else {
                self.wish(id, before).await?;
            }
            return Err(failure);
        }
        self.refresh(id).await
    }

    /// Notes what was last asked of a container; what was before. A disk that is full must not
    /// keep anybody from stopping a container: after a restart of flow-manager it is `exited`
    /// then, and not `stopped`.
    pub(super) async fn wish(self: &Arc<Self>, id: &str, wish: Wish) -> Result<Wish, Failure> {
        let changed = self.change(id, |entry| {
            let before = std::mem::replace(&mut entry.wish, wish);
            (before, entry.folder.clone(), entry.record())
        });
        let (before, folder, record) = changed.ok_or_else(|| Failure::no_container(id))?;
        if before != wish {
            let written = self
                .on_disk(move |inner| inner.store.write(&folder, &record))
                .await?;
            if let Err(error) = written {
                warn!(
                    container = id,
                    error = diagnostics::chain(&error),
                    "state not written"
                );
            }
        }
        Ok(before)
    }

    /// Asks the engine how a container is.
    pub(super) async fn refresh(self: &Arc<Self>, id: &str) -> Result<ContainerStatus, Failure> {
        let asked = Moment::now().0;
        let info = self
            .engine
            .ask(|docker| async move { docker.get_container_info(id).await })
            .await;
        match info {
            Ok(info) => self.learn(id, asked, info.state, info.health.into(), info.started),
            Err(failure) => {
                if failure.code == ErrorCode::ContainerNotFound {
                    self.forget(id).await;
                }
                return Err(failure);
            }
        }
        let registry = self.lock();
        let entry = registry.get(id).ok_or_else(|| Failure::no_container(id))?;
        Ok(self.status(entry))
    }
}
