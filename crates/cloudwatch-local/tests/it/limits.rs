//! What one who means no good is kept from.

use std::time::{Duration, SystemTime};

use cloudwatch_local::CloudWatchLocal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{client, datum, endpoint, now, send};

const MIB: usize = 1024 * 1024;

async fn connect(endpoint: &CloudWatchLocal) -> TcpStream {
    TcpStream::connect(endpoint.addr()).await.unwrap()
}

/// What comes until the endpoint ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request of the known key, in order but for its signature.
fn signed_by_somebody(body: &str) -> String {
    let at: chrono::DateTime<chrono::Utc> =
        (SystemTime::UNIX_EPOCH + Duration::from_secs(now().unsigned_abs())).into();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-date: {at}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/{day}/eu-west-1/monitoring/aws4_request, SignedHeaders=host;x-amz-date, \
         Signature=00\r\n{body}\r\n\r\n",
        at = at.format("%Y%m%dT%H%M%SZ"),
        day = at.format("%Y%m%d"),
    )
}

#[tokio::test]
async fn request_for_another_host_sees_and_leaves_nothing() {
    let endpoint = endpoint().await;
    send(&client(&endpoint), vec![datum("Secret", 1.0)])
        .await
        .unwrap();
    for path in [
        "/", "/series", "/refused", "/summary", "/updates", "/nowhere",
    ] {
        let mut stream = connect(&endpoint).await;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
        assert!(answer.contains("--allow-host"), "{answer}");
        assert!(!answer.contains("Secret"), "{answer}");
    }
    let mut stream = connect(&endpoint).await;
    let request = signed_by_somebody("content-length: 2").replace("localhost", "evil.example");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
    assert_eq!(endpoint.refused()[0].refusal.code, "MisdirectedRequest");
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn body_is_not_waited_for_if_the_headers_are_refused() {
    let endpoint = endpoint().await;
    let unsigned = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 15000000\r\n\r\n";
    let too_large = signed_by_somebody("content-length: 15000000");
    for (request, status) in [(unsigned, "403"), (&too_large, "413")] {
        let mut stream = connect(&endpoint).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn client_that_writes_on_gets_to_read_why_it_was_refused() {
    let endpoint = endpoint().await;
    let mut stream = connect(&endpoint).await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        8 * MIB
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..8 {
        stream.write_all(&vec![b'x'; MIB]).await.unwrap();
    }
    let answer = rest(&mut stream).await;
    assert!(answer.contains("MissingAuthenticationToken"), "{answer}");
}

#[tokio::test]
async fn endless_body_is_refused_once_it_is_too_large() {
    let endpoint = endpoint().await;
    let (mut reader, mut writer) = connect(&endpoint).await.into_split();
    let head = signed_by_somebody("transfer-encoding: chunked");
    let writing = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await?;
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        loop {
            writer.write_all(chunk.as_bytes()).await?;
        }
        #[allow(unreachable_code)]
        Ok::<(), std::io::Error>(())
    });
    let mut answer = vec![0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    // Nor does it read on for ever.
    writing.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn body_that_does_not_come_is_given_up() {
    let endpoint = endpoint().await;
    let mut stream = connect(&endpoint).await;
    let head = signed_by_somebody("content-length: 100");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn connection_that_is_not_used_is_closed() {
    let endpoint = endpoint().await;
    for begin in ["", "GET / HTTP/1.1\r\nhost: loc"] {
        let mut stream = connect(&endpoint).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        rest(&mut stream).await;
    }
}

#[tokio::test(start_paused = true)]
async fn connection_has_an_end_however_much_it_is_used() {
    let endpoint = endpoint().await;
    let mut stream = connect(&endpoint).await;
    let begin = Instant::now();
    let mut answer = vec![0; 65_536];
    loop {
        let asked = stream.write_all(b"GET /summary HTTP/1.1\r\nhost: localhost\r\n\r\n");
        if asked.await.is_err() || !matches!(stream.read(&mut answer).await, Ok(1..)) {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(3600));
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_one_to_end() {
    const MOST: usize = 128;
    let endpoint = endpoint().await;
    let mut held = Vec::new();
    for _ in 0..MOST {
        held.push(connect(&endpoint).await);
    }
    let mut stream = connect(&endpoint).await;
    let request = b"GET /summary HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let early = timeout(Duration::from_millis(200), rest(&mut stream)).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(endpoint.connections(), MOST);
    held.pop();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}
