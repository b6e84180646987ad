//! A client of a few lines: one request, one connection.

use docker_local::DockerLocal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body ended as it should, not by a cut.
    pub(crate) whole: bool,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn engine() -> DockerLocal {
    DockerLocal::builder().start().await.unwrap()
}

pub(crate) async fn open(engine: &DockerLocal, method: &str, target: &str) -> UnixStream {
    send(engine, method, target, "", "").await
}

pub(crate) async fn send(
    engine: &DockerLocal,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> UnixStream {
    let mut connection = UnixStream::connect(engine.socket().unwrap()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: d\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

pub(crate) async fn get(engine: &DockerLocal, target: &str) -> Response {
    read(&mut open(engine, "GET", target).await).await
}

pub(crate) async fn post(engine: &DockerLocal, target: &str, body: &str) -> Response {
    read(&mut send(engine, "POST", target, "", body).await).await
}

pub(crate) async fn delete(engine: &DockerLocal, target: &str) -> Response {
    read(&mut open(engine, "DELETE", target).await).await
}

/// Reads a response to its end: by its length, its last chunk, or the end of the connection.
pub(crate) async fn read(connection: &mut UnixStream) -> Response {
    let mut bytes = Vec::new();
    loop {
        if let Some(response) = parse(&bytes, false) {
            return response;
        }
        let mut buffer = vec![0; 65_536];
        let count = connection.read(&mut buffer).await.unwrap();
        if count == 0 {
            return parse(&bytes, true).expect("the connection was cut before an answer");
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn parse(bytes: &[u8], ended: bool) -> Option<Response> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
        return None;
    };
    let headers = head.headers.iter();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let mut response = Response {
        status: head.code.unwrap(),
        headers: headers
            .map(|h| (h.name.to_owned(), text(h.value)))
            .collect(),
        body: Vec::new(),
        whole: true,
    };
    let rest = &bytes[length..];
    let wanted = response
        .header("Content-Length")
        .map(|n| n.parse::<usize>().unwrap());
    if response.header("Transfer-Encoding") == Some("chunked") {
        (response.body, response.whole) = unchunk(rest);
    } else if let Some(wanted) = wanted {
        response.body = rest.to_vec();
        response.whole = rest.len() == wanted;
    } else {
        response.body = rest.to_vec();
        response.whole = ended || [204, 304].contains(&response.status);
    }
    (ended || response.whole).then_some(response)
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).unwrap();
        if size == 0 {
            return (body, true);
        }
        let end = rest.len().min(start + size);
        body.extend_from_slice(&rest[start..end]);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    (body, false)
}

/// The frames of a multiplexed stream.
pub(crate) fn frames(mut body: &[u8]) -> Vec<(u8, String)> {
    let mut frames = Vec::new();
    while let [kind, 0, 0, 0, a, b, c, d, rest @ ..] = body {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let payload = String::from_utf8_lossy(&rest[..length]);
        frames.push((*kind, payload.into_owned()));
        body = &rest[length..];
    }
    assert!(body.is_empty(), "{body:?} is no frame");
    frames
}
