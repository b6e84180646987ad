//! The HTTP that the server speaks: enough for probes and scrapes, written by hand
//! because hyper's server would cost the image 75 kB.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};

use super::endpoint::Stream;
use super::report::Report;

/// Longest head of a request: many times what probes and scrapers send.
const HEAD_MAX: usize = 8 * 1024;

/// Most that is read behind the head of a request, only to be thrown away.
const REST_MAX: u64 = 256 * 1024;

/// Reads one request and answers it.
pub(super) async fn answer(
    stream: &mut dyn Stream,
    report: impl FnOnce() -> Report,
) -> io::Result<()> {
    let head = head(stream).await?;
    let response = respond(&head, report);
    stream.write_all(&response).await?;
    stream.shutdown().await?;
    // To close on what was not read yet would take the answer from the client
    // (RFC 9112, 9.6).
    copy(&mut stream.take(REST_MAX), &mut sink()).await?;
    Ok(())
}

/// The head of a request, or so much of it that it is known to be none.
async fn head(stream: &mut dyn Stream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    let mut limited = stream.take(HEAD_MAX as u64);
    while !is_whole(&head) && limited.read_buf(&mut head).await? > 0 {}
    Ok(head)
}

fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

fn respond(head: &[u8], report: impl FnOnce() -> Report) -> Vec<u8> {
    if !is_whole(head) {
        let status = if head.len() < HEAD_MAX {
            "400 Bad Request"
        } else {
            "431 Request Header Fields Too Large"
        };
        return plain(status);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return plain("400 Bad Request");
    };
    if !version.starts_with(b"HTTP/1.") {
        return plain("400 Bad Request");
    }
    let path = target.split(|byte| *byte == b'?').next();
    let mut response = match (method, path) {
        (b"GET" | b"HEAD", Some(b"/healthz")) => {
            let report = report();
            let status = if report.condition.is_good() {
                "200 OK"
            } else {
                "503 Service Unavailable"
            };
            let body = format!("{}\n", report.json());
            response(status, "application/json", &body)
        }
        (b"GET" | b"HEAD", Some(b"/metrics")) => response(
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            &report().exposition(),
        ),
        (b"GET" | b"HEAD", _) => plain("404 Not Found"),
        _ => plain("405 Method Not Allowed"),
    };
    if method == b"HEAD"
        && let Some(end) = response.windows(4).position(|end| end == b"\r\n\r\n")
    {
        response.truncate(end + 4);
    }
    response
}

fn plain(status: &str) -> Vec<u8> {
    response(status, "text/plain; charset=utf-8", &format!("{status}\n"))
}

fn response(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let mut response = format!("HTTP/1.1 {status}\r\n");
    if status.starts_with("405") {
        response.push_str("Allow: GET, HEAD\r\n");
    }
    let _ = write!(
        response,
        "Content-Type: {content_type}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    response.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::status::Status;
    use super::*;

    fn responded(request: &[u8]) -> String {
        let report = || Status::new(1).report(Default::default());
        String::from_utf8(respond(request, report)).unwrap()
    }

    #[test]
    fn requests_are_answered_by_path_and_method() {
        for (request, status, body) in [
            ("GET /healthz HTTP/1.1", "200 OK", "{\"consecutive"),
            ("GET /healthz?x=1 HTTP/1.0", "200 OK", "{\"consecutive"),
            ("GET /metrics HTTP/1.1", "200 OK", "# HELP cw_publisher"),
            ("GET / HTTP/1.1", "404 Not Found", "404"),
            ("GET /healthz/ HTTP/1.1", "404 Not Found", "404"),
            ("POST /healthz HTTP/1.1", "405 Method Not Allowed", "405"),
            ("GET /healthz", "400 Bad Request", "400"),
            ("\x16\x03\x01", "400 Bad Request", "400"),
            ("PRI * HTTP/2.0", "400 Bad Request", "400"),
        ] {
            let response = responded(format!("{request}\r\nHost: x\r\n\r\n").as_bytes());
            let (head, content) = response.split_once("\r\n\r\n").unwrap();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request}"
            );
            assert!(content.starts_with(body), "{request}: {content}");
            assert!(head.contains(&format!("Content-Length: {}\r\n", content.len())));
        }
    }

    #[test]
    fn head_is_answered_without_the_body() {
        let response = responded(b"HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(response.ends_with("\r\n\r\n"), "{response}");
        assert!(!response.contains("Content-Length: 0"), "{response}");
    }

    #[test]
    fn unfinished_heads_are_refused() {
        assert!(responded(b"GET /healthz HTTP/1.1\r\n").contains(" 400 "));
        assert!(responded(&vec![b'x'; HEAD_MAX]).contains(" 431 "));
    }

    #[test]
    fn unhealthy_is_service_unavailable() {
        let status = Status::new(1);
        status.failed(&"Web".parse().unwrap(), "no route");
        let report = || status.report(Default::default());
        let response = respond(b"GET /healthz HTTP/1.1\r\n\r\n", report);
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        assert!(response.contains("no route"), "{response}");
    }
}
