//! The HTTP client that all sources share: GET over HTTP/1.1 with TLS, proxies and
//! redirects.
//!
//! Each request has a connection of its own, driven by the future that awaits the
//! answer. Sources ask once a minute, so a pool would only hold idle connections, and
//! dropping the future leaves nothing behind. There is no timeout in here.

use blocking_io::Files;
use diagnostics::redacted_prefix_bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Empty};
use http_proxies::HttpConfig;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;

use super::connect::{Connection, Connector};
use super::error::{BoxError, HttpError, REDIRECTS_MAX};
use super::names::Resolver;
use super::url::HttpUrl;
use crate::READ_MAX;

/// Longest head of a response: hyper's own bound of 400 KiB is far above what servers send.
const HEAD_MAX: usize = 64 * 1024;

/// A client, made once. Certificates are read at the first use of `https`.
#[derive(Debug)]
pub(crate) struct HttpClient {
    connector: Connector,
    files: Files,
}

/// A GET to make.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) url: HttpUrl,
    /// The formats that are understood.
    pub(crate) accept: HeaderValue,
    /// Headers of the user, which may be secret: they only go to the origin of `url`.
    pub(crate) headers: HeaderMap,
}

/// The body of a successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) content_type: String,
}

impl Request {
    pub(crate) fn new(url: HttpUrl) -> Self {
        Self {
            url,
            accept: HeaderValue::from_static("*/*"),
            headers: HeaderMap::new(),
        }
    }
}

impl HttpClient {
    /// A client with these settings; the environment is not consulted for proxies.
    #[must_use]
    pub(crate) fn new(config: HttpConfig, files: &Files, names: &Resolver) -> Self {
        Self {
            connector: Connector::new(config, names.clone()),
            files: files.clone(),
        }
    }

    /// What files of headers are read with.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// The page at a URL or where it redirects to.
    pub(crate) async fn get(&self, request: &Request) -> Result<Page, HttpError> {
        let mut request = request.clone();
        for _ in 0..=REDIRECTS_MAX {
            match self.ask(&request, Wanted::Page).await? {
                Answer::Page(page) => return Ok(page),
                Answer::Redirect(next) => {
                    if !next.is_same_origin(&request.url) {
                        request.headers.clear();
                    }
                    request.url = next;
                }
                Answer::Status(status) => {
                    let url = request.url;
                    return Err(HttpError::Status { url, status });
                }
            }
        }
        Err(HttpError::TooManyRedirects { url: request.url })
    }

    /// The status that a URL answers with. Nothing else is read or followed.
    pub(crate) async fn status(&self, request: &Request) -> Result<StatusCode, HttpError> {
        match self.ask(request, Wanted::Status).await? {
            Answer::Status(status) => Ok(status),
            Answer::Page(_) | Answer::Redirect(_) => unreachable!("only the status is wanted"),
        }
    }

    /// Connects to `scheme://host:port` without a proxy and says nothing there.
    pub(crate) async fn open(&self, to: &http::Uri) -> Result<(), BoxError> {
        self.connector.open(to).await.map(drop)
    }
}

enum Wanted {
    Page,
    Status,
}

enum Answer {
    Status(StatusCode),
    Redirect(HttpUrl),
    Page(Page),
}

impl HttpClient {
    /// One request, redirects aside.
    async fn ask(&self, request: &Request, wanted: Wanted) -> Result<Answer, HttpError> {
        let url = &request.url;
        let failed = |source| HttpError::Exchange {
            url: url.clone(),
            source,
        };
        let connection = self.connector.connect(url).await?;
        let message = message(request, &connection);
        let (mut sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_MAX)
            .handshake(connection.stream)
            .await
            .map_err(failed)?;
        let answer = async {
            let response = sender.send_request(message).await.map_err(failed)?;
            match wanted {
                Wanted::Page => read(url, response).await,
                Wanted::Status => Ok(Answer::Status(response.status())),
            }
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // A connection that has ended has handed all it received, or its error,
            // to the answer.
            _ = driver => answer.await,
        }
    }
}

fn message(request: &Request, connection: &Connection) -> http::Request<Empty<Bytes>> {
    let uri = request.url.uri();
    let mut message = http::Request::new(Empty::new());
    let headers = message.headers_mut();
    headers.insert(HOST, request.url.host_header());
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("cw-publisher/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(ACCEPT, request.accept.clone());
    if let Some(basic) = request.url.basic_auth() {
        headers.insert(AUTHORIZATION, basic);
    }
    headers.extend(request.headers.clone());
    match &connection.forward {
        Some(proxy) => {
            headers.extend(proxy.headers());
            *message.uri_mut() = uri.clone();
        }
        None => {
            let path = uri.path_and_query().cloned();
            *message.uri_mut() = path.map(http::Uri::from).unwrap_or_default();
        }
    }
    message
}

async fn read(url: &HttpUrl, response: http::Response<Incoming>) -> Result<Answer, HttpError> {
    let status = response.status();
    let header = |name| {
        let value = response.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    if is_redirect(status) && !header(LOCATION).is_empty() {
        let next = url.join(header(LOCATION));
        let next = next.map_err(|_| HttpError::Location { url: url.clone() })?;
        return Ok(Answer::Redirect(next));
    }
    if !status.is_success() {
        return Ok(Answer::Status(status));
    }
    let content_type = header(CONTENT_TYPE).to_owned();
    let bytes = body(url, response.into_body()).await?;
    let text = String::from_utf8(bytes).map_err(|error| HttpError::NotText {
        url: url.clone(),
        read: redacted_prefix_bytes(error.as_bytes()),
    })?;
    Ok(Answer::Page(Page { text, content_type }))
}

/// Statuses whose `Location` a GET is repeated at (RFC 9110, 15.4).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

async fn body(url: &HttpUrl, mut body: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| HttpError::Exchange {
            url: url.clone(),
            source,
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > READ_MAX {
                return Err(HttpError::TooLong { url: url.clone() });
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}
