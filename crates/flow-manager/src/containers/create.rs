//! Creating and removing containers: wholly, or not at all.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{CreateContainer, DockerClientError, ListOptions};
use tracing::warn;

use super::registry::Entry;
use super::store::Wish;
use super::{ContainerManager, Inner, not_written};
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerConfig, ContainerInfo, ContainerState};
use crate::policy::{FOLDER_LABEL, Placement, Pull};
use crate::time::Moment;

/// How long it is looked whether an engine that did not answer has made a container after all:
/// one whose disk is slow takes minutes.
const SLOW: Duration = Duration::from_secs(120);
/// Most containers: each has a socket, and what was asked for in memory. Those that are being
/// created at the moment may come on top.
pub(super) const CONTAINERS_MAX: usize = 4096;

impl ContainerManager {
    /// Makes a container; it is not started. What a failed attempt left behind is removed.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidValue`], [`ErrorCode::ImageNotAllowed`],
    /// [`ErrorCode::MountNotAllowed`], [`ErrorCode::ImageNotFound`],
    /// [`ErrorCode::NameTaken`], [`ErrorCode::TooManyContainers`],
    /// [`ErrorCode::StateNotWritten`] and those of the engine.
    pub fn create_container(
        &self,
        config: ContainerConfig,
    ) -> impl Future<Output = Result<ContainerInfo, Failure>> + Send + use<> {
        // One without a name waits for nobody.
        let key = match &config.name {
            Some(name) => self.inner.lock().queue(name),
            None => format!("/{:016x}", rand::random::<u64>()),
        };
        let begun = self.inner.begin(&key);
        let inner = self.inner.clone();
        async move {
            let (_gate, mut turn) = begun?;
            turn.come().await;
            inner.create(config, key).await
        }
    }

    /// Removes a container, its anonymous volumes, its socket and its folder.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::ContainerRunning`] without `force`, [`ErrorCode::ContainerNotFound`] and
    /// those of the engine.
    pub fn delete_container(
        &self,
        name: &str,
        force: bool,
    ) -> impl Future<Output = Result<String, Failure>> + Send + use<> {
        self.operate(name, move |manager, id| async move {
            manager.inner.delete(&id, force).await.map(|()| id)
        })
    }
}

impl Inner {
    async fn create(
        self: &Arc<Self>,
        config: ContainerConfig,
        queue: String,
    ) -> Result<ContainerInfo, Failure> {
        self.engine.client()?;
        self.policy.check(&config)?;
        if self.lock().len() >= CONTAINERS_MAX {
            let message = format!("There are {CONTAINERS_MAX} containers already");
            return Err(Failure::new(ErrorCode::TooManyContainers, message));
        }
        self.check_nesting(&config)?;
        if let Some(name) = &config.name
            && self.lock().resolve(name).is_ok_and(|id| id != *name)
        {
            let message = format!("A container is called {name} already");
            return Err(Failure::new(ErrorCode::NameTaken, message));
        }
        let checked = config.clone();
        let begun = self.on_disk(move |inner| {
            let mounts = inner.policy.mounts(&checked)?;
            let folder = inner.store.begin().map_err(not_written)?;
            Ok::<_, Failure>((mounts, folder))
        });
        let (mounts, folder) = begun.await??;
        let placement = Placement {
            instance: self.store.instance().to_owned(),
            mounted: self.store.folder(&folder).mounted(),
            folder: folder.clone(),
        };
        let request = self.policy.request(&config, mounts, &placement);
        match self.create_in(&folder, request, config, queue).await {
            Ok(info) => Ok(info),
            Err(failure) => {
                let is_answered = !matches!(
                    failure.code,
                    ErrorCode::EngineTimeout | ErrorCode::EngineUnavailable
                );
                self.discard(&folder, is_answered).await;
                Err(failure)
            }
        }
    }

    async fn create_in(
        self: &Arc<Self>,
        folder: &str,
        request: CreateContainer,
        config: ContainerConfig,
        queue: String,
    ) -> Result<ContainerInfo, Failure> {
        let id = self.ask_for(request).await?;
        let asked = Moment::now().0;
        let info = self.engine.ask(|docker| {
            let id = id.clone();
            async move { docker.get_container_info(&id).await }
        });
        let info = info.await?;
        let created = info.created.map_or_else(Moment::now, Moment);
        let entry = Entry::new(
            folder.to_owned(),
            id.clone(),
            info.name,
            created,
            Wish::Create,
            config,
        );
        let (name, record) = (folder.to_owned(), entry.record());
        let written = self.on_disk(move |inner| inner.store.write(&name, &record));
        written.await?.map_err(not_written)?;
        self.sockets
            .setup_socket(&id, &self.store.folder(folder))
            .await?;
        let entry = Entry {
            queue,
            as_of: asked,
            state: info.state,
            health: info.health.into(),
            ..entry
        };
        let told = self.info(&entry);
        let mut registry = self.lock();
        registry.insert(entry);
        // Clients learn of it as of any change.
        if let Some(entry) = registry.get(&id) {
            self.tell(entry, entry.state());
        }
        Ok(told)
    }

