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
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use retry_policy::{RequestError, RequestErrorKind};
use tokio::sync::OnceCell;

use crate::aside::Aside;
use crate::credentials::{self, ReadAside};
use crate::files::SdkFiles;
use crate::http::Ways;
use crate::region::Region;
use crate::role::{AssumedRole, RoleProvider};

/// The share of an attempt's time that connecting may take.
const CONNECT_SHARE: f32 = 0.9;

/// The session in use, and what the next one is made from.
pub(crate) struct Sessions<C> {
    source: Source<C>,
    current: Mutex<Option<Arc<Session<C>>>>,
    aside: Aside,
    /// How many sessions were begun.
    begun: AtomicU64,
    renewal: Mutex<Arc<Renewal>>,
}

/// What a session is made from.
pub(crate) struct Source<C> {
    pub(crate) region: Region,
    pub(crate) ways: Ways,
    pub(crate) files: SdkFiles,
    /// A role to assume with the credentials that are found.
    pub(crate) role: Option<AssumedRole>,
    /// The longest that one attempt may take.
    pub(crate) timeout: Duration,
    /// Makes the service's client; it reads the system's certificates.
    pub(crate) client: fn(&SdkConfig) -> C,
}

/// Written out, for a client need not be one that can be copied.
impl<C> Clone for Source<C> {
    fn clone(&self) -> Self {
        Self {
            region: self.region.clone(),
            ways: self.ways.clone(),
            files: self.files.clone(),
            role: self.role.clone(),
            timeout: self.timeout,
            client: self.client,
        }
    }
}

/// A renewal that has begun or is about to. However many requests are refused at once,
/// they wait for one.
type Renewal = OnceCell<Result<(), SharedFailure>>;

/// A client that found credentials when it was made.
pub(crate) struct Session<C> {
    client: C,
    /// The service refused its credentials, or they could not be renewed.
    refused: AtomicBool,
    /// Its place among those that were begun.
    number: u64,
}

impl<C: Send + 'static> Sessions<C> {
    /// No session yet; the first is begun when credentials are asked for.
    pub(crate) fn new(source: Source<C>) -> Self {
        Self {
            source,
            current: Mutex::default(),
            aside: Aside::default(),
            begun: AtomicU64::new(0),
            renewal: Mutex::default(),
        }
    }

    fn current(&self) -> Option<Arc<Session<C>>> {
        lock(&self.current).clone()
    }

    /// The session in use, unless its credentials are known to be bad.
    fn good(&self) -> Option<Arc<Session<C>>> {
        let good = |session: &Arc<Session<C>>| !session.refused.load(Ordering::Relaxed);
        self.current().filter(good)
    }

    /// A session whose credentials are not known to be bad. Bad ones may have been
    /// replaced where they came from, so it is looked for them there.
    pub(crate) async fn trusted(&self) -> Result<Arc<Session<C>>, RequestError> {
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
    pub(crate) fn invalidate(&self, session: &Session<C>) {
        session.refused.store(true, Ordering::Relaxed);
    }

    /// Begins a new session, if credentials are found. One that was begun later may have
    /// found newer ones by then, and stays.
    pub(crate) async fn renew(&self) -> Result<(), RequestError> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let next = self
            .aside
            .run(
                self.source.timeout,
                Session::begin(self.source.clone(), number),
            )
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
    kind: RequestErrorKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl From<RequestError> for SharedFailure {
    fn from(failure: RequestError) -> Self {
        Self {
            kind: failure.kind,
            source: failure.source.map(Arc::from),
        }
    }
}

impl From<SharedFailure> for RequestError {
    fn from(shared: SharedFailure) -> Self {
        Self {
            kind: shared.kind,
            source: shared.source.map(|source| Box::new(source) as _),
        }
    }
}

impl<C> Session<C> {
    /// Reads what the SDK reads, and looks for credentials.
    async fn begin(source: Source<C>, number: u64) -> Result<Self, RequestError> {
        source.files.check().map_err(credentials::failure)?;
        let config = load(&source).await;
        let Some(provider) = config.credentials_provider() else {
            return Err(credentials::none());
        };
        let provider = match source.role {
            Some(role) => SharedCredentialsProvider::new(RoleProvider {
                role,
                base: provider,
                config: config.clone(),
            }),
            None => provider,
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
            .http_client(source.ways.to_the_service())
            .build();
        Ok(Self {
            client: (source.client)(&config),
            refused: AtomicBool::new(false),
            number,
        })
    }

    pub(crate) fn client(&self) -> &C {
        &self.client
    }
}

async fn load<C>(source: &Source<C>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        // Sooner than the attempt as a whole, so that the log names what took too long.
        .connect_timeout(source.timeout.mul_f32(CONNECT_SHARE))
        .operation_timeout(source.timeout)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(source.region.as_str().to_owned()))
        .http_client(source.ways.to_credentials())
        // The program owns retrying: two loops would multiply.
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}

impl<C> fmt::Debug for Sessions<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("region", &self.source.region)
            .finish_non_exhaustive()
    }
}
