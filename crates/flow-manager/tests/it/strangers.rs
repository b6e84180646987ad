//! Those who connect and do not say who they are.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::client::{Client, Engine};
use crate::support::{ADMIN, Program, READ, Site, http, within};

/// More than there may be.
const MANY: usize = 5000;

/// Begins a session over polling with a long head, on a connection that stays; the status.
async fn shake_hands(stream: &mut TcpStream, host: &str, filler: &str) -> u16 {
    let head = format!(
        "GET /socket.io/?EIO=4&transport=polling&t={filler} HTTP/1.1\r\nHost: {host}\r\nX-Filler: {filler}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    // What it answers with is shorter than a packet.
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = within("an answer", stream.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "closed");
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer)[9..12].parse().unwrap()
}

/// A connection from another address of this host.
async fn connect_from(from: &str, program: &Program) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(program.address()).await.unwrap()
}

#[tokio::test]
async fn handshakes_without_a_token_cost_little_and_keep_no_friend_out() {
    let site = Site::new().await;
    let program = site.start().await;
    let host = program.address().to_string();
    let before = program.resident();
    let filler = "x".repeat(14_000);
    let mut refused = 0;
    let mut stream = connect_from("127.0.0.2", &program).await;
    for _ in 0..MANY {
        match shake_hands(&mut stream, &host, &filler).await {
            200 => {}
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused >= MANY - 1200, "{refused}");
    let after = program.resident();
    assert!(after < before + 16 * 1024, "{after} KiB, {before} before");
    // From another address at once, and from the same when the first have ended.
    let mut friend = Client::connect(&program, READ).await;
    friend.must("list_containers", json!({})).await;
    within("a place", async {
        while shake_hands(&mut stream, &host, "").await != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn stranger_may_not_send_what_a_client_may() {
    let site = Site::new().await;
    let program = site.start().await;
    let long = format!("42[\"x\",\"{}\"]", "x".repeat(100_000));
    let mut stranger = Engine::connect(program.address()).await;
    let token = json!({"token": "x".repeat(100_000)});
    stranger.send(format!("40{token}")).await;
    // It is not even told that the token is wrong.
    while let Some(frame) = stranger.frame().await {
        assert!(!frame.starts_with('4'), "{frame}");
    }
    let open = program.get("/socket.io/?EIO=4&transport=polling").await.1;
    let sid = open.split("\"sid\":\"").nth(1).unwrap();
    let sid = sid.split('"').next().unwrap();
    let post = |body: &str| {
        format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            program.address(),
            body.len()
        )
    };
    let status = http(program.address(), post(&long).as_bytes()).await.0;
    assert_ne!(status, 200);
    // Nobody is restricted who has said who it is.
    let mut client = Client::connect(&program, ADMIN).await;
    let large = json!({"container_id": "x".repeat(100_000)});
    assert_eq!(
        client.refused("get_status", large).await,
        "container_not_found"
    );
}

#[tokio::test]
async fn request_that_does_not_come_to_its_end_is_not_waited_for() {
    let site = Site::new().await;
    let program = site.start().await;
    let open = program.get("/socket.io/?EIO=4&transport=polling").await.1;
    let sid = open.split("\"sid\":\"").nth(1).unwrap();
    let sid = sid.split('"').next().unwrap();
    let host = program.address();
    let begun = Instant::now();
    let heads = [
        // Its body does not come, however it is announced.
        format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n4"
        ),
        format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n4\r\n"
        ),
        // It waits for what nobody will tell a stranger.
        format!(
            "GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {host}\r\n\r\n"
        ),
        format!(
            "GET /socket.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
        ),
        format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
        ),
        format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"),
    ];
    let ended = heads.map(|head| tokio::spawn(async move { http(host, head.as_bytes()).await }));
    for ended in ended {
        ended.await.unwrap();
    }
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
}
