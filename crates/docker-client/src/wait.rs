//! Waiting for a container's end.

use std::time::Duration;

use http::Method;
use serde::Deserialize;

use crate::client::DockerApiClient;
use crate::engine::call::Call;
use crate::engine::{Streamed, body};
use crate::error::DockerClientError;
use crate::name;

/// How long an engine that does not answer is asked again.
const RECONNECT_FOR: Duration = Duration::from_secs(600);
const DELAY: Duration = Duration::from_secs(1);
/// An exit code and a sentence.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerExit {
    /// The program's exit code; 128 and a signal's number if that killed it.
    pub exit_code: i64,
    /// The engine's words if it could not wait; else empty.
    pub error: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "StatusCode")]
    status_code: i64,
    #[serde(rename = "Error")]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "Message", default)]
    message: String,
}

impl DockerApiClient {
    /// Waits until a container does not run, however long that takes, an engine's restart of
    /// up to 10 minutes included. One that does not run is told at once.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ContainerNotFound`], also if it is removed while the engine is
    /// away; [`DockerClientError::EngineUnavailable`] if that stays away.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// println!("ended with {}", docker.wait_container("job").await?.exit_code);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_container(&self, name: &str) -> Result<ContainerExit, DockerClientError> {
        // By id: the name may be given to another container meanwhile.
        let id = self.get_container_info(name).await?.id;
        let mut away = None;
        loop {
            match self.wait_once(name, &id).await {
                Err(error) if error.is_transient() => {
                    let since = *away.get_or_insert_with(tokio::time::Instant::now);
                    if since.elapsed() >= RECONNECT_FOR {
                        return Err(error);
                    }
                    tokio::time::sleep(DELAY).await;
                }
                result => return result,
            }
        }
    }

    async fn wait_once(&self, name: &str, id: &str) -> Result<ContainerExit, DockerClientError> {
        let call = Call::container("wait for", name);
        let mut request = Streamed::get(format!("/containers/{}/wait", name::container(id)?), &[]);
        request.method = Method::POST;
        // Engines send the beginning of the answer at once or with its end.
        request.deadline = None;
        let mut answer = self.engine.open(call, request).await?.into_body();
        let mut json = Vec::new();
        while let Some(bytes) = body::next(&mut answer, call, &self.engine).await? {
            json.extend_from_slice(&bytes);
            if json.len() > LONGEST_ANSWER {
                let limit = LONGEST_ANSWER as u64;
                return Err(DockerClientError::TooLarge {
                    what: call.to_string(),
                    limit,
                });
            }
        }
        if json.trim_ascii().is_empty() {
            // The engine is about to stop.
            return Err(self.engine.told(call, 503, "the engine broke off"));
        }
        let answer: Answer =
            serde_json::from_slice(&json).map_err(|source| DockerClientError::Decode {
                operation: call.to_string(),
                source: Box::new(source),
            })?;
        Ok(ContainerExit {
            exit_code: answer.status_code,
            error: answer
                .error
                .map(|failure| failure.message)
                .unwrap_or_default(),
        })
    }
}
