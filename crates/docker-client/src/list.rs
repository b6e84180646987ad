//! Lists of containers.

use std::collections::BTreeMap;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::info::{ContainerState, PortInfo};
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
    /// The running containers, or all.
    pub async fn list_containers(
        &self,
        all: bool,
    ) -> Result<Vec<ContainerSummary>, DockerClientError> {
        self.list_containers_with(ListOptions::new(all)).await
    }

    /// The containers that pass the filters.
    pub async fn list_containers_with(
        &self,
        options: ListOptions,
    ) -> Result<Vec<ContainerSummary>, DockerClientError> {
        let _ = options;
        Err(DockerClientError::unfinished("list"))
    }
}
