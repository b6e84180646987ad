use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::http::server::{Server, closed_port, head, ok, status};
use crate::{HttpConfig, Resources};

async fn value(source: Result<impl Source, ParseProbeError>) -> Result<f64, String> {
    match source.unwrap().sample(&Tick::for_test()).await {
        Ok(readings) => Ok(readings.readings[0].value.get()),
        Err(error) => Err(diagnostics::chain(&*error)),
    }
}

async fn up(text: &str) -> Result<f64, String> {
    value(Up::new(text, &Options::default())).await
}

async fn latency(text: &str) -> Result<f64, String> {
    value(Latency::new(text, &Options::default())).await
}

#[tokio::test]
async fn what_answers_is_up() {
    let server = Server::start(|head| match head.split(' ').nth(1) {
        Some("/ok") => ok(b"body"),
        Some("/moved") => status("302 Found", "location: /broken"),
        _ => status("500 Internal Server Error", "a: b"),
    })
    .await;
    assert_eq!(up(&server.url("/ok")).await, Ok(1.0));
    assert_eq!(up(&server.url("/moved")).await, Ok(1.0));
    assert_eq!(server.asked().len(), 2, "no redirect is followed");
    assert_eq!(up(&server.url("/broken")).await, Ok(0.0));
    assert_eq!(
        up(&format!("tcp://127.0.0.1:{}", server.port)).await,
        Ok(1.0)
    );
}

#[tokio::test]
async fn what_does_not_answer_is_not_up_and_has_no_latency() {
    let garbage = Server::start(|_| b"garbage\r\n\r\n".to_vec()).await;
    let broken = Server::start(|_| status("503 Service Unavailable", "a: b")).await;
    let closed = closed_port().await;
    for (target, part) in [
        (format!("tcp://127.0.0.1:{closed}"), "Connection refused"),
        (format!("http://127.0.0.1:{closed}"), "Connection refused"),
        (garbage.url("/"), "get http://127.0.0.1"),
        (broken.url("/"), "answered 503 Service Unavailable"),
    ] {
        assert_eq!(up(&target).await, Ok(0.0), "{target}");
        let error = latency(&target).await.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn https_is_up_only_where_tls_is_spoken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap());
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream
    };
    let config = HttpConfig {
        ca_bundle: Some(include_bytes!("../../../test-support/tls/ca.pem").to_vec()),
        ..HttpConfig::default()
    };
    let resources = Arc::new(Resources::new(config));
    let tick = Tick::new(Tick::for_test().at, Duration::from_secs(5), resources);
    let up = Up::new(&target, &Options::default()).unwrap();
    let (value, _stream) = tokio::join!(up.value(&tick), answering);
    assert_eq!(value.unwrap().get(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn target_that_never_answers_is_0_before_the_tick_gives_up() {
    let server = Server::silent().await;
    let start = Instant::now();
    assert_eq!(up(&server.url("/")).await, Ok(0.0));
    assert_eq!(start.elapsed().as_millis(), 4500);
}

#[tokio::test(start_paused = true)]
async fn latency_is_the_time_until_the_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        // The body never comes.
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream
    };
    let (milliseconds, _stream) = tokio::join!(latency(&url), answering);
    assert!((250.0..251.5).contains(&milliseconds.unwrap()));
}

#[tokio::test]
async fn fault_of_this_side_is_an_error_and_not_a_0() {
    let server = Server::of("").await;
    let options = Options {
        headers_file: Some("/nowhere/headers".into()),
        ..Options::default()
    };
    let error = value(Up::new(&server.url("/"), &options))
        .await
        .unwrap_err();
    assert!(error.contains("/nowhere/headers"), "{error}");
    assert!(server.asked().is_empty());
}

#[test]
fn other_targets_are_refused() {
    for (text, part) in [
        ("", "a target is missing"),
        ("host:80", "no scheme, write tcp://host:port"),
        (
            "ftp://host/",
            "scheme of the target is not known here, write tcp://host",
        ),
        ("udp://host:1", "is not known here"),
        ("tcp://", "no tcp://host:port"),
        ("tcp://host", "the port is missing"),
        ("tcp://host:", "the port is missing"),
        ("tcp://[::1]", "the port is missing"),
        ("tcp://host:0", "from 1 to 65535"),
        ("tcp://host:99999", "from 1 to 65535"),
        ("tcp://host:+80", "from 1 to 65535"),
        ("tcp://:80", "no tcp://host:port"),
        ("tcp://host:80/path", "no tcp://host:port"),
        ("tcp://me@host:80", "no tcp://host:port"),
        ("http://", "malformed"),
    ] {
        let error = text.parse::<Target>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!("tcp://[::1]:80".parse::<Target>().is_ok());
}
