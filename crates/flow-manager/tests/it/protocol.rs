//! The cases of the official test suites of Engine.IO 4 and Socket.IO 5, asked by a reader that
//! queues frames. Where the library deviates, the name of the test says so.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Engine};
use crate::support::{ADMIN, Program, Site, http, within};

async fn polling(program: &Program, method: &str, query: &str, body: &str) -> (u16, String) {
    let head = format!(
        "{method} /socket.io/?{query} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        program.address(),
        body.len()
    );
    let (status, answer) = http(program.address(), head.as_bytes()).await;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

async fn open_polling(program: &Program) -> (String, Value) {
    let (status, body) = polling(program, "GET", "EIO=4&transport=polling", "").await;
    assert_eq!(status, 200, "{body}");
    let open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
    (
        format!(
            "EIO=4&transport=polling&sid={}",
            open["sid"].as_str().unwrap()
        ),
        open,
    )
}

#[tokio::test]
async fn handshake_opens_a_session_over_both_transports() {
    let site = Site::new().await;
    let program = site.start().await;
    let (_, open) = open_polling(&program).await;
    let websocket = Engine::connect(program.address()).await;
    assert_eq!(open["upgrades"], json!(["websocket"]));
    assert_eq!(websocket.open["upgrades"], json!([]));
    for open in [&open, &websocket.open] {
        assert!(
            open["sid"].is_string()
                && open["pingInterval"].is_u64()
                && open["pingTimeout"].is_u64()
        );
        assert_eq!(open["maxPayload"], 2 * 1024 * 1024);
    }
}

#[tokio::test]
async fn wrong_handshakes_are_refused() {
    let site = Site::new().await;
    let program = site.start().await;
    for query in [
        "transport=polling",
        "EIO=abc&transport=polling",
        "EIO=3&transport=polling",
        "EIO=4",
        "EIO=4&transport=abc",
        "EIO=4&transport=polling&sid=abc",
    ] {
        let (status, _) = polling(&program, "GET", query, "").await;
        assert_eq!(status, 400, "{query}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let (status, _) = polling(&program, method, "EIO=4&transport=polling", "x").await;
        assert!((400..500).contains(&status), "{method} {status}");
    }
}

#[tokio::test]
async fn client_works_over_polling() {
    let site = Site::new().await;
    let program = site.start().await;
    let (session, _) = open_polling(&program).await;
    let connect = format!("40{}", json!({"token": ADMIN}));
    assert_eq!(
        polling(&program, "POST", &session, &connect).await,
        (200, "ok".to_owned())
    );
    let mut answer = String::new();
    // A ping may come before.
    while !answer.contains("40{\"sid\":") {
        let (status, more) = polling(&program, "GET", &session, "").await;
        assert_eq!(status, 200, "{answer}");
        answer.push_str(&more);
    }
    // Two packets in one payload.
    let body = "421[\"list_containers\",{}]\u{1e}422[\"resume\",{}]";
    polling(&program, "POST", &session, body).await;
    let mut all = String::new();
    while !(all.contains("431[{") && all.contains("432[{")) {
        let (status, more) = polling(&program, "GET", &session, "").await;
        assert_eq!(status, 200);
        all.push_str(&more);
    }
    // A close packet ends the session.
    polling(&program, "POST", &session, "1").await;
    let (status, _) = polling(&program, "GET", &session, "").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn invalid_packet_over_polling_ends_the_session() {
    let site = Site::new().await;
    let program = site.start().await;
    let (session, _) = open_polling(&program).await;
    let (status, _) = polling(&program, "POST", &session, "abc").await;
    assert_eq!(status, 400);
    let (status, _) = polling(&program, "GET", &session, "").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn session_is_upgraded_from_polling_to_websocket() {
    let site = Site::new().await;
    let program = site.start().await;
    let (session, _) = open_polling(&program).await;
    let query = session.replace("polling", "websocket");
    let url = format!("ws://{}/socket.io/?{query}", program.address());
    let stream = TcpStream::connect(program.address()).await.unwrap();
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    socket.send(Message::text("2probe")).await.unwrap();
    let probe = within("the probe", socket.next()).await.unwrap().unwrap();
    assert_eq!(probe, Message::text("3probe"));
    socket.send(Message::text("5")).await.unwrap();
    socket
        .send(Message::text(format!("40{}", json!({"token": ADMIN}))))
        .await
        .unwrap();
    // The library asks at once whether the client is there.
    let connected = loop {
        let next = within("CONNECT", socket.next()).await.unwrap().unwrap();
        if next != Message::text("2") {
            break next;
        }
    };
    assert!(connected.to_text().unwrap().starts_with("40{\"sid\":"));
    let (status, _) = polling(&program, "GET", &session, "").await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn websocket_is_refused_for_a_session_that_is_one_already() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut first = Client::connect(&program, ADMIN).await;
    let sid = first.engine.open["sid"].as_str().unwrap();
    let url = format!(
        "ws://{}/socket.io/?EIO=4&transport=websocket&sid={sid}",
        program.address()
    );
    let stream = TcpStream::connect(program.address()).await.unwrap();
    if let Ok((mut socket, _)) = client_async(url, stream).await {
        let next = within("its end", socket.next()).await;
        assert!(!matches!(next, Some(Ok(message)) if message.is_text()));
    }
    first.must("list_containers", json!({})).await;
}

#[tokio::test]
async fn namespaces_are_connected_refused_and_left_and_a_connect_that_comes_too_soon_is_ignored() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    client.engine.send("40/random,").await;
    let refused = client
        .engine
        .find(|frame| frame.starts_with("44/random,").then(|| frame.to_owned()))
        .await;
    assert_eq!(
        refused.as_deref(),
        Some(r#"44/random,{"message":"Invalid namespace"}"#)
    );
    // A second CONNECT of one that is connected is not answered, and harms nothing.
    client
        .engine
        .send(format!("40{}", json!({"token": "wrong"})))
        .await;
    client.must("list_containers", json!({})).await;
    client.engine.send("41").await;
    let back = client.engine.ask_to_connect(ADMIN).await;
    assert!(back.starts_with("40{\"sid\":"), "{back}");
    let number = client.begin("list_containers", &json!({})).await;
    let answer = client
        .engine
        .find(|frame| frame.starts_with("43").then(|| frame.to_owned()))
        .await;
    assert!(answer.unwrap().starts_with(&format!("43{number}[")));
}

#[tokio::test]
async fn packets_that_are_none_end_the_connection() {
    let site = Site::new().await;
    let program = site.start().await;
    for packet in ["4abc", "47", "42{}", "42[]", "42[1]", "4", "abc"] {
        let mut client = Client::connect(&program, ADMIN).await;
        client.engine.send(packet).await;
        while let Some(frame) = client.engine.frame().await {
            assert!(!frame.starts_with("43"), "{packet:?} {frame}");
        }
    }
    Client::connect(&program, ADMIN)
        .await
        .must("list_containers", json!({}))
        .await;
}

#[tokio::test]
async fn slow_head_of_a_request_is_not_waited_for() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut stream = TcpStream::connect(program.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    let _ = within("its end", stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
