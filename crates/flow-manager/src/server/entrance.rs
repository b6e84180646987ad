//! Requests for Engine.IO. The library keeps the head of a session's first request as long as the
//! session lives, waits for ever for a body, and asks nobody how many sessions there are.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::Limited;

use crate::sessions::{Session, Sessions, WORDS_MAX, Wire};
use crate::socketio::Peer;

/// Where the library answers.
const PATH: &str = "/socket.io/";
/// What it reads of a query, each shorter than this.
const PARAMETERS: [&str; 4] = ["EIO", "transport", "sid", "b64"];
const PARAMETER_MAX: usize = 64;
/// The headers that are needed behind the guard.
const HEADERS: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// How long a body may take: 2 MiB over a bad line.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// Most bytes of what a session opens with.
const OPENING_MAX: usize = 4096;

/// Whether a request is for the library.
pub(super) fn is_for_engine_io(uri: &Uri) -> bool {
    let path = uri.path();
    path.starts_with(PATH) || path == PATH.trim_end_matches('/')
}

/// Passes a request on, within the bounds; `None` if it begins a session and there are too many
/// strangers.
pub(super) async fn pass(
    sessions: &Arc<Sessions>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Option<Response> {
    let mut request = bare(request);
    let wire = request.extensions_mut().remove::<Arc<Wire>>();
    let query = request.uri().query().unwrap_or_default();
    let is_websocket = parameter(query, "transport") == Some("websocket");
    let wire = wire.filter(|_| is_websocket);
    let Some(sid) = parameter(query, "sid").map(str::to_owned) else {
        let session = sessions.open(peer.address)?;
        if let Some(wire) = wire {
            sessions.speaks_over(&session, &wire);
        }
        let session_of = Peer {
            session: session.number,
            ..peer
        };
        request.extensions_mut().insert(session_of);
        request.extensions_mut().insert(session.clone());
        let response = next.run(request).await;
        return Some(named(sessions, &session, response).await);
    };
    if let Some(wire) = wire {
        sessions.goes_on_over(&sid, &wire);
    }
    if request.method() != Method::POST {
        let response = next.run(request).await;
        if !is_websocket {
            sessions.fetched(&sid);
        }
        return Some(response);
    }
    if sessions.is_stranger(&sid) {
        let most = usize::try_from(WORDS_MAX).unwrap_or(usize::MAX);
        request = request.map(|body| Body::new(Limited::new(body, most)));
    }
    let answered = tokio::time::timeout(BODY_WITHIN, next.run(request)).await;
    Some(answered.unwrap_or_else(|_| late()))
}

/// The same request with a head that has nothing but what is needed. All is copied: a piece of
/// the head that came would keep the whole of it.
fn bare(request: Request) -> Request {
    let (mut parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let known = PARAMETERS.iter().filter_map(|name| {
        let value = parameter(query, name)?;
        (value.len() <= PARAMETER_MAX).then(|| format!("{name}={value}"))
    });
    let uri = format!("{PATH}?{}", known.collect::<Vec<_>>().join("&"));
    // What was a query is one still.
    parts.uri = uri.parse().unwrap_or_else(|_| Uri::from_static(PATH));
    let mut headers = HeaderMap::new();
    for name in HEADERS {
        for value in parts.headers.get_all(&name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(&name, value);
            }
        }
    }
    parts.headers = headers;
    Request::from_parts(parts, body)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Learns the name of a session from what it opens with over polling. One that begins with a
/// websocket needs none.
async fn named(sessions: &Sessions, session: &Session, response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(opening) = to_bytes(body, OPENING_MAX).await else {
        return late();
    };
    if let Some(sid) = sid(&opening) {
        sessions.name(session, sid);
    }
    Response::from_parts(parts, Body::from(opening))
}

fn sid(opening: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Opening {
        sid: String,
    }
    let opening = opening.strip_prefix(b"0")?;
    let Opening { sid } = serde_json::from_slice(opening).ok()?;
    Some(sid)
}

/// A body took too long, and the rest of it is not waited for.
fn late() -> Response {
    let mut response = Response::new(Body::from("the request took too long\n"));
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_head_is_kept_what_the_library_reads() {
        let long = "x".repeat(10_000);
        let request = Request::builder()
            .uri(format!(
                "/socket.io/{long}?t={long}&EIO=4&b64={long}&transport=polling&sid=a&sid=b"
            ))
            .header("content-type", "text/plain")
            .header("cookie", &long)
            .header("x-forwarded-for", "192.0.2.1")
            .body(Body::empty())
            .unwrap();
        let request = bare(request);
        let uri = request.uri().to_string();
        assert_eq!(uri, "/socket.io/?EIO=4&transport=polling&sid=a");
        let names: Vec<_> = request.headers().keys().collect();
        assert_eq!(names, ["content-type"]);
    }

    #[test]
    fn name_is_in_what_a_session_opens_with() {
        assert_eq!(sid(br#"0{"sid":"a","x":1}"#).as_deref(), Some("a"));
        assert_eq!(sid(br#"{"code":"0"}"#), None);
    }
}
