//! Everything about one container.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum, PortMap,
};
use bollard::query_parameters::InspectContainerOptions;

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::name;
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

impl ContainerState {
    /// Whether its main process exists: running or paused.
    pub fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }
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
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// let info = docker.get_container_info("web").await?;
    /// println!("{} runs {} since {:?}", info.name, info.image, info.started);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_container_info(&self, name: &str) -> Result<ContainerInfo, DockerClientError> {
        self.inspect(name).await.map(ContainerInfo::from)
    }

    /// Whether there is such a container, running or not.
    ///
    /// # Errors
    ///
    /// An engine that cannot be reached is an error, not `false`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// if !docker.container_exists("web").await? {
    ///     println!("there is no web");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn container_exists(&self, name: &str) -> Result<bool, DockerClientError> {
        match self.inspect(name).await {
            Ok(_) => Ok(true),
            Err(DockerClientError::ContainerNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the container exists and runs; a paused one runs.
    ///
    /// # Errors
    ///
    /// An engine that cannot be reached is an error, not `false`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// println!("running: {}", docker.container_is_running("web").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn container_is_running(&self, name: &str) -> Result<bool, DockerClientError> {
        match self.get_container_info(name).await {
            Ok(info) => Ok(info.state.is_running()),
            Err(DockerClientError::ContainerNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn inspect(
        &self,
        name: &str,
    ) -> Result<ContainerInspectResponse, DockerClientError> {
        let call = Call::container("inspect", name);
        let id = name::container(name)?;
        let ask = |docker| {
            bollard::Docker::inspect_container(docker, id, None::<InspectContainerOptions>)
        };
        self.engine.call(call, DEADLINE, ask).await
    }
}

impl From<ContainerInspectResponse> for ContainerInfo {
    fn from(answer: ContainerInspectResponse) -> Self {
        let state = answer.state.unwrap_or_default();
        let config = answer.config.unwrap_or_default();
        let host = answer.host_config.unwrap_or_default();
        let settings = answer.network_settings.unwrap_or_default();
        let log = host.log_config.unwrap_or_default();
        let status = state_of(state.status, state.running);
        let code = state.exit_code.unwrap_or(0);
        let ran = !status.is_running() && (status != ContainerState::Created || code != 0);
        let health = state.health.and_then(|health| health.status);
        Self {
            id: answer.id.unwrap_or_default(),
            name: bare_name(answer.name.as_deref().unwrap_or_default()),
            image: config.image.clone().unwrap_or_default(),
            image_id: answer.image.unwrap_or_default(),
            state: status,
            health: health.map_or(Health::None, health_of),
            created: answer.created.as_deref().and_then(moment),
            started: state.started_at.as_deref().and_then(moment),
            finished: state.finished_at.as_deref().and_then(moment),
            exit_code: ran.then_some(code),
            error: state.error.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
            restarts: u64::try_from(answer.restart_count.unwrap_or(0)).unwrap_or(0),
            pid: state.pid.unwrap_or(0),
            command: answer
                .path
                .into_iter()
                .chain(answer.args.unwrap_or_default())
                .collect(),
            ports: ports_of(&config, settings.ports.unwrap_or_default()),
            mounts: answer
                .mounts
                .unwrap_or_default()
                .into_iter()
                .map(|mount| MountInfo {
                    kind: mount.typ.unwrap_or_default(),
                    name: mount.name.filter(|name| !name.is_empty()),
                    source: mount.source.unwrap_or_default(),
                    destination: mount.destination.unwrap_or_default(),
                    writable: mount.rw.unwrap_or_default(),
                })
                .collect(),
            networks: networks_of(settings.networks.unwrap_or_default()),
            environment: config
                .env
                .unwrap_or_default()
                .iter()
                .map(|pair| variable(pair))
                .collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            tty: config.tty.unwrap_or_default(),
            log_driver: log.typ.unwrap_or_default(),
            log_options: log.config.unwrap_or_default().into_iter().collect(),
            auto_remove: host.auto_remove.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
        }
    }
}

/// The API puts a slash before names.
pub(crate) fn bare_name(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

/// Go's zero time means never.
fn moment(text: &str) -> Option<Timestamp> {
    if text.starts_with("0001-") {
        return None;
    }
    text.parse().ok()
}

fn variable(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.to_owned(), value.to_owned())
}

fn state_of(status: Option<ContainerStateStatusEnum>, running: Option<bool>) -> ContainerState {
    use ContainerStateStatusEnum as Status;
    match status {
        Some(Status::CREATED) => ContainerState::Created,
        Some(Status::RUNNING | Status::STOPPING) => ContainerState::Running,
        Some(Status::PAUSED) => ContainerState::Paused,
        Some(Status::RESTARTING) => ContainerState::Restarting,
        Some(Status::REMOVING) => ContainerState::Removing,
        Some(Status::EXITED) => ContainerState::Exited,
        Some(Status::DEAD) => ContainerState::Dead,
        Some(Status::EMPTY) | None => match running {
            Some(true) => ContainerState::Running,
            _ => ContainerState::Exited,
        },
    }
}

fn health_of(status: HealthStatusEnum) -> Health {
    match status {
        HealthStatusEnum::STARTING => Health::Starting,
        HealthStatusEnum::HEALTHY => Health::Healthy,
        HealthStatusEnum::UNHEALTHY => Health::Unhealthy,
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => Health::None,
    }
}

/// Published ports, and those that are only exposed: a stopped container has only these.
fn ports_of(config: &ContainerConfig, published: PortMap) -> Vec<PortInfo> {
    let mut ports = Vec::new();
    for port in config.exposed_ports.iter().flatten() {
        if !published.contains_key(port) {
            ports.extend(port_of(port, None));
        }
    }
    for (port, bindings) in &published {
        let bindings = bindings.as_deref().unwrap_or_default();
        if bindings.is_empty() {
            ports.extend(port_of(port, None));
        }
        for binding in bindings {
            let ip = binding.host_ip.clone().unwrap_or_default();
            let host = binding
                .host_port
                .as_deref()
                .and_then(|port| port.parse().ok());
            ports.extend(port_of(port, host.map(|port| (ip, port))));
        }
    }
    ports.sort();
    ports
}

/// `80/tcp`.
fn port_of(text: &str, host: Option<(String, u16)>) -> Option<PortInfo> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some(PortInfo {
        container_port: port.parse().ok()?,
        protocol: protocol.to_owned(),
        host,
    })
}

fn networks_of(
    networks: std::collections::HashMap<String, bollard::models::EndpointSettings>,
) -> Vec<NetworkInfo> {
    let mut networks: Vec<NetworkInfo> = networks
        .into_iter()
        .map(|(name, endpoint)| NetworkInfo {
            name,
            network_id: endpoint.network_id.unwrap_or_default(),
            ip_address: endpoint.ip_address.unwrap_or_default(),
            aliases: endpoint.aliases.unwrap_or_default(),
        })
        .collect();
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    networks
}
