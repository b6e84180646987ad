//! Everything about one container.

use std::collections::BTreeMap;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::timestamp::Timestamp;

/// A container's state, as the engine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two runs, by its restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Could not be removed.
    Dead,
}

/// What the container's health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// There is no check.
    None,
    /// Not checked yet.
    Starting,
    /// The last check passed.
    Healthy,
    /// Too many checks in a row failed.
    Unhealthy,
}

/// A port of a container, and where it is published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortInfo {
    /// Inside the container.
    pub container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address and port; `None` if it is only exposed.
    pub host: Option<(String, u16)>,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountInfo {
    /// `bind`, `volume`, `tmpfs`, …
    pub kind: String,
    /// The volume's name.
    pub name: Option<String>,
    /// The path on the host.
    pub source: String,
    /// The path inside the container.
    pub destination: String,
    /// Whether it can be written.
    pub writable: bool,
}

/// A network that a container is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInfo {
    /// The network's name.
    pub name: String,
    /// The network's id.
    pub network_id: String,
    /// The container's IPv4 address in it; empty while it does not run.
    pub ip_address: String,
    /// Other names that it answers to.
    pub aliases: Vec<String>,
}

/// Everything about one container.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ContainerInfo {
    /// The full id.
    pub id: String,
    /// The name, without the slash that the API puts before it.
    pub name: String,
    /// The image as it was asked for.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The state.
    pub state: ContainerState,
    /// What the health check says.
    pub health: Health,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// When it last ended.
    pub finished: Option<Timestamp>,
    /// How the last run ended; `None` before the first and while it runs.
    pub exit_code: Option<i64>,
    /// The engine's words when it could not be started; else empty.
    pub error: String,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// How often its restart policy has started it.
    pub restarts: u64,
    /// The main process's id on the engine's host; 0 while it does not run.
    pub pid: i64,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its ports.
    pub ports: Vec<PortInfo>,
    /// What is mounted into it.
    pub mounts: Vec<MountInfo>,
    /// The networks that it is in.
    pub networks: Vec<NetworkInfo>,
    /// Its environment, `(name, value)`; may hold secrets.
    pub environment: Vec<(String, String)>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it has a terminal: its log then has one stream.
    pub tty: bool,
    /// Its logging driver.
    pub log_driver: String,
    /// Options of its logging driver.
    pub log_options: BTreeMap<String, String>,
    /// Whether the engine removes it at its end.
    pub auto_remove: bool,
    /// The working directory.
    pub working_dir: String,
    /// The user.
    pub user: String,
}

impl DockerApiClient {
    /// Everything about one container.
    pub async fn get_container_info(&self, name: &str) -> Result<ContainerInfo, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("info"))
    }

    /// Whether there is such a container, running or not. An engine that cannot be reached is
    /// an error.
    pub async fn container_exists(&self, name: &str) -> Result<bool, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("exists"))
    }

    /// Whether the container exists and runs; a paused one runs. An engine that cannot be reached is an error.
    pub async fn container_is_running(&self, name: &str) -> Result<bool, DockerClientError> {
        let _ = name;
        Err(DockerClientError::unfinished("running"))
    }
}
