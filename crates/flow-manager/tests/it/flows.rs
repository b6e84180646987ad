//! Flows: messages there and back through the program.

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::client::Client;
use crate::support::{ADMIN, OPERATE, READ, Site, within};

/// A flow of the tests' own.
pub(crate) struct Flow {
    read: BufReader<OwnedReadHalf>,
    pub(crate) write: OwnedWriteHalf,
}

impl Flow {
    /// To the socket of a container; the path may be longer than an address.
    pub(crate) async fn connect(container: &Value) -> Self {
        let socket = Path::new(container["socket_path"].as_str().unwrap());
        let folder = std::fs::File::open(socket.parent().unwrap()).unwrap();
        let name = socket.file_name().unwrap().to_str().unwrap();
        let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
        let (read, write) = UnixStream::connect(path).await.unwrap().into_split();
        let read = BufReader::new(read);
        Self { read, write }
    }

    /// Says hello; what was received of the session.
    pub(crate) async fn hello(&mut self, session: &str) -> u64 {
        self.say(json!({"type": "hello", "version": 1, "session": session}))
            .await;
        let welcome = self.hear().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        welcome["received"].as_u64().unwrap()
    }

    pub(crate) async fn say(&mut self, frame: Value) {
        self.write
            .write_all(format!("{frame}\n").as_bytes())
            .await
            .unwrap();
    }

    /// The next frame; `null` at the end.
    pub(crate) async fn hear(&mut self) -> Value {
        let mut line = String::new();
        match within("a frame of the flow", self.read.read_line(&mut line)).await {
            Ok(0) | Err(_) => Value::Null,
            Ok(_) => serde_json::from_str(&line).unwrap(),
        }
    }

    /// Reads on until a number is acknowledged; pings come in between.
    async fn acknowledged(&mut self, seq: u64) {
        let heard = async {
            loop {
                let frame = self.hear().await;
                assert_ne!(frame, Value::Null, "closed before {seq} was acknowledged");
                if frame["seq"] == seq {
                    return;
                }
            }
        };
        within("an acknowledgement", heard).await;
    }
}

#[tokio::test]
async fn messages_go_to_the_flow_and_its_replies_and_events_to_the_clients() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, OPERATE).await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let container = admin.run("web").await;
    let message = json!({"container_id": "web", "message": {"command": "dump", "data": {"a": 1}}, "await_reply": true, "timeout_seconds": 30});
    assert_eq!(
        client.refused("send_message", message.clone()).await,
        "flow_not_connected"
    );
    let mut flow = Flow::connect(&container).await;
    flow.hello("s1").await;
    let update = client
        .event("status_update", |update| {
            update["status"]["socket_connected"] == true
        })
        .await;
    assert_eq!(update["container_id"], container["id"]);
    let asked = client.begin("send_message", &message).await;
    let received = flow.hear().await;
    assert_eq!(
        (&received["command"], &received["data"], &received["reply"]),
        (&json!("dump"), &json!({"a": 1}), &json!(true))
    );
    flow.say(json!({"type": "reply", "id": received["id"], "ok": true, "data": {"b": [2]}}))
        .await;
    let sent = client.ack(asked).await;
    let expected = json!({"request_id": null, "container_id": container["id"], "message_id": received["id"], "reply": {"ok": true, "data": {"b": [2]}}});
    assert_eq!(sent, expected);
    let without = client
        .must(
            "send_message",
            json!({"container_id": "web", "message": {"command": "x"}}),
        )
        .await;
    assert_eq!(without["reply"], Value::Null);
    assert_eq!(flow.hear().await["reply"], false);
    flow.say(json!({"type": "event", "seq": 1, "name": "progress", "data": {"done": "<b>\u{1b}"}}))
        .await;
    let told = client.event("container_message", |_| true).await;
    assert_eq!(
        (&told["kind"], &told["name"], &told["data"]),
        (
            &json!("event"),
            &json!("progress"),
            &json!({"done": "<b>\u{1b}"})
        )
    );
    assert_eq!(flow.hear().await, json!({"type": "ack", "seq": 1}));
    flow.say(json!({"type": "actor", "seq": 2, "actor": "loader", "event": "finished"}))
        .await;
    let feed = client
        .event("activity_log", |entry| entry["type"] == "actor_event")
        .await;
    assert_eq!(feed["message"], "loader finished");
    let status = client
        .must("get_status", json!({"container_id": "web"}))
        .await;
    assert!(
        status["status"]["last_communication"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let slow = json!({"container_id": "web", "message": {"command": "x"}, "await_reply": true, "timeout_seconds": 0.05});
    assert_eq!(client.refused("send_message", slow).await, "flow_timeout");
    let big =
        json!({"container_id": "web", "message": {"command": "x", "data": "x".repeat(1_100_000)}});
    assert_eq!(
        client.refused("send_message", big).await,
        "message_too_large"
    );
}

#[tokio::test]
async fn client_that_missed_more_than_two_megabytes_is_told_all_of_it() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut flow = Flow::connect(&admin.run("web").await).await;
    flow.hello("s").await;
    let (filler, mut epoch) = ("x".repeat(99_000), Value::Null);
    for seq in 1..=21 {
        flow.say(json!({"type": "event", "seq": seq, "name": "n", "data": filler}))
            .await;
        let told = admin.event("container_message", |_| true).await;
        epoch = told["epoch"].clone();
    }
    let mut back = Client::connect(&program, OPERATE).await;
    let last = json!({"all": 0, "operate": 0});
    let resumed = back
        .must("resume", json!({"epoch": epoch, "last_seq": last}))
        .await;
    let events = resumed["events"].as_array().unwrap();
    let messages = events
        .iter()
        .filter(|told| told["event"] == "container_message");
    assert_eq!((messages.count(), &resumed["complete"]), (21, &json!(true)));
    back.must("list_containers", json!({})).await;
}

