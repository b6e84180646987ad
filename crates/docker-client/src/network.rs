//! Networks.

use std::collections::{BTreeMap, HashMap};

use bollard::Docker;
use bollard::models::{
    EndpointSettings, Network, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest, NetworkInspect,
};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::{list, name};

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkSummary {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// `bridge`, `host`, `null`, …
    pub driver: String,
    /// `local` or `swarm`.
    pub scope: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A network and who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkDetails {
    /// The network.
    pub network: NetworkSummary,
    /// Its address ranges, as `172.18.0.0/16`.
    pub subnets: Vec<String>,
    /// The running containers in it: id to name.
    pub containers: BTreeMap<String, String>,
}

impl DockerApiClient {
    /// The networks that pass the filters; all without filters.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// for network in docker.list_networks(Default::default()).await? {
    ///     println!("{} {}", network.name, network.driver);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_networks(
        &self,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<NetworkSummary>, DockerClientError> {
        let query = ListNetworksOptions {
            filters: list::filters(filters),
        };
        let call = Call::engine("list the networks of");
        let ask = |docker| Docker::list_networks(docker, Some(query.clone()));
        let answer = self.engine.call(call, DEADLINE, ask).await?;
        Ok(answer.into_iter().map(NetworkSummary::from).collect())
    }

    /// A network and who is in it.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::NetworkNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// println!("{:?}", docker.inspect_network("bridge").await?.subnets);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inspect_network(
        &self,
        network: &str,
    ) -> Result<NetworkDetails, DockerClientError> {
        let id = name::network(network)?;
        let call = Call::network("inspect", network);
        let ask = |docker| Docker::inspect_network(docker, id, None::<InspectNetworkOptions>);
        self.engine
            .call(call, DEADLINE, ask)
            .await
            .map(NetworkDetails::from)
    }

    /// Makes a network and gives its id; without a driver, a bridge.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::Conflict`] if there is one of this name.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.create_network("app", None, Default::default()).await?;
    /// docker.connect_network("app", "web", vec!["www".to_owned()]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_network(
        &self,
        network: &str,
        driver: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<String, DockerClientError> {
        let body = NetworkCreateRequest {
            name: name::network(network)?.to_owned(),
            driver: Some(driver.unwrap_or("bridge").to_owned()),
            labels: Some(labels.into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        // Engines before API 1.44 allow two of one name unless they are asked to check, which
        // the models know no more of.
        let same_name = BTreeMap::from([("name".to_owned(), vec![network.to_owned()])]);
        if self
            .list_networks(same_name)
            .await?
            .iter()
            .any(|other| other.name == network)
        {
            return Err(DockerClientError::Conflict {
                operation: Call::network("create", network).to_string(),
                message: format!("network with name {network} already exists"),
            });
        }
        let call = Call::network("create", network);
        let ask = |docker| Docker::create_network(docker, body.clone());
        self.engine
            .call(call, DEADLINE, ask)
            .await
            .map(|created| created.id)
    }

    /// Connects a container to a network, where it answers to `aliases` too.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::NetworkNotFound`], [`DockerClientError::ContainerNotFound`];
    /// [`DockerClientError::Engine`] with status 403 if it is connected already.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.connect_network("app", "web", Vec::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: Vec<String>,
    ) -> Result<(), DockerClientError> {
        let id = name::network(network)?;
        let endpoint = EndpointSettings {
            aliases: (!aliases.is_empty()).then_some(aliases),
            ..EndpointSettings::default()
        };
        let body = NetworkConnectRequest {
            container: name::container(container)?.to_owned(),
            endpoint_config: Some(endpoint),
        };
        let call = Call::network("connect a container to", network);
        let ask = |docker| Docker::connect_network(docker, id, body.clone());
        let connected = self.engine.call(call, DEADLINE, ask).await;
        self.which_is_missing(connected, container).await
    }

    /// Takes a container out of a network.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::NetworkNotFound`], [`DockerClientError::ContainerNotFound`];
    /// [`DockerClientError::Engine`] if it is not in the network.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.disconnect_network("app", "web", false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), DockerClientError> {
        let id = name::network(network)?;
        let body = NetworkDisconnectRequest {
            container: name::container(container)?.to_owned(),
            force: Some(force),
        };
        let call = Call::network("disconnect a container from", network);
        let ask = |docker| Docker::disconnect_network(docker, id, body.clone());
        let disconnected = self.engine.call(call, DEADLINE, ask).await;
        self.which_is_missing(disconnected, container).await
    }

    /// Removes a network that nobody is in.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::NetworkNotFound`]; [`DockerClientError::Engine`] with status 403 if
    /// containers are in it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.remove_network("app").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_network(&self, network: &str) -> Result<(), DockerClientError> {
        let id = name::network(network)?;
        let call = Call::network("remove", network);
        self.engine
            .call(call, DEADLINE, |docker| docker.remove_network(id))
            .await
    }

    /// A 404 of a call that names a network and a container may mean either.
    async fn which_is_missing(
        &self,
        result: Result<(), DockerClientError>,
        container: &str,
    ) -> Result<(), DockerClientError> {
        match result {
            Err(DockerClientError::NetworkNotFound { .. })
                if !self.container_exists(container).await? =>
            {
                Err(DockerClientError::ContainerNotFound {
                    name: container.to_owned(),
                })
            }
            result => result,
        }
    }
}

impl From<Network> for NetworkSummary {
    fn from(answer: Network) -> Self {
        Self {
            id: answer.id.unwrap_or_default(),
            name: answer.name.unwrap_or_default(),
            driver: answer.driver.unwrap_or_default(),
            scope: answer.scope.unwrap_or_default(),
            internal: answer.internal.unwrap_or_default(),
            labels: labels(answer.labels),
        }
    }
}

impl From<NetworkInspect> for NetworkDetails {
    fn from(answer: NetworkInspect) -> Self {
        let ranges = answer.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let containers = answer.containers.unwrap_or_default();
        Self {
            network: NetworkSummary {
                id: answer.id.unwrap_or_default(),
                name: answer.name.unwrap_or_default(),
                driver: answer.driver.unwrap_or_default(),
                scope: answer.scope.unwrap_or_default(),
                internal: answer.internal.unwrap_or_default(),
                labels: labels(answer.labels),
            },
            subnets: ranges
                .into_iter()
                .filter_map(|range| range.subnet)
                .collect(),
            containers: containers
                .into_iter()
                .map(|(id, endpoint)| (id, endpoint.name.unwrap_or_default()))
                .collect(),
        }
    }
}

fn labels(labels: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    labels.unwrap_or_default().into_iter().collect()
}
