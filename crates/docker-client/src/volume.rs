//! Volumes.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::{list, name};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VolumeInfo {
    /// The name.
    pub name: String,
    /// The driver, as `local`.
    pub driver: String,
    /// Where it is on the engine's host.
    pub mountpoint: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Options of its driver.
    pub options: BTreeMap<String, String>,
}

impl DockerApiClient {
    /// The volumes that pass the filters; all without filters.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// let unused = [("dangling".to_owned(), vec!["true".to_owned()])].into();
    /// println!("{} unused", docker.list_volumes(unused).await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_volumes(
        &self,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<VolumeInfo>, DockerClientError> {
        let query = ListVolumesOptions {
            filters: list::filters(filters),
        };
        let call = Call::engine("list the volumes of");
        let ask = |docker| Docker::list_volumes(docker, Some(query.clone()));
        let answer = self.engine.call(call, DEADLINE, ask).await?;
        Ok(answer
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(VolumeInfo::from)
            .collect())
    }

    /// One volume.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::VolumeNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// println!("{}", docker.inspect_volume("data").await?.mountpoint);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inspect_volume(&self, volume: &str) -> Result<VolumeInfo, DockerClientError> {
        let id = name::volume(volume)?;
        let call = Call::volume("inspect", volume);
        let answer = self
            .engine
            .call(call, DEADLINE, |docker| docker.inspect_volume(id))
            .await?;
        Ok(VolumeInfo::from(answer))
    }

    /// Makes a volume; one that is there already is a success. Without a driver, `local`.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::InvalidName`]; [`DockerClientError::Conflict`] if there is one of
    /// another driver.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.create_volume("data", None, Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_volume(
        &self,
        volume: &str,
        driver: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<VolumeInfo, DockerClientError> {
        let body = VolumeCreateRequest {
            name: Some(name::volume(volume)?.to_owned()),
            driver: driver.map(str::to_owned),
            labels: Some(labels.into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let call = Call::volume("create", volume);
        let ask = |docker| Docker::create_volume(docker, body.clone());
        self.engine
            .call(call, DEADLINE, ask)
            .await
            .map(VolumeInfo::from)
    }

    /// Removes a volume that no container has. With `force`, one that is not there, or whose
    /// driver is gone, is a success.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::VolumeNotFound`]; [`DockerClientError::Conflict`] if a container
    /// has it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.remove_volume("data", false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_volume(&self, volume: &str, force: bool) -> Result<(), DockerClientError> {
        let id = name::volume(volume)?;
        let call = Call::volume("remove", volume);
        let ask = |docker| Docker::remove_volume(docker, id, Some(RemoveVolumeOptions { force }));
        self.engine.call(call, DEADLINE, ask).await
    }
}

impl From<Volume> for VolumeInfo {
    fn from(answer: Volume) -> Self {
        Self {
            name: answer.name,
            driver: answer.driver,
            mountpoint: answer.mountpoint,
            labels: answer.labels.into_iter().collect(),
            options: answer.options.into_iter().collect(),
        }
    }
}