#[tokio::test]
async fn what_flows_say_is_not_for_who_only_reads() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut reader = Client::connect(&program, READ).await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut flow = Flow::connect(&admin.run("web").await).await;
    flow.hello("s1").await;
    flow.say(json!({"type": "event", "seq": 1, "name": "secret"}))
        .await;
    admin.event("container_message", |_| true).await;
    admin
        .must("stop_container", json!({"container_id": "web"}))
        .await;
    loop {
        let frame = reader.engine.frame().await.unwrap();
        assert!(!frame.contains("container_message"), "{frame}");
        if frame.contains("\"state\":\"stopped\"") {
            return;
        }
    }
}

#[tokio::test]
async fn many_messages_each_way_are_in_order_and_none_is_lost() {
    /// A tenth of what is promised, unless all is asked for when the test is built.
    const MANY: u64 = if option_env!("FLOW_MANAGER_FULL").is_some() {
        100_000
    } else {
        10_000
    };
    let mut site = Site::new().await;
    site.set("LOG_LEVEL", "warn");
    site.set(
        "LISTEN",
        &format!("127.0.0.1:{}", crate::support::free_port()),
    );
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut flow = Flow::connect(&admin.run("web").await).await;
    flow.hello("s1").await;
    let before = program.resident();
    let telling = tokio::spawn(async move {
        let mut lines = String::new();
        for seq in 1..=MANY {
            lines.push_str(&format!(
                "{{\"type\":\"event\",\"seq\":{seq},\"name\":\"n\",\"data\":{seq}}}\n"
            ));
            if seq % 500 == 0 {
                flow.write.write_all(lines.as_bytes()).await.unwrap();
                lines.clear();
            }
        }
        flow.acknowledged(MANY).await;
        flow
    });
    for seq in 1..=MANY {
        let told = admin.event("container_message", |_| true).await;
        assert_eq!((&told["seq"], &told["data"]), (&json!(seq), &json!(seq)));
    }
    let mut flow = telling.await.unwrap();
    let hearing = tokio::spawn(async move {
        for number in 0..MANY {
            assert_eq!(flow.hear().await["data"], json!(number));
        }
        flow
    });
    // No more than may be under way at once.
    let mut asked = VecDeque::new();
    for number in 0..MANY {
        let message = json!({"container_id": "web", "message": {"command": "n", "data": number}});
        asked.push_back(admin.begin("send_message", &message).await);
        if asked.len() >= 100 {
            let answer = admin.ack(asked.pop_front().unwrap()).await;
            assert_ne!(answer["error"], true, "{answer}");
            admin.engine.forget();
        }
    }
    for number in asked {
        assert_ne!(admin.ack(number).await["error"], true);
    }
    hearing.await.unwrap();
    let after = program.resident();
    assert!(after < before + 24 * 1024, "{after} KiB, {before} before");
}

#[tokio::test]
async fn what_a_flow_says_while_flow_manager_is_away_is_told_when_it_is_back() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let container = admin.run("web").await;
    let mut flow = Flow::connect(&container).await;
    flow.hello("s1").await;
    flow.say(json!({"type": "event", "seq": 1, "name": "n", "data": 1}))
        .await;
    assert_eq!(flow.hear().await["seq"], 1);
    program.kill().await;
    assert_eq!(flow.hear().await, Value::Null);
    let program = site.start().await;
    let mut client = Client::connect(&program, OPERATE).await;
    let mut flow = Flow::connect(&container).await;
    assert_eq!(flow.hello("s1").await, 0);
    for seq in 2..=4 {
        flow.say(json!({"type": "event", "seq": seq, "name": "n", "data": seq}))
            .await;
    }
    for seq in 2..=4 {
        assert_eq!(
            client.event("container_message", |_| true).await["data"],
            seq
        );
    }
}

#[tokio::test]
async fn bad_flows_harm_only_themselves() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut good = Flow::connect(&admin.run("good").await).await;
    good.hello("s").await;
    let bad = admin.run("bad").await;
    let before = program.resident();
    // Half-open and many; oversize, garbage and cut off.
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(Flow::connect(&bad).await);
    }
    for (at, line) in [
        "x".repeat(1_048_576),
        "\u{0}garbage\n".to_owned(),
        "{\"type\":\"hello\"".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let write = held[at].write.write_all(line.as_bytes());
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), write).await;
    }
    for seq in 1..=20 {
        good.say(json!({"type": "event", "seq": seq, "name": "n"}))
            .await;
        good.acknowledged(seq).await;
    }
    admin
        .must(
            "send_message",
            json!({"container_id": "good", "message": {"command": "x"}}),
        )
        .await;
    drop(held);
    assert!(program.resident() < before + 16 * 1024);
}
