//! The client: one engine and its connections, shared by all tasks.

use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::address::{EngineAddress, Environment, process_environment};
use crate::engine::call::Call;
use crate::engine::{DEADLINE, Engine};
use crate::error::DockerClientError;
use crate::version::EngineVersion;

/// A typed client of one Docker engine. Clones share connections; all methods may be called
/// from many tasks at once.
///
/// A call has a deadline of 60 s unless its documentation says otherwise, and an answer a limit
/// of 64 MiB.
#[derive(Clone)]
pub struct DockerApiClient {
    pub(crate) engine: Arc<Engine>,
}

/// One client for the whole process, connected as [`DockerApiClient::connect`] does. A failed
/// first try is not remembered: the next call tries again.
///
/// # Errors
///
/// As [`DockerApiClient::connect`].
///
/// ```no_run
/// # async fn example() -> Result<(), docker_client::DockerClientError> {
/// let docker = docker_client::get_docker_client().await?;
/// println!("API {}", docker.api_version());
/// # Ok(())
/// # }
/// ```
pub async fn get_docker_client() -> Result<DockerApiClient, DockerClientError> {
    static CLIENT: OnceCell<DockerApiClient> = OnceCell::const_new();
    CLIENT
        .get_or_try_init(DockerApiClient::connect)
        .await
        .cloned()
}

impl DockerApiClient {
    /// Connects to `DOCKER_HOST` (`unix://`, `tcp://`; with the feature `tls` also as
    /// `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` say), else to the local socket, a rootless
    /// engine's included, and agrees on an API version, 1.40 to 1.53.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`], [`DockerClientError::PermissionDenied`],
    /// [`DockerClientError::ApiVersion`], [`DockerClientError::Address`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::DockerApiClient::connect().await?;
    /// docker.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect() -> Result<Self, DockerClientError> {
        Self::connect_from(&process_environment).await
    }

    /// Connects to the engine at `url`: `unix:///run/docker.sock` or `tcp://host:2375`.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::connect`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let url = "unix:///run/user/1000/docker.sock";
    /// let docker = docker_client::DockerApiClient::connect_to(url).await?;
    /// assert_eq!(docker.address(), url);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect_to(url: &str) -> Result<Self, DockerClientError> {
        Self::connect_at(EngineAddress::parse(url, &process_environment)?).await
    }

    async fn connect_from(env: Environment<'_>) -> Result<Self, DockerClientError> {
        Self::connect_at(EngineAddress::from_environment(env)?).await
    }

    async fn connect_at(address: EngineAddress) -> Result<Self, DockerClientError> {
        let engine = Arc::new(Engine::connect(address).await?);
        Ok(Self { engine })
    }

    /// The engine's address as `DOCKER_HOST` would have it.
    pub fn address(&self) -> &str {
        self.engine.address()
    }

    /// The API version in use, as `1.41`. An engine that is replaced by another release while
    /// this client lives is asked anew.
    pub fn api_version(&self) -> String {
        self.engine.api_version().to_string()
    }

    /// Whether the engine answers.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`] if it does not, and any other.
    pub async fn ping(&self) -> Result<(), DockerClientError> {
        let call = Call::engine("ping");
        self.engine
            .call(call, DEADLINE, |docker| docker.ping())
            .await
            .map(drop)
    }

    /// What the engine says about itself. Agrees on an API version anew.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::connect`].
    pub async fn version(&self) -> Result<EngineVersion, DockerClientError> {
        self.engine.negotiate().await
    }

    /// bollard's client over the same connections and with the same API version, for what this
    /// crate does not offer. It does not check names.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let docker = docker_client::get_docker_client().await?;
    /// let info = docker.bollard().info().await?;
    /// println!("{:?} processors", info.ncpu);
    /// # Ok(())
    /// # }
    /// ```
    pub fn bollard(&self) -> &bollard::Docker {
        self.engine.bollard()
    }
}

impl fmt::Debug for DockerApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerApiClient")
            .field("address", &self.address())
            .finish()
    }
}
