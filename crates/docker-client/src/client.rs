//! The client: where the engine is, and one connection pool for all tasks.

use std::sync::Arc;

use crate::error::DockerClientError;

/// A typed client of one Docker engine. Clones share connections; all methods may be called
/// from many tasks at once.
#[derive(Clone, Debug)]
pub struct DockerApiClient {
    engine: Arc<()>,
}

/// What the engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// The engine's release, as `20.10.24`.
    pub version: String,
    /// The newest API version that it speaks.
    pub api_version: String,
    /// The oldest API version that it speaks.
    pub min_api_version: String,
    /// The version that this client uses with it.
    pub negotiated: String,
    /// The engine's operating system, as `linux`.
    pub os: String,
    /// The engine's processor architecture, as `amd64`.
    pub architecture: String,
}

/// One client for the whole process, connected as [`DockerApiClient::connect`] does. A failed
/// first try is not remembered: the next call tries again.
pub async fn get_docker_client() -> Result<DockerApiClient, DockerClientError> {
    DockerApiClient::connect().await
}

impl DockerApiClient {
    /// Connects to `DOCKER_HOST` (`unix://`, `tcp://`), else to the local socket, a rootless
    /// engine's included, and agrees on an API version.
    pub async fn connect() -> Result<Self, DockerClientError> {
        Err(DockerClientError::unfinished("connect"))
    }

    /// Connects to the engine at `url`: `unix:///run/docker.sock` or `tcp://host:2375`.
    pub async fn connect_to(url: &str) -> Result<Self, DockerClientError> {
        let _ = url;
        Err(DockerClientError::unfinished("connect"))
    }

    /// The engine's address as `DOCKER_HOST` would have it.
    pub fn address(&self) -> &str {
        let _ = &self.engine;
        ""
    }

    /// The API version in use, as `1.41`.
    pub fn api_version(&self) -> String {
        String::new()
    }

    /// Whether the engine answers.
    pub async fn ping(&self) -> Result<(), DockerClientError> {
        Err(DockerClientError::unfinished("ping"))
    }

    /// What the engine says about itself.
    pub async fn version(&self) -> Result<EngineVersion, DockerClientError> {
        Err(DockerClientError::unfinished("version"))
    }

    /// bollard's client over the same connections and API version, for what this crate does
    /// not offer. Names are not checked there.
    pub fn bollard(&self) -> &bollard::Docker {
        unreachable!("skeleton")
    }
}
