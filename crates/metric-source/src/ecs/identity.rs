//! Which task this is: its family, its id and its cluster, for dimensions that name it. It is
//! asked for once, for a task does not change while it runs.

use crate::http::{HttpError, HttpUrl, ParseUrlError, Request};
use crate::{HttpConfig, Resources, SampleError};

use super::task::{TaskError, identity};

/// A task of Amazon ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskIdentity {
    /// The family of its task definition.
    pub family: String,
    /// What tells it from others of its cluster: the end of its ARN.
    pub id: String,
    /// The short name of its cluster.
    pub cluster: String,
}

/// Why the task cannot be told.
#[derive(Debug, thiserror::Error)]
enum TaskIdentityError {
    #[error("ECS_CONTAINER_METADATA_URI_V4 is no URL")]
    Url { source: ParseUrlError },
    #[error("ask the ECS task metadata endpoint")]
    Http { source: HttpError },
    #[error("understand the ECS task metadata endpoint")]
    Task { source: TaskError },
}

/// Asks the endpoint at `uri` (`ECS_CONTAINER_METADATA_URI_V4`). The answer is bounded; the
/// caller bounds the time.
pub async fn task_identity(uri: &str) -> Result<TaskIdentity, SampleError> {
    let url = format!("{}/task", uri.trim_end_matches('/'));
    let url: HttpUrl = url
        .parse()
        .map_err(|source| TaskIdentityError::Url { source })?;
    // The endpoint is on a link-local address, which no proxy reaches.
    let resources = Resources::new(HttpConfig::default());
    let page = resources.direct.get(&Request::new(url)).await;
    let page = page.map_err(|source| TaskIdentityError::Http { source })?;
    let parts = identity(&page.text).map_err(|source| TaskIdentityError::Task { source })?;
    let [family, cluster, id] = parts;
    Ok(TaskIdentity {
        family,
        id,
        cluster,
    })
}
