//! One engine: its connections, the API version agreed on, calls and streams, and what their
//! failures mean.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::transport::answer::AnswerBody;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use http_body_util::{Either, Full};

use crate::address::EngineAddress;
use crate::engine::call::{Call, Object};
use crate::engine::failure::Failures;
use crate::error::DockerClientError;
use crate::transport::{Body, Transport};
use crate::version::{self, ApiVersion, EngineVersion};

pub(crate) mod body;
pub(crate) mod call;
mod failure;

/// Long for a call, short for somebody who waits: a busy engine takes seconds for a create.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// bollard's own deadline would hold for all calls alike.
const NO_DEADLINE: u64 = 10 * 365 * 24 * 3600;
/// A version or a refusal in words is short.
const SHORT_ANSWER: u64 = 1024 * 1024;

/// No version stands before its paths.
const NEGOTIATION: Call<'static> = Call {
    verb: "ask for the version of",
    object: Object::Engine,
};

/// One engine.
pub(crate) struct Engine {
    bollard: Docker,
    transport: Transport,
    failures: Failures,
    authority: String,
    version: Arc<AtomicU32>,
}

/// A request over a connection of its own.
pub(crate) struct Streamed<'a> {
    pub(crate) method: Method,
    /// Begins with a slash; names in it have been checked.
    pub(crate) path: String,
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) headers: Vec<(header::HeaderName, String)>,
    pub(crate) body: Body,
    /// How long the beginning of the answer may take.
    pub(crate) deadline: Option<Duration>,
}

impl<'a> Streamed<'a> {
    pub(crate) fn get(path: String, query: &'a [(&'a str, String)]) -> Self {
        Self {
            method: Method::GET,
            path,
            query,
            headers: Vec::new(),
            body: full(Bytes::new()),
            deadline: Some(DEADLINE),
        }
    }
}