    /// Asks the engine for a container. It is asked once: whether an attempt that was cut off
    /// made one is not known.
    async fn ask_for(&self, request: CreateContainer) -> Result<String, Failure> {
        let docker = self.engine.client()?;
        let image = request.image.clone();
        let pull = async || {
            let pulled = docker.pull_image(&image, None).await?.finish().await;
            pulled.map(drop)
        };
        if self.policy.pull == Pull::Always {
            pull().await?;
        }
        match docker.create_container(request.clone()).await {
            Err(DockerClientError::ImageNotFound { .. }) if self.policy.pull == Pull::Missing => {
                pull().await?;
                Ok(docker.create_container(request).await?)
            }
            created => Ok(created?),
        }
    }

    /// Removes what an attempt to create left behind. What cannot be removed now is when the
    /// engine is back, and what an engine that did not answer makes yet, when it has.
    async fn discard(self: &Arc<Self>, folder: &str, is_answered: bool) {
        if !is_answered {
            let made = self.made_for(folder).await;
            if made.is_ok_and(|made| made.is_empty()) {
                return self.abandon(folder.to_owned(), SLOW);
            }
        }
        let swept = self.sweep(folder).await;
        if let Err(failure) = swept {
            let error = diagnostics::chain(&failure);
            warn!(
                folder,
                error, "container not removed, tried again when the engine is back"
            );
            self.abandon(folder.to_owned(), SLOW);
        }
    }

    /// Removes a folder, and before it the container that was made for it.
    pub(super) async fn sweep(self: &Arc<Self>, folder: &str) -> Result<(), Failure> {
        for id in self.made_for(folder).await? {
            let removed = self.engine.ask(|docker| {
                let id = id.clone();
                async move { docker.remove_container(&id, true, true).await }
            });
            match removed.await {
                Err(failure) if failure.code == ErrorCode::ContainerNotFound => {}
                removed => removed?,
            }
            self.sockets
                .cleanup_socket(&id, &self.store.folder(folder))
                .await;
        }
        let folder = self.store.folder(folder);
        self.on_disk(move |_| folder.remove())
            .await?
            .map_err(not_written)
    }

    /// The containers whose labels name a folder that no container has yet.
    pub(super) async fn made_for(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let instance = format!(
            "{}={}",
            crate::policy::INSTANCE_LABEL,
            self.store.instance()
        );
        let label = format!("{FOLDER_LABEL}={folder}");
        let options = ListOptions::new(true)
            .filter("label", &instance)
            .filter("label", &label);
        let listed = self.engine.ask(|docker| {
            let options = options.clone();
            async move { docker.list_containers_with(options).await }
        });
        Ok(listed
            .await?
            .into_iter()
            .map(|container| container.id)
            .collect())
    }

    async fn delete(self: &Arc<Self>, id: &str, force: bool) -> Result<(), Failure> {
        let folder = self
            .lock()
            .get(id)
            .map(|entry| self.store.folder(&entry.folder));
        let removed = self
            .engine
            .ask(|docker| async move { docker.remove_container(id, force, true).await });
        match removed.await {
            Ok(()) => {}
            // Somebody else removed it.
            Err(failure) if failure.code == ErrorCode::ContainerNotFound => {}
            // The engine's words for it are others in each version, so it is asked.
            Err(failure)
                if failure.code == ErrorCode::InvalidState
                    && !force
                    && keeps_its_removal_off(self.refresh(id).await?.state) =>
            {
                let message = "The container runs: stop it first, or force its removal";
                return Err(Failure::new(ErrorCode::ContainerRunning, message).because(failure));
            }
            Err(failure) => return Err(failure),
        }
        self.forget(id).await;
        // The engine's event may have come first, and its work is not done yet.
        let removed = self.on_disk(move |_| folder.map(|folder| folder.remove()));
        removed.await?.transpose().map_err(not_written).map(drop)
    }

    /// A container is gone: so are its entry, its socket and its folder.
    pub(super) async fn forget(self: &Arc<Self>, id: &str) {
        let entry = {
            let mut registry = self.lock();
            let Some(entry) = registry.remove(id) else {
                return;
            };
            self.observer
                .status_changed(&entry.id, &entry.name, entry.state(), None);
            entry
        };
        self.changed.send_replace(());
        let folder = self.store.folder(&entry.folder);
        self.sockets.cleanup_socket(id, &folder).await;
        match self.on_disk(move |_| folder.remove()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(
                container = id,
                error = diagnostics::chain(&error),
                "folder not removed"
            ),
            Err(failure) => warn!(
                container = id,
                error = diagnostics::chain(&failure),
                "folder not removed"
            ),
        }
    }
}

/// The engine counts one that it is about to start again as one that runs.
fn keeps_its_removal_off(state: ContainerState) -> bool {
    state.has_process() || state == ContainerState::Restarting
}
