//! The HTTP client that all sources share: GET with TLS, proxies and redirects.
//!
//! Each request has a connection of its own, and dropping the future closes it. There is no
//! timeout in here.

use aws_smithy_types::body::SdkBody;
use blocking_io::{Files, Names};
use diagnostics::redacted_prefix_bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use http_proxies::HttpConfig;

use super::connect::Connections;
use super::error::{BoxError, HttpError, REDIRECTS_MAX};
use super::url::HttpUrl;
use crate::READ_MAX;

/// A client, made once.
#[derive(Debug)]
pub(crate) struct HttpClient {
    connections: Connections,
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
    pub(crate) fn new(config: &HttpConfig, files: &Files, names: &Names) -> Self {
        Self {
            connections: Connections::new(config, names),
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
        self.connections.open(to).await
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
        let answer = self.connections.exchange(url, message(request)).await?;
        match wanted {
            Wanted::Page => read(url, answer).await,
            Wanted::Status => Ok(Answer::Status(answer.status())),
        }
    }
}

fn message(request: &Request) -> http::Request<SdkBody> {
    let mut message = http::Request::new(SdkBody::empty());
    *message.uri_mut() = request.url.uri().clone();
    let headers = message.headers_mut();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("cw-publisher/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(ACCEPT, request.accept.clone());
    if let Some(basic) = request.url.basic_auth() {
        headers.insert(AUTHORIZATION, basic);
    }
    headers.extend(request.headers.clone());
    message
}

async fn read(url: &HttpUrl, response: http::Response<SdkBody>) -> Result<Answer, HttpError> {
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

async fn body(url: &HttpUrl, mut body: SdkBody) -> Result<Vec<u8>, HttpError> {
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
