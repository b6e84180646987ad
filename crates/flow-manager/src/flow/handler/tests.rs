//! The protocol, spoken by a flow of the tests' own.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Told {
    events: Mutex<Vec<String>>,
    changes: AtomicU64,
}

impl FlowObserver for Told {
    fn connection_changed(&self, _: &str) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    fn flow_event(&self, _: &str, event: &FlowEvent) {
        let text = match event {
            FlowEvent::Event { name, data } => format!("{name} {data}"),
            FlowEvent::Actor { actor, event, data } => format!("{actor}: {event} {data}"),
        };
        self.events.lock().unwrap().push(text);
    }
}

struct Fixture {
    handler: SocketCommunicationHandler,
    told: Arc<Told>,
    id: String,
    folder: FlowFolder,
    _place: TempDir,
}

impl Fixture {
    async fn with(times: FlowTimes) -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = FlowFolder::at(place.path().join("f"));
        folder.create().unwrap();
        let told = Arc::new(Told::default());
        let handler = SocketCommunicationHandler::new(told.clone(), times);
        let id = "ab".repeat(32);
        handler.setup_socket(&id, &folder).await.unwrap();
        Self {
            handler,
            told,
            id,
            folder,
            _place: place,
        }
    }

    async fn start() -> Self {
        Self::with(FlowTimes::default()).await
    }

    fn path(&self) -> PathBuf {
        self.folder.mounted().join("flow.sock")
    }

    async fn connect(&self) -> Flow {
        let (read, write) = UnixStream::connect(self.path()).await.unwrap().into_split();
        Flow {
            read: BufReader::new(read),
            write,
        }
    }

    /// A flow that said hello; and what it is told of what was received.
    async fn flow(&self, session: &str) -> (Flow, u64) {
        let mut flow = self.connect().await;
        flow.say(json!({"type": "hello", "version": 1, "session": session}))
            .await;
        let welcome = flow.hear().await;
        assert_eq!(
            (&welcome["type"], &welcome["container_id"]),
            (&json!("welcome"), &json!(self.id))
        );
        (flow, welcome["received"].as_u64().unwrap())
    }

    fn events(&self) -> Vec<String> {
        self.told.events.lock().unwrap().clone()
    }
}

struct Flow {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Flow {
    async fn say(&mut self, frame: Value) {
        self.write
            .write_all(format!("{frame}\n").as_bytes())
            .await
            .unwrap();
    }

    /// The next frame; `null` at the end.
    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.read.read_line(&mut line)).await;
        match read.expect("a line comes in time") {
            Ok(0) | Err(_) => Value::Null,
            Ok(_) => serde_json::from_str(&line).unwrap(),
        }
    }

    /// The code of the error that it is closed with.
    async fn closed(&mut self) -> String {
        let error = self.hear().await;
        assert_eq!(error["type"], "error", "{error}");
        assert_eq!(self.hear().await, Value::Null);
        error["code"].as_str().unwrap().to_owned()
    }
}