/// A body that is there already.
pub(crate) fn full(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

impl Engine {
    /// Connects and agrees on a version.
    pub(crate) async fn connect(address: EngineAddress) -> Result<Self, DockerClientError> {
        let transport = Transport::new(address.clone())?;
        let version = Arc::new(AtomicU32::new(0));
        let authority = address.authority();
        let engine = Self {
            bollard: bollard_over(&transport, &authority, &version)?,
            transport,
            failures: Failures::new(address),
            authority,
            version,
        };
        engine.agree().await?;
        Ok(engine)
    }

    pub(crate) fn address(&self) -> &str {
        self.failures.address()
    }

    pub(crate) fn bollard(&self) -> &Docker {
        &self.bollard
    }

    pub(crate) fn api_version(&self) -> ApiVersion {
        ApiVersion::one(self.version.load(Ordering::Relaxed))
    }

    /// Agrees on a version. Most engines have one in common with us, and the header of any answer
    /// tells it. The rest are asked for all of theirs, for which they start programs: that takes
    /// milliseconds.
    async fn agree(&self) -> Result<(), DockerClientError> {
        let ping = Streamed::get("/_ping".to_owned(), &[]);
        match self.send(NEGOTIATION, ping).await {
            Ok(answer) => {
                if let Some(version) = version::of_headers(answer.headers()) {
                    self.version.store(version.minor(), Ordering::Relaxed);
                    return Ok(());
                }
            }
            // What stands between may refuse it.
            Err(DockerClientError::Engine { .. }) => {}
            Err(error) => return Err(error),
        }
        self.negotiate().await.map(drop)
    }

    /// Asks for the engine's versions and takes the newest in common.
    pub(crate) async fn negotiate(&self) -> Result<EngineVersion, DockerClientError> {
        let call = NEGOTIATION;
        let question = Streamed::get("/version".to_owned(), &[]);
        let answer = self.send(call, question).await?;
        let json = body::collect(answer.into_body(), call, SHORT_ANSWER, DEADLINE, self).await?;
        let answer = version::Answer::parse(&json).map_err(|source| DockerClientError::Decode {
            operation: call.to_string(),
            source,
        })?;
        let version = answer.negotiate(self.address())?;
        self.version.store(version.minor(), Ordering::Relaxed);
        Ok(answer.with(version))
    }

    /// Makes a call of bollard's. An engine that was replaced by another version since is asked
    /// for its version, and the call made again.
    pub(crate) async fn call<'a, T, F, Fut>(
        &'a self,
        call: Call<'_>,
        deadline: Duration,
        ask: F,
    ) -> Result<T, DockerClientError>
    where
        F: Fn(&'a Docker) -> Fut,
        Fut: Future<Output = Result<T, bollard::errors::Error>>,
    {
        let once = async || match tokio::time::timeout(deadline, ask(&self.bollard)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failures.of_bollard(call, error, deadline).await),
            Err(_) => Err(DockerClientError::Timeout {
                operation: call.to_string(),
                after: deadline,
            }),
        };
        match once().await {
            Err(DockerClientError::ApiVersion { .. }) => {
                self.negotiate().await?;
                once().await
            }
            result => result,
        }
    }

    /// Sends a request and gives the answer as it comes; a refusal is an error.
    pub(crate) async fn open(
        &self,
        call: Call<'_>,
        mut request: Streamed<'_>,
    ) -> Result<Response<AnswerBody>, DockerClientError> {
        request.path = format!("/v{}{}", self.api_version(), request.path);
        self.send(call, request).await
    }

    async fn send(
        &self,
        call: Call<'_>,
        request: Streamed<'_>,
    ) -> Result<Response<AnswerBody>, DockerClientError> {
        let deadline = request.deadline;
        let request =
            self.request(request)
                .map_err(|source| DockerClientError::InvalidArgument {
                    argument: "argument",
                    reason: format!("{call}: {source}"),
                })?;
        let answer = self.transport.stream(request);
        let answer = match deadline {
            Some(deadline) => tokio::time::timeout(deadline, answer).await.map_err(|_| {
                DockerClientError::Timeout {
                    operation: call.to_string(),
                    after: deadline,
                }
            })?,
            None => answer.await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.failures.of_transport(call, error).await),
        };
        let status = answer.status();
        if status.is_success() || status.as_u16() == 101 || status.as_u16() == 304 {
            return Ok(answer);
        }
        let words = body::collect(answer.into_body(), call, SHORT_ANSWER, DEADLINE, self).await?;
        Err(self
            .failures
            .of_answer(call, status.as_u16(), &failure::message(&words)))
    }

    /// What a broken connection means.
    pub(crate) async fn lost(
        &self,
        call: Call<'_>,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> DockerClientError {
        self.failures.of_transport(call, Box::new(error)).await
    }

    /// What a failure means that was told in the middle of an answer.
    pub(crate) fn told(&self, call: Call<'_>, status: u16, message: &str) -> DockerClientError {
        self.failures.of_answer(call, status, message)
    }

    fn request(&self, request: Streamed<'_>) -> Result<Request<Body>, http::Error> {
        let mut path = request.path;
        for (index, (key, value)) in request.query.iter().enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(key);
            path.push('=');
            path.push_str(&encoded(value));
        }
        let mut builder = Request::builder()
            .method(request.method)
            .uri(path)
            .header(header::HOST, &self.authority);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        builder.body(request.body)
    }
}

/// Percent-encodes a value of a query.
fn encoded(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// bollard over our connections, with the version before every path.
fn bollard_over(
    transport: &Transport,
    authority: &str,
    version: &Arc<AtomicU32>,
) -> Result<Docker, DockerClientError> {
    let transport = transport.clone();
    let send = move |request: BollardRequest| {
        let transport = transport.clone();
        async move {
            transport
                .call(request)
                .await
                .map_err(bollard::errors::Error::from)
        }
    };
    let docker = Docker::connect_with_custom_transport(
        send,
        Some(format!("http://{authority}")),
        NO_DEADLINE,
        API_DEFAULT_VERSION,
    )
    .map_err(|error| DockerClientError::Address {
        address: authority.to_owned(),
        reason: error.to_string(),
    })?;
    let version = Arc::clone(version);
    Ok(docker.with_request_modifier(move |request| {
        with_version(request, ApiVersion::one(version.load(Ordering::Relaxed)))
    }))
}

/// bollard sends paths without a version, which the engine takes for its own newest.
fn with_version(mut request: BollardRequest, version: ApiVersion) -> BollardRequest {
    let mut parts = request.uri().clone().into_parts();
    let path = parts
        .path_and_query
        .as_ref()
        .map_or("/", |path| path.as_str());
    let path = format!("/v{version}{path}");
    parts.path_and_query = path.try_into().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
