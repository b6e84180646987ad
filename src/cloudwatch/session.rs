//! The SDK's client and the credentials it keeps, which are replaced together.
//!
//! The SDK asks a role's endpoint again before its credentials expire, but it reads the
//! files of a profile once and keeps what has no expiry. A new session reads everything
//! anew; the connections stay, for they belong to the HTTP client. All that reads files is
//! done aside, within a time.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::ProvideCredentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::acceptance::OnlyTheService;
use super::aside::Aside;
use super::credentials::{self, ReadAside};
use super::files::SdkFiles;
use crate::config::Region;
use crate::publish::{Failure, FailureKind};

/// The share of an attempt's time that connecting may take.
const CONNECT_SHARE: f32 = 0.9;

/// The session in use, and what the next one is made from.
pub(super) struct Sessions {
    source: Source,
    current: Mutex<Option<Arc<Session>>>,
    /// How many sessions were begun.
    begun: AtomicU64,
    renewal: Mutex<Arc<Renewal>>,
}

/// What a session is made from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) region: aws_config::Region,
    pub(super) http: SharedHttpClient,
    pub(super) files: SdkFiles,
    /// The longest that one attempt may take.
    pub(super) timeout: Duration,
    pub(super) aside: Aside,
}

/// A renewal that has begun or is about to. However many requests are refused at once,
/// they wait for one.
type Renewal = OnceCell<Result<(), SharedFailure>>;

/// A client that found credentials when it was made.
pub(super) struct Session {
    client: Client,
    /// The service refused its credentials, or they could not be renewed.
    refused: AtomicBool,
    /// Its place among those that were begun.
    number: u64,
}

impl Sessions {
    /// No session yet; the first is begun when credentials are asked for.
    pub(super) fn new(
        region: &Region,
        http: SharedHttpClient,
        files: SdkFiles,
        timeout: Duration,
    ) -> Self {
        Self {
            source: Source {
                region: aws_config::Region::new(region.as_str().to_owned()),
                http,
                files,
                timeout,
                aside: Aside::default(),
            },
            current: Mutex::default(),
            begun: AtomicU64::new(0),
            renewal: Mutex::default(),
        }
    }

    fn current(&self) -> Option<Arc<Session>> {
        lock(&self.current).clone()
    }

    /// The session in use, unless its credentials are known to be bad.
    fn good(&self) -> Option<Arc<Session>> {
        let good = |session: &Arc<Session>| !session.refused.load(Ordering::Relaxed);
        self.current().filter(good)
    }

    /// A session whose credentials are not known to be bad. Bad ones may have been
    /// replaced where they came from, so it is looked for them there.
    pub(super) async fn trusted(&self) -> Result<Arc<Session>, Failure> {
        if let Some(session) = self.good() {
            return Ok(session);
        }
        self.renew_with_others().await?;
        self.current().ok_or_else(credentials::none)
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
        let Source { timeout, aside, .. } = &self.source;
        let next = aside
            .run(*timeout, Session::begin(self.source.clone(), number))
            .await
            .unwrap_or_else(|late| Err(credentials::late(late.after)))?;
        let mut current = lock(&self.current);
        if current
            .as_ref()
            .is_none_or(|current| current.number < number)
        {
            *current = Some(Arc::new(next));
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
    /// Reads what the SDK reads, and looks for credentials.
    async fn begin(source: Source, number: u64) -> Result<Self, Failure> {
        source.files.check().map_err(credentials::failure)?;
        let config = load(&source).await;
        let Some(provider) = config.credentials_provider() else {
            return Err(credentials::none());
        };
        let found = provider.provide_credentials().await;
        found.map_err(credentials::failure)?;
        // From now on the runtime's thread asks.
        let provider = ReadAside {
            provider,
            files: source.files,
            timeout: source.timeout,
            // Of its own: what hangs while a session is begun must not keep this one from asking.
            aside: Aside::default(),
        };
        let config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build();
        let config = aws_sdk_cloudwatch::config::Builder::from(&config)
            .interceptor(OnlyTheService)
            .build();
        Ok(Self {
            // Reads the system's certificates.
            client: Client::from_conf(config),
            refused: AtomicBool::new(false),
            number,
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

async fn load(source: &Source) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        // Sooner than the attempt as a whole, so that the log names what took too long.
        .connect_timeout(source.timeout.mul_f32(CONNECT_SHARE))
        .operation_timeout(source.timeout)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(source.region.clone())
        .http_client(source.http.clone())
        // `publish` owns retrying: two loops would multiply.
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("region", &self.source.region)
            .finish_non_exhaustive()
    }
}
