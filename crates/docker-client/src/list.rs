//! Lists of containers.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerSummary as Answer, ContainerSummaryStateEnum, PortSummary, PortSummaryTypeEnum,
};
use bollard::query_parameters::ListContainersOptions;

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::info::{ContainerState, PortInfo, bare_name};
use crate::timestamp::Timestamp;

/// Which containers to list.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// Those that do not run, too.
    pub all: bool,
    /// At most so many, the newest first.
    pub limit: Option<u32>,
    /// Docker's filters: all keys must match, and one of a key's values (all of `label`'s).
    pub filters: BTreeMap<String, Vec<String>>,
}

impl ListOptions {
    /// Running containers, or all.
    pub fn new(all: bool) -> Self {
        Self {
            all,
            ..Self::default()
        }
    }

    /// Adds a filter: `("label", "app=web")`, `("status", "exited")`, `("name", "web")`, …
    #[must_use]
    pub fn filter(mut self, key: &str, value: &str) -> Self {
        self.filters
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
        self
    }
}

/// A container in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerSummary {
    /// The full id.
    pub id: String,
    /// The name, without the slash that the API puts before it.
    pub name: String,
    /// All names: links give a container more than one.
    pub names: Vec<String>,
    /// The image as it was asked for.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// The command as one text.
    pub command: String,
    /// When it was made, to the second.
    pub created: Timestamp,
    /// The state.
    pub state: ContainerState,
    /// The state in words: `Up 5 minutes (healthy)`.
    pub status: String,
    /// Its ports.
    pub ports: Vec<PortInfo>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The names of the networks that it is in.
    pub networks: Vec<String>,
}

impl DockerApiClient {
    /// The running containers, or all, the newest first.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// for container in docker.list_containers(true).await? {
    ///     println!("{} {}", container.name, container.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_containers(
        &self,
        all: bool,
    ) -> Result<Vec<ContainerSummary>, DockerClientError> {
        self.list_containers_with(ListOptions::new(all)).await
    }

    /// The containers that pass the filters, the newest first.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::Engine`] with status 400 for a filter that the engine does not know.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::ListOptions;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let options = ListOptions::new(true).filter("label", "app=web").filter("status", "exited");
    /// println!("{} ended", docker.list_containers_with(options).await?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_containers_with(
        &self,
        options: ListOptions,
    ) -> Result<Vec<ContainerSummary>, DockerClientError> {
        let query = ListContainersOptions {
            all: options.all,
            limit: options
                .limit
                .map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)),
            size: false,
            filters: filters(options.filters),
        };
        let call = Call::engine("list the containers of");
        let ask = |docker| bollard::Docker::list_containers(docker, Some(query.clone()));
        let answer = self.engine.call(call, DEADLINE, ask).await?;
        Ok(answer.into_iter().map(ContainerSummary::from).collect())
    }
}

/// Filters as bollard takes them.
pub(crate) fn filters(
    filters: BTreeMap<String, Vec<String>>,
) -> Option<HashMap<String, Vec<String>>> {
    (!filters.is_empty()).then(|| filters.into_iter().collect())
}

impl From<Answer> for ContainerSummary {
    fn from(answer: Answer) -> Self {
        let names: Vec<String> = answer
            .names
            .unwrap_or_default()
            .iter()
            .map(|name| bare_name(name))
            .collect();
        // Names with a slash inside are links from other containers.
        let name = names
            .iter()
            .find(|name| !name.contains('/'))
            .or(names.first());
        let networks = answer
            .network_settings
            .and_then(|settings| settings.networks);
        let mut networks: Vec<String> = networks.unwrap_or_default().into_keys().collect();
        networks.sort();
        let mut ports: Vec<PortInfo> = answer
            .ports
            .unwrap_or_default()
            .into_iter()
            .map(port)
            .collect();
        ports.sort();
        Self {
            id: answer.id.unwrap_or_default(),
            name: name.cloned().unwrap_or_default(),
            names,
            image: answer.image.unwrap_or_default(),
            image_id: answer.image_id.unwrap_or_default(),
            command: answer.command.unwrap_or_default(),
            created: seconds(answer.created.unwrap_or(0)),
            state: answer.state.map_or(ContainerState::Exited, state),
            status: answer.status.unwrap_or_default(),
            ports,
            labels: answer.labels.unwrap_or_default().into_iter().collect(),
            networks,
        }
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000))
}

fn state(state: ContainerSummaryStateEnum) -> ContainerState {
    use ContainerSummaryStateEnum as State;
    match state {
        State::CREATED => ContainerState::Created,
        State::RUNNING | State::STOPPING => ContainerState::Running,
        State::PAUSED => ContainerState::Paused,
        State::RESTARTING => ContainerState::Restarting,
        State::REMOVING => ContainerState::Removing,
        State::EXITED | State::EMPTY => ContainerState::Exited,
        State::DEAD => ContainerState::Dead,
    }
}

fn port(port: PortSummary) -> PortInfo {
    let protocol = match port.typ {
        Some(PortSummaryTypeEnum::UDP) => "udp",
        Some(PortSummaryTypeEnum::SCTP) => "sctp",
        _ => "tcp",
    };
    PortInfo {
        container_port: port.private_port,
        protocol: protocol.to_owned(),
        host: port
            .public_port
            .map(|public| (port.ip.unwrap_or_default(), public)),
    }
}
