//! The SDK's client and the credentials it keeps, which are replaced together.
//!
//! The SDK asks a role's endpoint again before its credentials expire, but it reads the
//! files of a profile once and keeps what has no expiry. A new session reads everything
//! anew; the connections stay, for they belong to the HTTP client.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::ProvideCredentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::credentials;
use crate::config::Region;
use crate::publish::{Failure, FailureKind};

/// The share of an attempt's time that connecting may take.
const CONNECT_SHARE: f32 = 0.9;

/// The session in use, and what the next one is made from.
pub(super) struct Sessions {
    region: aws_config::Region,
    http: SharedHttpClient,
    timeout: Duration,
    current: Mutex<Arc<Session>>,
    /// How many sessions were begun.
    begun: AtomicU64,
    renewal: Mutex<Arc<Renewal>>,
}

/// A renewal that has begun or is about to. However many requests are refused at once,
/// they wait for one.
type Renewal = OnceCell<Result<(), SharedFailure>>;

/// A client that has looked for credentials at most once.
pub(super) struct Session {
    client: Client,
    config: SdkConfig,
    timeout: Duration,
    /// The service refused its credentials, or it had none.
    refused: AtomicBool,
    /// Its place among those that were begun.
    number: u64,
}

impl Sessions {
    pub(super) async fn start(region: &Region, http: SharedHttpClient, timeout: Duration) -> Self {
        let region = aws_config::Region::new(region.as_str().to_owned());
        let first = Session::new(region.clone(), http.clone(), timeout, 0).await;
        Self {
            region,
            http,
            timeout,
            current: Mutex::new(Arc::new(first)),
            begun: AtomicU64::new(0),
            renewal: Mutex::default(),
        }
    }

    pub(super) fn current(&self) -> Arc<Session> {
        lock(&self.current).clone()
    }

    /// Whether there are credentials. A session that had none is not asked again: some
    /// providers keep their first failure.
    pub(super) async fn resolve(&self) -> Result<(), Failure> {
        let session = self.current();
        if session.refused.load(Ordering::Relaxed) {
            return self.renew().await;
        }
        let resolved = session.resolve().await;
        if resolved.is_err() {
            self.distrust(&session);
        }
        resolved
    }

    /// A session whose credentials are not known to be bad. Bad ones may have been
    /// replaced where they came from, so it is looked for them there.
    pub(super) async fn trusted(&self) -> Result<Arc<Session>, Failure> {
        if self.current().refused.load(Ordering::Relaxed) {
            self.renew_with_others().await?;
        }
        Ok(self.current())
    }

    async fn renew_with_others(&self) -> Result<(), SharedFailure> {
        let renewal = lock(&self.renewal).clone();
        let renew = async || self.renew().await.map_err(SharedFailure::from);
        let renewed = renewal.get_or_init(renew).await.clone();
        // Whoever comes from now on did not wait for this one.
        let mut next = lock(&self.renewal);
        if Arc::ptr_eq(&next, &renewal) {
            *next = Arc::default();
        }
        renewed
    }

    /// Notes that the credentials of a session are no good.
    pub(super) fn distrust(&self, session: &Session) {
        session.refused.store(true, Ordering::Relaxed);
    }

    /// Begins a new session, if credentials are found. One that was begun later may have
    /// found newer ones by then, and stays.
    pub(super) async fn renew(&self) -> Result<(), Failure> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let (region, http) = (self.region.clone(), self.http.clone());
        let next = Session::new(region, http, self.timeout, number).await;
        next.resolve().await?;
        let mut current = lock(&self.current);
        if current.number < number {
            *current = Arc::new(next);
        }
        Ok(())
    }
}

/// What is locked here is whole at any moment, and locked for moments only.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure that each of those who waited is told.
#[derive(Clone, Debug)]
struct SharedFailure {
    kind: FailureKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl From<Failure> for SharedFailure {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind,
            source: failure.source.map(Arc::from),
        }
    }
}

impl From<SharedFailure> for Failure {
    fn from(shared: SharedFailure) -> Self {
        Self {
            kind: shared.kind,
            source: shared.source.map(|source| Box::new(source) as _),
        }
    }
}

impl Session {
    async fn new(
        region: aws_config::Region,
        http: SharedHttpClient,
        timeout: Duration,
        number: u64,
    ) -> Self {
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
            number,
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
