//! What a program in a container can do, and what it cannot.

use std::sync::Arc;

use serde_json::json;

use crate::client::Client;
use crate::engine::{Engine, IMAGE};
use crate::support::{ADMIN, Ground};
use crate::tests;

tests![flow_is_fenced_in_and_finds_its_socket, log_is_followed];

async fn flow_is_fenced_in_and_finds_its_socket(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let create =
        json!({"image": IMAGE, "name": "fenced", "command": ["sleep", "1000"], "ports": {"80": 0}});
    client.must("create_container", create).await;
    client
        .must("start_container", json!({"container_id": "fenced"}))
        .await;
    for user in ["root", "guest"] {
        let run = async |script: &str| {
            engine
                .docker_text(&["exec", "--user", user, "fenced", "sh", "-c", script])
                .await
        };
        assert_eq!(
            run("test -S $FLOW_SOCKET && test -w $FLOW_SOCKET && echo yes").await,
            "yes",
            "{user}"
        );
        assert_eq!(run("rm -f $FLOW_SOCKET /run/flow/*.sock 2>/dev/null; touch /run/flow/x 2>/dev/null || ls /run/flow | wc -l").await, "2", "{user}");
        assert_eq!(
            run("ls /run/flow/state.json 2>/dev/null || echo none").await,
            "none"
        );
    }
    let status = engine
        .docker_text(&["exec", "fenced", "cat", "/proc/1/status"])
        .await;
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{line}");
    }
    let inspected = engine.docker_text(&["inspect", "fenced"]).await;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let host = &inspected[0]["HostConfig"];
    assert_eq!(
        (&host["Memory"], &host["PidsLimit"]),
        (&json!(512 << 20), &json!(256))
    );
    assert_eq!(
        host["LogConfig"],
        json!({"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}})
    );
    assert_eq!(
        inspected[0]["NetworkSettings"]["Ports"]["80/tcp"][0]["HostIp"],
        "127.0.0.1"
    );
}

async fn log_is_followed(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let script = "echo before; while ! test -e /tmp/go; do sleep 0.1; done; echo one; echo two >&2; exec sleep 1000";
    client
        .must(
            "create_container",
            json!({"image": IMAGE, "name": "talks", "command": ["sh", "-c", script]}),
        )
        .await;
    client
        .must("start_container", json!({"container_id": "talks"}))
        .await;
    loop {
        let log = client
            .must("get_logs", json!({"container_id": "talks"}))
            .await;
        if log["lines"][0]["text"] == "before" {
            break;
        }
    }
    client
        .must("subscribe_logs", json!({"container_id": "talks"}))
        .await;
    engine
        .docker_text(&["exec", "talks", "touch", "/tmp/go"])
        .await;
    let mut told = Vec::new();
    while told.len() < 2 {
        let lines = client.event("log_lines", |_| true).await;
        told.extend(
            lines["lines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| (line["stream"].clone(), line["text"].clone())),
        );
    }
    told.sort_by_key(|(stream, _)| stream.to_string());
    assert_eq!(
        told,
        [
            (json!("stderr"), json!("two")),
            (json!("stdout"), json!("one"))
        ]
    );
}
