//! The SDK's client and the credentials it keeps, which are replaced together.
//!
//! The SDK asks a role's endpoint again before its credentials expire, but it reads the
//! files of a profile once and keeps what has no expiry. A new session reads everything
//! anew; the connections stay, for they belong to the HTTP client.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::ProvideCredentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::time::timeout;

use super::credentials;
use crate::config::Region;
use crate::publish::Failure;

/// The share of an attempt's time that connecting may take.
const CONNECT_SHARE: f32 = 0.9;

/// The session in use, and what the next one is made from.
pub(super) struct Sessions {
    region: aws_config::Region,
    http: SharedHttpClient,
    timeout: Duration,
    current: Mutex<Arc<Session>>,
}

/// A client that has looked for credentials at most once.
pub(super) struct Session {
    client: Client,
    config: SdkConfig,
    timeout: Duration,
    /// The service refused its credentials.
    refused: AtomicBool,
}

impl Sessions {
    pub(super) async fn start(region: &Region, http: SharedHttpClient, timeout: Duration) -> Self {
        let region = aws_config::Region::new(region.as_str().to_owned());
        let first = Session::new(region.clone(), http.clone(), timeout).await;
        Self {
            region,
            http,
            timeout,
            current: Mutex::new(Arc::new(first)),
        }
    }

    pub(super) fn current(&self) -> Arc<Session> {
        self.lock().clone()
    }

    /// A session whose credentials the service has not refused. Refused ones may have
    /// been replaced where they came from, so it is looked for them there.
    pub(super) async fn trusted(&self) -> Result<Arc<Session>, Failure> {
        if self.current().refused.load(Ordering::Relaxed) {
            self.renew().await?;
        }
        Ok(self.current())
    }

    /// Notes that the service refused the credentials of a session.
    pub(super) fn distrust(&self, session: &Session) {
        session.refused.store(true, Ordering::Relaxed);
    }

    /// Begins a new session, if credentials are found.
    pub(super) async fn renew(&self) -> Result<(), Failure> {
        let next = Session::new(self.region.clone(), self.http.clone(), self.timeout).await;
        next.resolve().await?;
        *self.lock() = Arc::new(next);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Session>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    async fn new(region: aws_config::Region, http: SharedHttpClient, timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            // Sooner than the attempt as a whole, so that the log names what took too long.
            .connect_timeout(timeout.mul_f32(CONNECT_SHARE))
            .operation_timeout(timeout)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .http_client(http)
            // `publish` owns retrying: two loops would multiply.
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .timeout_config(timeouts)
            .load()
            .await;
        Self {
            client: Client::new(&config),
            config,
            timeout,
            refused: AtomicBool::new(false),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether there are credentials.
    pub(super) async fn resolve(&self) -> Result<(), Failure> {
        let Some(provider) = self.config.credentials_provider() else {
            return Err(credentials::none());
        };
        // Not every provider's time-out is the one that was asked for.
        match timeout(self.timeout, provider.provide_credentials()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(credentials::failure(error)),
            Err(_) => Err(credentials::late(self.timeout)),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
