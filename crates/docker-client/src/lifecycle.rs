//! Starting, stopping and removing containers.

use std::future::Future;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, RenameContainerOptions,
    RestartContainerOptionsBuilder, StopContainerOptionsBuilder,
};

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::name;

/// The engine's own default.
const GRACE: Duration = Duration::from_secs(10);
/// What a stop may take beyond its grace.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

impl DockerApiClient {
    /// Starts a container; one that runs is a success.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`]; [`DockerClientError::ContainerCommand`] if
    /// there is no such program (127) or it may not be executed (126);
    /// [`DockerClientError::Engine`] for ports that are taken and the like.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.start_container("web").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_container(&self, name: &str) -> Result<(), DockerClientError> {
        let started = self
            .act("start", name, DEADLINE, |docker, id| {
                Docker::start_container(docker, id, None)
            })
            .await;
        match started {
            Err(DockerClientError::Engine {
                operation,
                status,
                message,
            }) => {
                let info = self.get_container_info(name).await.ok();
                match info.and_then(|info| Some((info.exit_code?, info.command))) {
                    Some((exit_code @ (126 | 127), command)) => {
                        Err(DockerClientError::ContainerCommand {
                            name: name.to_owned(),
                            command,
                            exit_code,
                            output: message,
                        })
                    }
                    _ => Err(DockerClientError::Engine {
                        operation,
                        status,
                        message,
                    }),
                }
            }
            result => result,
        }
    }

    /// Stops a container: its stop signal, and after `grace` SIGKILL; by default after the
    /// container's own grace, else 10 s. One that does not run is a success. The deadline is the
    /// grace and 30 s.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.stop_container("web", Some(std::time::Duration::from_secs(3))).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop_container(
        &self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(), DockerClientError> {
        let (deadline, seconds) = self.grace(name, grace).await?;
        self.act("stop", name, deadline, |docker, id| {
            let options = StopContainerOptionsBuilder::new();
            let options = seconds
                .iter()
                .fold(options, |options, grace| options.t(*grace));
            Docker::stop_container(docker, id, Some(options.build()))
        })
        .await
    }

    /// Stops as [`DockerApiClient::stop_container`], and starts.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.restart_container("web", None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart_container(
        &self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(), DockerClientError> {
        let (deadline, seconds) = self.grace(name, grace).await?;
        self.act("restart", name, deadline, |docker, id| {
            let options = RestartContainerOptionsBuilder::new();
            let options = seconds
                .iter()
                .fold(options, |options, grace| options.t(*grace));
            Docker::restart_container(docker, id, Some(options.build()))
        })
        .await
    }

    /// Freezes a container's processes; a paused container is a success.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`], [`DockerClientError::NotRunning`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.pause_container("web").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pause_container(&self, name: &str) -> Result<(), DockerClientError> {
        let paused = self
            .act("pause", name, DEADLINE, Docker::pause_container)
            .await;
        unless_told(paused, "already paused")
    }

    /// Lets a paused container go on; one that is not paused is a success.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`], [`DockerClientError::NotRunning`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.unpause_container("web").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn unpause_container(&self, name: &str) -> Result<(), DockerClientError> {
        let unpaused = self
            .act("unpause", name, DEADLINE, Docker::unpause_container)
            .await;
        unless_told(unpaused, "is not paused")
    }

    /// Sends a signal to the main process: `SIGTERM`, `HUP`, `9`; by default SIGKILL.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`], [`DockerClientError::NotRunning`];
    /// [`DockerClientError::Engine`] for a signal that there is not.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.kill_container("web", Some("HUP")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn kill_container(
        &self,
        name: &str,
        signal: Option<&str>,
    ) -> Result<(), DockerClientError> {
        let signal = signal.unwrap_or("SIGKILL");
        self.act("kill", name, DEADLINE, |docker, id| {
            let options = KillContainerOptions {
                signal: signal.to_owned(),
            };
            Docker::kill_container(docker, id, Some(options))
        })
        .await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`]; [`DockerClientError::Conflict`] if the name is
    /// taken; [`DockerClientError::InvalidName`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.rename_container("web", "old-web").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rename_container(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<(), DockerClientError> {
        let new_name = name::new_container(new_name)?;
        self.act("rename", name, DEADLINE, |docker, id| {
            let options = RenameContainerOptions {
                name: new_name.to_owned(),
            };
            Docker::rename_container(docker, id, options)
        })
        .await
    }

    /// Removes a container; with `force` a running one too, with `volumes` its anonymous
    /// volumes too.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`]; [`DockerClientError::Conflict`] if it runs, or
    /// is being removed.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.remove_container("old-web", true, true).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_container(
        &self,
        name: &str,
        force: bool,
        volumes: bool,
    ) -> Result<(), DockerClientError> {
        self.act("remove", name, DEADLINE, |docker, id| {
            let options = RemoveContainerOptions {
                v: volumes,
                force,
                link: false,
            };
            Docker::remove_container(docker, id, Some(options))
        })
        .await
    }

    /// Makes a call that acts on one container and answers nothing.
    async fn act<'a, F, Fut>(
        &'a self,
        verb: &'static str,
        name: &'a str,
        deadline: Duration,
        ask: F,
    ) -> Result<(), DockerClientError>
    where
        F: Fn(&'a Docker, &'a str) -> Fut,
        Fut: Future<Output = Result<(), bollard::errors::Error>>,
    {
        let id = name::container(name)?;
        let call = Call::container(verb, name);
        self.engine
            .call(call, deadline, |docker| ask(docker, id))
            .await
    }

    /// How long a stop may take, and the seconds to tell the engine.
    async fn grace(
        &self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(Duration, Option<i32>), DockerClientError> {
        if let Some(grace) = grace {
            let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
            return Ok((
                grace + BEYOND_GRACE,
                Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            ));
        }
        let own = self
            .inspect(name)
            .await?
            .config
            .and_then(|config| config.stop_timeout);
        let own = own.map_or(GRACE, |own| {
            Duration::from_secs(u64::try_from(own).unwrap_or(u64::MAX))
        });
        Ok((own.saturating_add(BEYOND_GRACE), None))
    }
}

/// The state that was asked for is a success.
fn unless_told(
    result: Result<(), DockerClientError>,
    words: &str,
) -> Result<(), DockerClientError> {
    match result {
        Err(
            DockerClientError::Conflict { message, .. } | DockerClientError::Engine { message, .. },
        ) if message.contains(words) => Ok(()),
        result => result,
    }
}
