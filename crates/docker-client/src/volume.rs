//! Volumes.

use std::collections::BTreeMap;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;

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
    /// The volumes that pass the filters.
    pub async fn list_volumes(
        &self,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<VolumeInfo>, DockerClientError> {
        let _ = filters;
        Err(DockerClientError::unfinished("volume"))
    }

    /// One volume.
    pub async fn inspect_volume(&self, volume: &str) -> Result<VolumeInfo, DockerClientError> {
        let _ = volume;
        Err(DockerClientError::unfinished("volume"))
    }

    /// Makes a volume; one that is there already is a success. Without a driver, `local`.
    pub async fn create_volume(
        &self,
        volume: &str,
        driver: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<VolumeInfo, DockerClientError> {
        let _ = (volume, driver, labels);
        Err(DockerClientError::unfinished("volume"))
    }

    /// Removes a volume that no container has.
    pub async fn remove_volume(&self, volume: &str, force: bool) -> Result<(), DockerClientError> {
        let _ = (volume, force);
        Err(DockerClientError::unfinished("volume"))
    }
}
