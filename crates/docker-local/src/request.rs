//! Requests as they arrive: read off the connection, bounded, and kept for the one who asks.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longer heads than Go's server takes by default hold nothing that a client needs.
const HEAD_MAX: usize = 1 << 20;
/// The largest body is an archive or a build context; a test needs no larger one.
const BODY_MAX: usize = 256 << 20;
const HEADERS_MAX: usize = 64;

/// A request that arrived, whatever became of it.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// For example `GET`.
    pub method: String,
    /// As it was sent, with version and query.
    pub target: String,
    /// The API version of the path, for example `1.41`, if it has one.
    pub version: Option<String>,
    /// Without version and query, percent-decoded.
    pub path: String,
    /// The query's names and values, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body. Of a connection that is hijacked, what came before that.
    pub body: Bytes,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl ReceivedRequest {
    /// The value of this name in the query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| &**value)
    }

    /// The value of this header, named in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key == name);
        found.map(|(_, value)| &**value)
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the query says yes, in one of the ways that the engine knows.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let no = ["", "0", "no", "false", "none"];
        self.query(name).is_some_and(|value| !no.contains(&value))
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').skip(1).collect()
    }

    pub(crate) fn upgrades(&self) -> bool {
        self.header("upgrade") == Some("tcp")
    }

    /// The next request of a connection; none once that has ended.
    pub(crate) async fn read(
        io: &mut (impl AsyncRead + Unpin),
        buffer: &mut BytesMut,
        connection: usize,
    ) -> io::Result<Option<Self>> {
        let mut request = loop {
            if let Some((request, length)) = parse_head(buffer, connection)? {
                buffer.advance(length);
                break request;
            }
            if buffer.len() > HEAD_MAX {
                return Err(invalid("the head is too long"));
            }
            if io.read_buf(buffer).await? == 0 {
                return Ok(None);
            }
        };
        if request.header("expect").is_some() {
            return Err(invalid("expectations are not met here"));
        }
        request.body = if request.header("transfer-encoding") == Some("chunked") {
            read_chunks(io, buffer).await?
        } else {
            let length = request.header("content-length").map_or(Ok(0), str::parse);
            let length = length.map_err(|_| invalid("bad content-length"))?;
            read_exactly(io, buffer, length).await?
        };
        Ok(Some(request))
    }
}

fn parse_head(head: &[u8], connection: usize) -> io::Result<Option<(ReceivedRequest, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(head).map_err(io::Error::other)?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    let target = parsed.path.unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (version, path) = split_version(path);
    let headers = parsed.headers.iter();
    let headers = headers.map(|header| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    });
    let request = ReceivedRequest {
        method: parsed.method.unwrap_or_default().to_owned(),
        version,
        path: percent_decode_str(path).decode_utf8_lossy().into_owned(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: headers.collect(),
        body: Bytes::new(),
        connection,
        target,
    };
    Ok(Some((request, length)))
}

/// Parts `/v1.41/info` into `1.41` and `/info`.
fn split_version(path: &str) -> (Option<String>, &str) {
    let Some(behind) = path.strip_prefix("/v") else {
        return (None, path);
    };
    let end = behind.find('/').unwrap_or(behind.len());
    let (version, rest) = behind.split_at(end);
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match version.split_once('.') {
        Some((major, minor)) if numeric(major) && numeric(minor) => {
            (Some(version.to_owned()), rest)
        }
        _ => (None, path),
    }
}

async fn read_exactly(
    io: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    length: usize,
) -> io::Result<Bytes> {
    if length > BODY_MAX {
        return Err(invalid("the body is too long"));
    }
    while buffer.len() < length {
        if io.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.split_to(length).freeze())
}

async fn read_chunks(
    io: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let (start, size) = loop {
            let size = httparse::parse_chunk_size(buffer);
            match size.map_err(|_| invalid("bad chunk"))? {
                httparse::Status::Complete(found) => break found,
                httparse::Status::Partial if io.read_buf(buffer).await? == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                httparse::Status::Partial => {}
            }
        };
        let size = usize::try_from(size).map_err(|_| invalid("the chunk is too long"))?;
        if size > BODY_MAX || body.len() + size > BODY_MAX {
            return Err(invalid("the body is too long"));
        }
        buffer.advance(start);
        // Its line break follows; no client of the engine sends trailers.
        let chunk = read_exactly(io, buffer, size + 2).await?;
        if size == 0 {
            return Ok(body.freeze());
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Option<ReceivedRequest>> {
        ReceivedRequest::read(&mut bytes, &mut BytesMut::new(), 0).await
    }

    #[tokio::test]
    async fn request_is_taken_apart() {
        let text = b"POST /v1.41/containers/a%2Fb/start?t=1&x=a%20b HTTP/1.1\r\n\
            Host: d\r\nX-One: 1\r\ncontent-length: 2\r\n\r\n{}GET";
        let request = read(text).await.unwrap().unwrap();
        assert_eq!(request.version.as_deref(), Some("1.41"));
        assert_eq!(request.path, "/containers/a/b/start");
        assert_eq!(request.query("x"), Some("a b"));
        assert_eq!(request.header("x-one"), Some("1"));
        assert_eq!(&request.body[..], b"{}");
    }

    #[tokio::test]
    async fn chunked_body_is_joined() {
        let text = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let request = read(text).await.unwrap().unwrap();
        assert_eq!(&request.body[..], b"abcde");
    }

    #[tokio::test]
    async fn what_is_no_version_stays_in_the_path() {
        for path in ["/volumes", "/v1/info", "/vx.y/info"] {
            let text = format!("GET {path} HTTP/1.1\r\n\r\n");
            let request = read(text.as_bytes()).await.unwrap().unwrap();
            assert_eq!((request.version, &*request.path), (None, path));
        }
    }

    #[tokio::test]
    async fn body_that_breaks_off_is_an_error() {
        let text = b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc";
        assert!(read(text).await.is_err());
        assert!(read(b"").await.unwrap().is_none());
    }
}
