//! Networks.

use std::collections::BTreeMap;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;

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
    /// The networks that pass the filters.
    pub async fn list_networks(
        &self,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<NetworkSummary>, DockerClientError> {
        let _ = filters;
        Err(DockerClientError::unfinished("network"))
    }

    /// A network and who is in it.
    pub async fn inspect_network(
        &self,
        network: &str,
    ) -> Result<NetworkDetails, DockerClientError> {
        let _ = network;
        Err(DockerClientError::unfinished("network"))
    }

    /// Makes a network and gives its id; without a driver, a bridge.
    pub async fn create_network(
        &self,
        network: &str,
        driver: Option<&str>,
        labels: BTreeMap<String, String>,
    ) -> Result<String, DockerClientError> {
        let _ = (network, driver, labels);
        Err(DockerClientError::unfinished("network"))
    }

    /// Connects a container to a network, where it answers to `aliases` too.
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        aliases: Vec<String>,
    ) -> Result<(), DockerClientError> {
        let _ = (network, container, aliases);
        Err(DockerClientError::unfinished("network"))
    }

    /// Takes a container out of a network.
    pub async fn disconnect_network(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<(), DockerClientError> {
        let _ = (network, container, force);
        Err(DockerClientError::unfinished("network"))
    }

    /// Removes a network that nobody is in.
    pub async fn remove_network(&self, network: &str) -> Result<(), DockerClientError> {
        let _ = network;
        Err(DockerClientError::unfinished("network"))
    }
}
