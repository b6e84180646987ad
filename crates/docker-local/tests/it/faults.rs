//! Misbehaviour on command.

use std::time::Duration;

use docker_local::{Answer, Container, DockerLocal, Fault};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

use crate::support::{engine, get, open, read};

const LOGS: &str = "/v1.41/containers/web/logs?stdout=1";
const SHORT: Duration = Duration::from_millis(100);

async fn with_log() -> DockerLocal {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    container.stdout("hello\n");
    container.stdout("world\n");
    engine
}

#[tokio::test]
async fn queued_faults_are_met_once_each_and_in_order() {
    let engine = with_log().await;
    engine.fail_always("GET *", Fault::error(503, "later"));
    engine.fail_next(
        "GET /containers/*/logs",
        [Fault::error(500, "one"), Fault::error(409, "two")],
    );
    assert_eq!(engine.faults_left(), 2);
    assert_eq!(get(&engine, LOGS).await.message(), "one");
    assert_eq!(get(&engine, "/v1.41/info").await.status, 503);
    assert_eq!(get(&engine, LOGS).await.status, 409);
    assert_eq!(get(&engine, LOGS).await.status, 503);
    assert_eq!(engine.faults_left(), 0);
    engine.heal();
    assert_eq!(get(&engine, LOGS).await.status, 200);
}

#[tokio::test]
async fn rule_picks_its_requests() {
    let engine = with_log().await;
    engine.fail_when(|request| request.query("tail").map(|_| Fault::error(500, "no tail")));
    assert_eq!(get(&engine, LOGS).await.status, 200);
    assert_eq!(get(&engine, &format!("{LOGS}&tail=1")).await.status, 500);
}

#[tokio::test]
async fn body_is_cut_at_every_byte() {
    let engine = with_log().await;
    let whole = get(&engine, LOGS).await;
    assert_eq!(whole.body.len(), 28);
    for at in 0..=whole.body.len() {
        engine.fail_next("GET *", [Fault::cut_body(at), Fault::end_body(at)]);
        let cut = get(&engine, LOGS).await;
        assert!(!cut.whole, "{at}");
        assert_eq!(cut.body, whole.body[..at], "{at}");
        let ended = get(&engine, LOGS).await;
        assert!(ended.whole, "{at}");
        assert_eq!(ended.body, whole.body[..at], "{at}");
    }
}

#[tokio::test]
async fn body_with_a_length_is_cut_too() {
    let engine = with_log().await;
    engine.fail_next("GET *", [Fault::cut_body(5)]);
    let cut = get(&engine, "/v1.41/info").await;
    assert_eq!((cut.whole, cut.body.len()), (false, 5));
}

#[tokio::test]
async fn hanging_body_stays_open() {
    let engine = with_log().await;
    engine.fail_next("GET *", [Fault::hang_body(14), Fault::hang()]);
    for expected in [14, 0] {
        let mut connection = open(&engine, "GET", LOGS).await;
        let mut seen = Vec::new();
        let reading = async { while connection.read_buf(&mut seen).await.unwrap() > 0 {} };
        timeout(SHORT, reading).await.unwrap_err();
        let text = String::from_utf8_lossy(&seen);
        assert_eq!(text.contains("hello"), expected > 0, "{text}");
        assert!(!text.contains("world"), "{text}");
    }
}

#[tokio::test]
async fn slow_body_is_late_and_whole() {
    let engine = with_log().await;
    engine.fail_next("GET *", [Fault::slow(1, Duration::from_millis(5))]);
    let before = Instant::now();
    let slow = get(&engine, LOGS).await;
    assert!(before.elapsed() >= Duration::from_millis(5 * 28));
    assert_eq!((slow.whole, slow.body.len()), (true, 28));
    engine.fail_next("GET *", [Fault::delay(SHORT)]);
    let before = Instant::now();
    get(&engine, LOGS).await;
    assert!(before.elapsed() >= SHORT);
}

#[tokio::test]
async fn cut_and_garbage_are_no_answer() {
    let engine = with_log().await;
    for fault in [Fault::cut(), Fault::garbage()] {
        engine.fail_next("GET *", [fault]);
        let mut seen = Vec::new();
        open(&engine, "GET", LOGS)
            .await
            .read_to_end(&mut seen)
            .await
            .unwrap();
        assert!(!seen.starts_with(b"HTTP"), "{seen:?}");
    }
}

#[tokio::test]
async fn stopped_engine_comes_back_with_what_it_had() {
    let mut engine = with_log().await;
    engine.stop().await;
    let socket = engine.socket().unwrap().to_owned();
    let refused = tokio::net::UnixStream::connect(&socket).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    engine.restart().await.unwrap();
    assert_eq!(get(&engine, LOGS).await.status, 200);
}

#[tokio::test]
async fn two_requests_go_over_one_connection() {
    let engine = with_log().await;
    let mut connection = open(&engine, "GET", "/_ping").await;
    assert_eq!(read(&mut connection).await.body, b"OK");
    tokio::io::AsyncWriteExt::write_all(&mut connection, b"GET /info HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read(&mut connection).await.status, 200);
    assert_eq!(engine.connections(), 1);
}

#[tokio::test]
async fn it_serves_tcp_too() {
    let engine = DockerLocal::builder().tcp().start().await.unwrap();
    engine.answer("GET /x", Answer::bytes(200, "y"));
    let addr = engine.url().strip_prefix("tcp://").unwrap().to_owned();
    let mut connection = tokio::net::TcpStream::connect(addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut connection, b"GET /x HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut seen = [0; 17];
    connection.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"HTTP/1.1 200 OK\r\n");
    assert_eq!(engine.socket(), None);
}