fn dump() -> Message {
    serde_json::from_str(r#"{"command":"dump"}"#).unwrap()
}

#[tokio::test]
async fn events_are_acknowledged_and_repeats_are_told_once() {
    let fixture = Fixture::start().await;
    let (mut flow, received) = fixture.flow("s1").await;
    assert_eq!(received, 0);
    flow.say(json!({"type": "event", "seq": 18, "name": "progress", "data": {"done": 3}}))
        .await;
    assert_eq!(flow.hear().await, json!({"type": "ack", "seq": 18}));
    flow.say(json!({"type": "event", "seq": 18, "name": "progress", "data": {"done": 3}}))
        .await;
    assert_eq!(flow.hear().await, json!({"type": "ack", "seq": 18}));
    flow.say(json!({"type": "actor", "seq": 19, "actor": "loader", "event": "finished", "data": {"rows": 7}}))
        .await;
    assert_eq!(flow.hear().await, json!({"type": "ack", "seq": 19}));
    assert_eq!(
        fixture.events(),
        [r#"progress {"done":3}"#, r#"loader: finished {"rows":7}"#]
    );
    drop(flow);
    let (_flow, received) = fixture.flow("s1").await;
    assert_eq!(received, 19);
    assert!(fixture.handler.is_socket_connected(&fixture.id));
    assert!(fixture.handler.last_communication(&fixture.id).is_some());
}

#[tokio::test]
async fn another_flow_manager_takes_up_a_session_at_its_first_number() {
    let fixture = Fixture::start().await;
    let (mut flow, _) = fixture.flow("s1").await;
    flow.say(json!({"type": "event", "seq": 1, "name": "a"}))
        .await;
    flow.hear().await;
    fixture.handler.shut_down();
    assert_eq!(flow.hear().await, Value::Null);
    let again = SocketCommunicationHandler::new(fixture.told.clone(), FlowTimes::default());
    again
        .setup_socket(&fixture.id, &fixture.folder)
        .await
        .unwrap();
    let (mut flow, received) = fixture.flow("s1").await;
    assert_eq!(received, 0);
    flow.say(json!({"type": "event", "seq": 2, "name": "b"}))
        .await;
    assert_eq!(flow.hear().await, json!({"type": "ack", "seq": 2}));
    assert_eq!(fixture.events(), ["a {}", "b {}"]);
}

#[tokio::test]
async fn messages_are_written_in_order_and_replies_find_their_sender() {
    let fixture = Fixture::start().await;
    let (mut flow, _) = fixture.flow("s1").await;
    let begun: Vec<_> = (0..3)
        .map(|_| {
            fixture
                .handler
                .begin_message(&fixture.id, &dump(), true)
                .unwrap()
        })
        .collect();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let message = flow.hear().await;
        assert_eq!(
            (&message["type"], &message["reply"]),
            (&json!("message"), &json!(true))
        );
        ids.push(message["id"].clone());
    }
    for (number, id) in ids.iter().enumerate().rev() {
        flow.say(json!({"type": "reply", "id": id, "ok": true, "data": number}))
            .await;
    }
    for (number, sending) in begun.into_iter().enumerate() {
        let sent = sending.finish(PATIENCE).await.unwrap();
        assert_eq!(json!(sent.message_id), ids[number]);
        let reply = serde_json::to_value(sent.reply).unwrap();
        assert_eq!(reply, json!({"ok": true, "data": number}));
    }
}

#[tokio::test]
async fn each_way_of_not_being_answered_has_its_code() {
    let fixture = Fixture::start().await;
    let send = || fixture.handler.begin_message(&fixture.id, &dump(), true);
    assert_eq!(send().unwrap_err().code, ErrorCode::FlowNotConnected);
    let (mut flow, _) = fixture.flow("s1").await;
    let late = send().unwrap().finish(Duration::from_millis(50)).await;
    assert_eq!(late.unwrap_err().code, ErrorCode::FlowTimeout);
    flow.hear().await;
    let lost = send().unwrap();
    flow.hear().await;
    drop(flow);
    assert_eq!(
        lost.finish(PATIENCE).await.unwrap_err().code,
        ErrorCode::FlowDisconnected
    );
    let big = Message {
        command: "x".to_owned(),
        data: crate::json::raw(&"x".repeat(super::super::LINE_MAX)),
    };
    let (_flow, _) = fixture.flow("s2").await;
    let refused = fixture
        .handler
        .begin_message(&fixture.id, &big, false)
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::MessageTooLarge);
}

#[tokio::test]
async fn flow_that_does_not_read_is_busy_and_keeps_its_acknowledged_place() {
    let fixture = Fixture::start().await;
    let (mut flow, _) = fixture.flow("s1").await;
    let big = Message {
        command: "x".to_owned(),
        data: crate::json::raw(&"x".repeat(500_000)),
    };
    let mut sending = Vec::new();
    let full = loop {
        match fixture.handler.begin_message(&fixture.id, &big, false) {
            Ok(begun) => sending.push(begun),
            Err(failure) => break failure.code,
        }
        tokio::task::yield_now().await;
        assert!(sending.len() < 100);
    };
    assert_eq!(full, ErrorCode::FlowBusy);
    // It is still read.
    flow.say(json!({"type": "event", "seq": 1, "name": "a"}))
        .await;
    for _ in 0..sending.len() {
        let frame = flow.hear().await;
        assert!(
            frame["type"] == "message" || frame["type"] == "ack",
            "{}",
            frame["type"]
        );
    }
    assert_eq!(fixture.events(), ["a {}"]);
}

#[tokio::test]
async fn newest_connection_wins() {
    let fixture = Fixture::start().await;
    let (mut first, _) = fixture.flow("s1").await;
    let (mut second, _) = fixture.flow("s2").await;
    assert_eq!(first.closed().await, "replaced");
    second
        .say(json!({"type": "event", "seq": 1, "name": "a"}))
        .await;
    assert_eq!(second.hear().await["type"], "ack");
    assert!(fixture.handler.is_socket_connected(&fixture.id));
}

