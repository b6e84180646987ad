//! What is told of containers, and what is asked for when one is created.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use docker_client::{ContainerStats, Health};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Moment;

/// A container to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerConfig {
    /// The image.
    pub image: String,
    /// The name; without one the engine invents it.
    #[serde(default)]
    pub name: Option<String>,
    /// Variables of its environment; may hold secrets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Folders and files of the host, and where they are in the container: `/data` or
    /// `/data:ro`.
    #[serde(default)]
    pub volumes: BTreeMap<String, String>,
    /// Ports of the container, and those of the host; 0 for any free one.
    #[serde(default)]
    pub ports: BTreeMap<ContainerPort, u16>,
    /// The command; without one the image's.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// The working directory; without one the image's.
    #[serde(default)]
    pub working_dir: Option<String>,
}

/// A port of a container: `8080` or `8080/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerPort {
    /// The number, 1 or more.
    pub number: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

/// Text that names no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a port is written 8080 or 8080/udp")]
pub struct PortError;

/// The protocols that Docker publishes.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

impl FromStr for ContainerPort {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let number = settings::digits(number).and_then(|number| u16::try_from(number).ok());
        let protocol = PROTOCOLS.into_iter().find(|known| *known == protocol);
        match (number, protocol) {
            (Some(number @ 1..), Some(protocol)) => Ok(Self { number, protocol }),
            _ => Err(PortError),
        }
    }
}

impl fmt::Display for ContainerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            "tcp" => write!(f, "{}", self.number),
            protocol => write!(f, "{}/{protocol}", self.number),
        }
    }
}

impl Serialize for ContainerPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContainerPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The states of a container: Docker's, and `stopped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Ended because it was asked to.
    Stopped,
    /// Frozen.
    Paused,
    /// Between two runs.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended by itself.
    Exited,
    /// Could not be removed.
    Dead,
}

impl ContainerState {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Running,
        Self::Stopped,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    /// What the engine says; `stopped` is its `exited` if a stop was the last thing asked for.
    #[must_use]
    pub fn of(state: docker_client::ContainerState, stop_was_asked: bool) -> Self {
        use docker_client::ContainerState as Engine;
        match state {
            Engine::Created => Self::Created,
            Engine::Running => Self::Running,
            Engine::Paused => Self::Paused,
            Engine::Restarting => Self::Restarting,
            Engine::Removing => Self::Removing,
            Engine::Dead => Self::Dead,
            _ if stop_was_asked => Self::Stopped,
            _ => Self::Exited,
        }
    }

    /// As it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether its main process exists.
    #[must_use]
    pub fn has_process(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a container's health check says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerHealth {
    /// The last check passed.
    Healthy,
    /// Too many checks in a row failed.
    Unhealthy,
    /// Not checked yet.
    Starting,
    /// There is no check.
    #[default]
    None,
}

impl From<Health> for ContainerHealth {
    fn from(health: Health) -> Self {
        match health {
            Health::None => Self::None,
            Health::Starting => Self::Starting,
            Health::Healthy => Self::Healthy,
            Health::Unhealthy => Self::Unhealthy,
        }
    }
}

/// A container as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerInfo {
    /// The full id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The state.
    pub status: ContainerState,
    /// The image as it was asked for.
    pub image: String,
    /// When it was created.
    pub created: Moment,
    /// Where flow-manager listens for it, on the host.
    pub socket_path: String,
    /// As they were asked for.
    pub ports: BTreeMap<ContainerPort, u16>,
    /// As it was asked for; see [`ContainerInfo::masked`].
    pub environment: BTreeMap<String, String>,
}

impl ContainerInfo {
    /// The same without the values of its environment, for who may not see them.
    #[must_use]
    pub fn masked(mut self) -> Self {
        for value in self.environment.values_mut() {
            "***".clone_into(value);
        }
        self
    }
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerStatus {
    /// The full id.
    pub id: String,
    /// The state.
    pub state: ContainerState,
    /// What its health check says.
    pub health: ContainerHealth,
    /// Seconds since it was started; `None` while it does not run.
    pub uptime: Option<f64>,
    /// Whether the flow in it is connected.
    pub socket_connected: bool,
    /// When something last came from the flow or went to it.
    pub last_communication: Option<Moment>,
    /// What it uses, at most five seconds old; `None` while that is not known.
    pub resource_usage: Option<ResourceUsage>,
    /// Whether the engine is away, and this is what it said last. It is told only then.
    #[serde(skip_serializing_if = "is_false")]
    pub stale: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What a container uses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ResourceUsage {
    /// Per cent of one processor.
    pub cpu_percent: f64,
    /// Bytes without the page cache that can be dropped.
    pub memory_bytes: u64,
    /// The limit in bytes.
    pub memory_limit_bytes: u64,
    /// Bytes received over all networks.
    pub network_rx_bytes: u64,
    /// Bytes sent over all networks.
    pub network_tx_bytes: u64,
    /// Bytes read from block devices.
    pub block_read_bytes: u64,
    /// Bytes written to block devices.
    pub block_write_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl From<ContainerStats> for ResourceUsage {
    fn from(stats: ContainerStats) -> Self {
        Self {
            cpu_percent: (stats.cpu_percent * 100.0).round() / 100.0,
            memory_bytes: stats.memory_bytes,
            memory_limit_bytes: stats.memory_limit_bytes,
            network_rx_bytes: stats.network_rx_bytes,
            network_tx_bytes: stats.network_tx_bytes,
            block_read_bytes: stats.block_read_bytes,
            block_write_bytes: stats.block_write_bytes,
            pids: stats.pids,
        }
    }
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogText {
    /// When the engine read it.
    pub timestamp: Option<Moment>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Without its newline; what is no UTF-8 is U+FFFD.
    pub text: String,
}

impl From<docker_client::LogLine> for LogText {
    fn from(line: docker_client::LogLine) -> Self {
        Self {
            timestamp: line.timestamp.map(Moment),
            stream: match line.stream {
                docker_client::Source::Stdout => "stdout",
                docker_client::Source::Stderr => "stderr",
            },
            text: line.text().into_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
