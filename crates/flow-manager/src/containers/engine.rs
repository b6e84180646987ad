//! The engine, which may be away.

use std::fmt;
use std::future::Future;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError};
use tokio::time::sleep;

use crate::failure::{ErrorCode, Failure};

/// Before an attempt is repeated: an engine that is reloaded is back within half a second. One
/// that stays away is told to the client, who waits for an answer.
const DELAYS: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// The engine, as far as it is known to be there.
pub(crate) struct Engine {
    host: Option<String>,
    client: RwLock<Option<DockerApiClient>>,
}

impl Engine {
    /// The engine of a `DOCKER_HOST`; without one, the local one.
    pub(crate) fn new(host: Option<String>) -> Self {
        Self {
            host,
            client: RwLock::new(None),
        }
    }

    /// Connects, which makes it no less away until [`Engine::is_back`].
    pub(crate) async fn connect(&self) -> Result<DockerApiClient, DockerClientError> {
        match &self.host {
            Some(host) => DockerApiClient::connect_to(host).await,
            None => DockerApiClient::connect().await,
        }
    }

    /// Requests are passed on from now on.
    pub(crate) fn is_back(&self, client: DockerApiClient) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }

    /// Requests are refused at once from now on.
    pub(crate) fn is_away(&self) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether requests are passed on.
    pub(crate) fn is_there(&self) -> bool {
        self.client
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// The engine, unless it is known to be away.
    pub(crate) fn client(&self) -> Result<DockerApiClient, Failure> {
        let client = self
            .client
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        client.ok_or_else(|| {
            let message = "Docker does not answer; flow-manager tries again by itself";
            Failure::new(ErrorCode::EngineUnavailable, message)
        })
    }

    /// Asks for something that would be done twice if it were asked twice.
    pub(crate) async fn ask_once<T, F, Fut>(&self, ask: F) -> Result<T, Failure>
    where
        F: FnOnce(DockerApiClient) -> Fut,
        Fut: Future<Output = Result<T, DockerClientError>>,
    {
        Ok(ask(self.client()?).await?)
    }

    /// Asks for something that does no harm when it is asked twice; again if the engine went
    /// away for a moment.
    pub(crate) async fn ask<T, F, Fut>(&self, ask: F) -> Result<T, Failure>
    where
        F: Fn(DockerApiClient) -> Fut,
        Fut: Future<Output = Result<T, DockerClientError>>,
    {
        let mut delays = DELAYS.into_iter();
        loop {
            match ask(self.client()?).await {
                Err(error) if is_passing(&error) => match delays.next() {
                    Some(delay) => sleep(delay).await,
                    None => return Err(error.into()),
                },
                answer => return Ok(answer?),
            }
        }
    }
}

/// Not what takes a minute to fail, and no 500: Docker has that for lasting refusals, too.
fn is_passing(error: &DockerClientError) -> bool {
    matches!(
        error,
        DockerClientError::EngineUnavailable { .. }
            | DockerClientError::Engine {
                status: 429 | 502 | 503 | 504,
                ..
            }
    )
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