#[tokio::test]
async fn what_breaks_the_protocol_is_told_and_closed() {
    let fixture = Fixture::start().await;
    for (line, code) in [
        ("{\"type\":\"pong\"}", "bad_hello"),
        ("no json", "bad_hello"),
        (
            "{\"type\":\"hello\",\"version\":2,\"session\":\"s\"}",
            "version",
        ),
    ] {
        let mut flow = fixture.connect().await;
        flow.write
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(flow.closed().await, code, "{line}");
    }
    for (line, code) in [
        ("{".to_owned(), "bad_json"),
        (
            format!(
                "{{\"type\":\"event\",\"seq\":1,\"name\":\"n\",\"data\":{}",
                "[".repeat(10_000)
            ),
            "bad_json",
        ),
        (
            "{\"type\":\"event\",\"seq\":\"1\",\"name\":\"n\"}".to_owned(),
            "bad_field",
        ),
        ("x".repeat(super::super::LINE_MAX), "too_long"),
    ] {
        let (mut flow, _) = fixture.flow("s").await;
        // It may be closed before all of it is written.
        let _ = flow.write.write_all(format!("{line}\n").as_bytes()).await;
        assert_eq!(flow.closed().await, code);
    }
    assert!(fixture.events().is_empty());
}

#[tokio::test]
async fn quiet_flow_is_asked_and_then_closed() {
    let times = FlowTimes {
        hello: Duration::from_millis(300),
        ping: Duration::from_millis(300),
        idle: Duration::from_millis(700),
        ..FlowTimes::default()
    };
    let fixture = Fixture::with(times).await;
    let mut silent = fixture.connect().await;
    let (mut flow, _) = fixture.flow("s1").await;
    for _ in 0..3 {
        assert_eq!(flow.hear().await, json!({"type": "ping"}));
        flow.say(json!({"type": "pong"})).await;
    }
    assert_eq!(flow.hear().await, json!({"type": "ping"}));
    assert_eq!(flow.closed().await, "idle");
    assert_eq!(silent.closed().await, "bad_hello");
}

#[tokio::test]
async fn flood_is_read_slower_and_nothing_is_dropped() {
    let times = FlowTimes {
        lines_a_second: 100,
        ..FlowTimes::default()
    };
    let fixture = Fixture::with(times).await;
    let (mut flow, _) = fixture.flow("s1").await;
    let begun = tokio::time::Instant::now();
    for seq in 1..=250 {
        flow.say(json!({"type": "event", "seq": seq, "name": "n", "data": seq}))
            .await;
    }
    while flow.hear().await["seq"] != 250 {}
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    let expected: Vec<_> = (1..=250).map(|seq| format!("n {seq}")).collect();
    assert_eq!(fixture.events(), expected);
}

#[tokio::test]
async fn next_message_can_be_waited_for() {
    let fixture = Fixture::start().await;
    let (mut flow, _) = fixture.flow("s1").await;
    let none = fixture
        .handler
        .receive_message(&fixture.id, Duration::from_millis(20))
        .await;
    assert_eq!(none.unwrap_err().code, ErrorCode::FlowTimeout);
    let receiving = fixture.handler.receive_message(&fixture.id, PATIENCE);
    let (received, ()) = tokio::join!(
        receiving,
        flow.say(json!({"type": "event", "seq": 1, "name": "a"}))
    );
    assert!(matches!(received.unwrap(), FlowEvent::Event { name, .. } if name == "a"));
}

#[tokio::test]
async fn socket_is_gone_after_cleanup_and_who_waits_is_answered() {
    let fixture = Fixture::start().await;
    let (mut flow, _) = fixture.flow("s1").await;
    let waits = fixture
        .handler
        .begin_message(&fixture.id, &dump(), true)
        .unwrap();
    fixture
        .handler
        .cleanup_socket(&fixture.id, &fixture.folder)
        .await;
    assert_eq!(
        waits.finish(PATIENCE).await.unwrap_err().code,
        ErrorCode::FlowDisconnected
    );
    while flow.hear().await != Value::Null {}
    assert!(!fixture.folder.socket(&fixture.id).exists());
    assert!(!fixture.handler.is_socket_connected(&fixture.id));
}
