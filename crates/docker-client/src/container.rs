//! A handle on one container: its operations by id, whatever its name becomes.

use std::time::Duration;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::exec::{Exec, ExecResult, ExecStream};
use crate::info::ContainerInfo;
use crate::logs::{ContainerLogs, LogOptions, LogStream};
use crate::stats::ContainerStats;
use crate::wait::ContainerExit;

/// A container that was found; its operations go by id.
#[derive(Clone, Debug)]
pub struct Container {
    client: DockerApiClient,
    id: String,
    name: String,
}

impl DockerApiClient {
    /// A handle on the container with this name, id or unique prefix of an id.
    pub async fn get_container(&self, name: &str) -> Result<Container, DockerClientError> {
        let info = self.get_container_info(name).await?;
        Ok(Container {
            client: self.clone(),
            id: info.id,
            name: info.name,
        })
    }
}

impl Container {
    /// The full id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name that it had when it was looked up.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As [`DockerApiClient::get_container_info`].
    pub async fn info(&self) -> Result<ContainerInfo, DockerClientError> {
        self.client.get_container_info(&self.id).await
    }

    /// As [`DockerApiClient::container_is_running`].
    pub async fn is_running(&self) -> Result<bool, DockerClientError> {
        self.client.container_is_running(&self.id).await
    }

    /// As [`DockerApiClient::get_container_logs`].
    pub async fn logs(&self, options: LogOptions) -> Result<ContainerLogs, DockerClientError> {
        self.client.get_container_logs(&self.id, options).await
    }

    /// As [`DockerApiClient::follow_container_logs`].
    pub async fn follow_logs(&self, options: LogOptions) -> Result<LogStream, DockerClientError> {
        self.client.follow_container_logs(&self.id, options).await
    }

    /// As [`DockerApiClient::exec_command`].
    pub async fn exec(&self, exec: Exec) -> Result<ExecResult, DockerClientError> {
        self.client.exec_command(&self.id, exec).await
    }

    /// As [`DockerApiClient::exec_stream`].
    pub async fn exec_stream(&self, exec: Exec) -> Result<ExecStream, DockerClientError> {
        self.client.exec_stream(&self.id, exec).await
    }

    /// As [`DockerApiClient::stats`].
    pub async fn stats(&self) -> Result<ContainerStats, DockerClientError> {
        self.client.stats(&self.id).await
    }

    /// As [`DockerApiClient::start_container`].
    pub async fn start(&self) -> Result<(), DockerClientError> {
        self.client.start_container(&self.id).await
    }

    /// As [`DockerApiClient::stop_container`].
    pub async fn stop(&self, grace: Option<Duration>) -> Result<(), DockerClientError> {
        self.client.stop_container(&self.id, grace).await
    }

    /// As [`DockerApiClient::restart_container`].
    pub async fn restart(&self, grace: Option<Duration>) -> Result<(), DockerClientError> {
        self.client.restart_container(&self.id, grace).await
    }

    /// As [`DockerApiClient::wait_container`].
    pub async fn wait(&self) -> Result<ContainerExit, DockerClientError> {
        self.client.wait_container(&self.id).await
    }

    /// As [`DockerApiClient::kill_container`].
    pub async fn kill(&self, signal: Option<&str>) -> Result<(), DockerClientError> {
        self.client.kill_container(&self.id, signal).await
    }

    /// As [`DockerApiClient::remove_container`].
    pub async fn remove(&self, force: bool, volumes: bool) -> Result<(), DockerClientError> {
        self.client.remove_container(&self.id, force, volumes).await
    }
}
