//! The connection itself: one attempt a call, with credentials that are known to be good.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use http_proxies::HttpConfig;
use retry_policy::{RequestError, RequestErrorKind};

use crate::acceptance::not_the_service;
use crate::files::SdkFiles;
use crate::region::Region;
use crate::role::AssumedRole;
use crate::session::{Sessions, Source};
use crate::{connect, credentials};

/// A client `C` of an AWS service that makes one attempt a call. Clones are the same.
pub struct Connection<C> {
    sessions: Arc<Sessions<C>>,
}

/// Written out, for the client need not be one that can be copied.
impl<C> Clone for Connection<C> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
        }
    }
}

impl<C> fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.sessions).finish()
    }
}

impl<C: Send + Sync + 'static> Connection<C> {
    /// Sets the connection up; nothing is read or sent and no credentials are looked for yet.
    /// An attempt takes no longer than `timeout`. `client` makes the service's client.
    #[must_use]
    pub fn new(
        region: &Region,
        http: &HttpConfig,
        files: SdkFiles,
        timeout: Duration,
        client: fn(&SdkConfig) -> C,
    ) -> Self {
        Self::assuming(None, region, http, files, timeout, client)
    }

    /// The same, with a role that is assumed with the credentials that are found. Asking for it
    /// counts to the time of looking for credentials, which takes no longer than `timeout`.
    #[must_use]
    pub fn assuming(
        role: Option<AssumedRole>,
        region: &Region,
        http: &HttpConfig,
        files: SdkFiles,
        timeout: Duration,
        client: fn(&SdkConfig) -> C,
    ) -> Self {
        let sessions = Sessions::new(Source {
            region: region.clone(),
            ways: connect::ways(http),
            files,
            role,
            timeout,
            client,
        });
        Self {
            sessions: Arc::new(sessions),
        }
    }

    /// Whether requests could be signed.
    pub async fn ready(&self) -> Result<(), RequestError> {
        self.sessions.trusted().await.map(drop)
    }

    /// Looks for credentials anew, for the files or the endpoint that they came from may
    /// have others by now. If none are found, those that were known stay in use.
    pub async fn renew(&self) -> Result<(), RequestError> {
        self.sessions.renew().await
    }

    /// Makes one attempt. Credentials that the service refuses are looked for anew before the
    /// next.
    pub async fn call<T, E, F>(&self, request: impl FnOnce(&C) -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let session = self.sessions.trusted().await?;
        match request(session.client()).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let failure = failure(error);
                if credentials::are_bad(&failure) {
                    self.sessions.invalidate(&session);
                }
                Err(failure)
            }
        }
    }
}

/// What an error of the SDK means.
pub fn failure<E>(error: SdkError<E, HttpResponse>) -> RequestError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(kind) = credentials::kind_in(&error) {
        return RequestError {
            kind,
            source: Some(Box::new(error)),
        };
    }
    if let Some(cause) = not_the_service(&error) {
        return RequestError {
            kind: RequestErrorKind::NoResponse,
            source: Some(Box::new(cause)),
        };
    }
    let kind = match error.raw_response() {
        Some(response) if !response.status().is_success() => RequestErrorKind::Rejected {
            status: response.status().as_u16(),
            code: error.code().unwrap_or_default().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
            retry_after: retry_after(response),
        },
        _ => RequestErrorKind::NoResponse,
    };
    // What the service says is in the kind already; below it stands only the SDK's wrapping.
    let source = match error {
        SdkError::ServiceError(_) => None,
        other => Some(Box::new(other) as Box<dyn Error + Send + Sync>),
    };
    RequestError { kind, source }
}

/// `x-amz-retry-after` counts milliseconds, `retry-after` seconds (RFC 9110, 10.2.3); the
/// latter's dates are not taken, for this machine's clock may be the problem.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name)?.trim().parse::<u64>().ok();
    header("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| header("retry-after").map(Duration::from_secs))
}
