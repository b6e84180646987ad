//! Making, starting, stopping and removing containers.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::ContainerCreateBody;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;

/// A container to make. What has no field here goes into `body`, which the other fields are
/// laid over.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CreateContainer {
    /// The image.
    pub image: String,
    /// The name; default: the engine invents one.
    pub name: Option<String>,
    /// The command; default: the image's.
    pub cmd: Option<Vec<String>>,
    /// What runs the command; default: the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Variables, `(name, value)`.
    pub env: Vec<(String, String)>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The working directory; default: the image's.
    pub workdir: Option<String>,
    /// The user; default: the image's.
    pub user: Option<String>,
    /// Give it a terminal.
    pub tty: bool,
    /// Mounts as `docker run --volume` has them: `/host:/container:ro`, `volume:/container`.
    pub volumes: Vec<String>,
    /// Ports to publish.
    pub ports: Vec<PortPublish>,
    /// The network; default: the engine's.
    pub network: Option<String>,
    /// Most memory in bytes.
    pub memory: Option<u64>,
    /// Most processors, as 1.5.
    pub cpus: Option<f64>,
    /// Most processes.
    pub pids_limit: Option<u32>,
    /// The engine removes it at its end, its log included.
    pub auto_remove: bool,
    /// The logging driver and its options; default: the engine's.
    pub log: Option<(String, BTreeMap<String, String>)>,
    /// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:5`.
    pub restart: Option<String>,
    /// As `linux/arm64`; default: the engine's.
    pub platform: Option<String>,
    /// All else, as the API has it.
    pub body: ContainerCreateBody,
}

/// A port to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPublish {
    /// Inside the container.
    pub container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address; empty for all.
    pub host_ip: String,
    /// The host's port; 0 for any free one.
    pub host_port: u16,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerExit {
    /// The program's exit code; 128 and a signal's number if that killed it.
    pub exit_code: i64,
    /// The engine's words if it could not wait; else empty.
    pub error: String,
}

impl CreateContainer {
    /// A container of this image with all else as the image and the engine have it.
    pub fn new(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            ..Self::default()
        }
    }
}

impl DockerApiClient {
    /// Makes a container and gives its id. It is not started.
    pub async fn create_container(
        &self,
        container: CreateContainer,
    ) -> Result<String, DockerClientError> {
        let _ = container;
        Err(DockerClientError::unfinished("create"))
    }

    /// Starts a container; one that runs is a success.
    pub async fn start_container(&self, name: &str) -> Result<(), DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("start"))
    }

    /// Stops a container: its stop signal, and after `grace` SIGKILL; default: the container's
    /// own grace, else 10 s. One that does not run is a success.
    pub async fn stop_container(
        &self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(), DockerClientError> {
        let _ = (name, grace);
        Err(DockerClientError::unfinished("stop"))
    }

    /// Stops as [`DockerApiClient::stop_container`] and starts.
    pub async fn restart_container(
        &self,
        name: &str,
        grace: Option<Duration>,
    ) -> Result<(), DockerClientError> {
        let _ = (name, grace);
        Err(DockerClientError::unfinished("restart"))
    }

    /// Freezes a container's processes; a paused one is a success.
    pub async fn pause_container(&self, name: &str) -> Result<(), DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("pause"))
    }

    /// Lets a paused container go on; one that is not paused is a success.
    pub async fn unpause_container(&self, name: &str) -> Result<(), DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("unpause"))
    }

    /// Sends a signal to the main process: `SIGTERM`, `HUP`, `9`; default SIGKILL.
    pub async fn kill_container(
        &self,
        name: &str,
        signal: Option<&str>,
    ) -> Result<(), DockerClientError> {
        let _ = (name, signal);
        Err(DockerClientError::unfinished("kill"))
    }

    /// Waits until a container does not run; no deadline, survives an engine's restart.
    pub async fn wait_container(&self, name: &str) -> Result<ContainerExit, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("wait"))
    }

    /// Gives a container another name.
    pub async fn rename_container(
        &self,
        name: &str,
        new_name: &str,
    ) -> Result<(), DockerClientError> {
        let _ = (name, new_name);
        Err(DockerClientError::unfinished("rename"))
    }

    /// Removes a container; with `force` a running one too, with `volumes` its anonymous
    /// volumes too.
    pub async fn remove_container(
        &self,
        name: &str,
        force: bool,
        volumes: bool,
    ) -> Result<(), DockerClientError> {
        let _ = (name, force, volumes);
        Err(DockerClientError::unfinished("remove"))
    }
}
