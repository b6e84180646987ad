//! Every operation from every state.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::client::Client;
use crate::containers;
use crate::engine::{Engine, IMAGE};
use crate::support::{ADMIN, Ground, OPERATE};
use crate::tests;

tests![
    every_operation_from_every_state,
    twenty_operations_at_once_are_done_one_after_the_other,
    engine_that_is_restarted_is_found_again,
];

/// The states that a real engine stays in.
const STATES: [&str; 6] = [
    "created",
    "running",
    "paused",
    "stopped",
    "exited",
    "restarting",
];

/// What comes of an operation: a state, or a code; `*` where the program may have ended already
/// when it is looked at.
const EXPECTED: [(&str, [&str; 6]); 7] = [
    (
        "start_container",
        ["running", "running", "invalid_state", "running", "*", "*"],
    ),
    (
        "stop_container",
        [
            "created", "stopped", "stopped", "stopped", "stopped", "stopped",
        ],
    ),
    (
        "restart_container",
        ["running", "running", "running", "running", "*", "*"],
    ),
    (
        "pause_container",
        [
            "invalid_state",
            "paused",
            "paused",
            "invalid_state",
            "invalid_state",
            "invalid_state",
        ],
    ),
    (
        "unpause_container",
        [
            "invalid_state",
            "running",
            "running",
            "invalid_state",
            "invalid_state",
            "invalid_state",
        ],
    ),
    (
        "update_container",
        [
            "code_path_not_allowed",
            "code_path_not_allowed",
            "invalid_state",
            "code_path_not_allowed",
            "code_path_not_allowed",
            "invalid_state",
        ],
    ),
    (
        "delete_container",
        [
            "",
            "container_running",
            "container_running",
            "",
            "",
            "container_running",
        ],
    ),
];

/// Brings a container into a state.
async fn bring(engine: &Engine, client: &mut Client, name: &str, state: &str) {
    let command = match state {
        "exited" | "restarting" => "exit 3",
        _ => "trap exit TERM; while true; do sleep 1; done",
    };
    let create = json!({"image": IMAGE, "name": name, "command": ["sh", "-c", command], "working_dir": "/srv/app"});
    client.must("create_container", create).await;
    let container = json!({"container_id": name});
    if state == "created" {
        return;
    }
    if state == "restarting" {
        engine
            .docker(&["update", "--restart", "always", name])
            .await
            .unwrap();
    }
    client.must("start_container", container.clone()).await;
    match state {
        "paused" => drop(client.must("pause_container", container.clone()).await),
        "stopped" => drop(
            client
                .must(
                    "stop_container",
                    json!({"container_id": name, "grace_seconds": 0}),
                )
                .await,
        ),
        _ => {}
    }
    loop {
        let status = client.must("get_status", container.clone()).await;
        let real = engine
            .docker_text(&["inspect", "--format", "{{.State.Status}}", name])
            .await;
        let is_there = match state {
            // Its pauses grow with each end.
            "restarting" => real == "restarting" && status["status"]["state"] != "created",
            state => status["status"]["state"] == state,
        };
        if is_there {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn every_operation_from_every_state(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let mut wrong = Vec::new();
    for (number, state) in STATES.into_iter().enumerate() {
        for (operation, expected) in EXPECTED {
            let name = format!("{state}-{operation}");
            bring(&engine, &mut client, &name, state).await;
            let mut body = json!({"container_id": name});
            match operation {
                "stop_container" | "restart_container" => body["grace_seconds"] = json!(1),
                "update_container" => body["code_path"] = json!("/nowhere"),
                _ => {}
            }
            let answer = client.ask(operation, body).await;
            let what = match answer["error"] == true {
                true => &answer["details"]["code"],
                false => &answer["status"]["state"],
            };
            let expected = expected[number];
            if expected != "*" && what.as_str().unwrap_or_default() != expected {
                wrong.push(format!("{name}: {answer}, expected {expected}"));
            }
            // Whatever came of it, it can be removed, and nothing is left.
            let removed = client
                .ask(
                    "delete_container",
                    json!({"container_id": name, "force": true}),
                )
                .await;
            let is_gone =
                removed["error"] != true || removed["details"]["code"] == "container_not_found";
            assert!(is_gone, "{name}: {removed}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(containers(&engine).await.is_empty() && ground.folders().is_empty());
}

async fn twenty_operations_at_once_are_done_one_after_the_other(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    bring(&engine, &mut client, "busy", "created").await;
    let mut asked = Vec::new();
    for number in 0..20 {
        let (operation, state) = match number % 2 {
            0 => ("start_container", "running"),
            _ => ("stop_container", "stopped"),
        };
        let mut body = json!({"container_id": "busy"});
        if number % 2 == 1 {
            body["grace_seconds"] = json!(0);
        }
        asked.push((client.begin(operation, &body).await, state));
    }
    for (number, state) in asked {
        assert_eq!(
            client.ack(number).await["status"]["state"],
            state,
            "{number}"
        );
    }
}

async fn engine_that_is_restarted_is_found_again(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let mut watcher = Client::connect(&program, OPERATE).await;
    bring(&engine, &mut client, "lasting", "running").await;
    watcher
        .must("subscribe_logs", json!({"container_id": "lasting"}))
        .await;
    engine.stop_daemon().await;
    watcher
        .event("activity_log", |entry| {
            entry["type"] == "engine_unavailable"
        })
        .await;
    assert_eq!(
        client.refused("list_containers", json!({})).await,
        "engine_unavailable"
    );
    engine.start_daemon().await.unwrap();
    watcher
        .event("activity_log", |entry| entry["type"] == "engine_available")
        .await;
    let list = client.must("list_containers", json!({})).await;
    assert_eq!(list["containers"][0]["status"], "running");
    let status: Value = client
        .must("get_status", json!({"container_id": "lasting"}))
        .await;
    assert!(
        status["status"]["resource_usage"]["memory_bytes"].is_u64(),
        "{status}"
    );
}
