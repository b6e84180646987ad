//! Every request with its answer, its acknowledgement, and what the rooms are told.

use serde_json::{Value, json};

use crate::client::Client;
use crate::support::{ADMIN, OPERATE, READ, Site, until};

#[tokio::test]
async fn every_operation_is_acknowledged_with_the_event_that_it_is_answered_with() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let create = json!({"request_id": "r1", "image": "flow:1", "name": "web", "environment": {"K": "v"},
        "ports": {"8080": 8080}, "command": ["run"], "working_dir": "/app"});
    let created = client.must("create_container", create).await;
    assert_eq!(created, client.event("container_created", |_| true).await);
    assert_eq!(created["request_id"], "r1");
    let container = &created["container"];
    let id = container["id"].as_str().unwrap().to_owned();
    assert_eq!((id.len(), &container["status"]), (64, &json!("created")));
    assert_eq!(
        (&container["ports"], &container["environment"]),
        (&json!({"8080": 8080}), &json!({"K": "v"}))
    );
    assert!(
        container["socket_path"]
            .as_str()
            .unwrap()
            .ends_with(&format!("{id}.sock"))
    );
    let names: Vec<_> = container.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "created",
            "environment",
            "id",
            "image",
            "name",
            "ports",
            "socket_path",
            "status"
        ]
    );
    for (request, event, state) in [
        ("start_container", "container_started", "running"),
        ("pause_container", "container_paused", "paused"),
        ("unpause_container", "container_unpaused", "running"),
        ("restart_container", "container_restarted", "running"),
        ("stop_container", "container_stopped", "stopped"),
    ] {
        let answer = client.must(request, json!({"container_id": "web"})).await;
        assert_eq!(answer, client.event(event, |_| true).await);
        assert_eq!(
            (&answer["container_id"], &answer["status"]["state"]),
            (&json!(id), &json!(state)),
            "{request}"
        );
        assert_eq!(answer["request_id"], Value::Null);
    }
    let status = client
        .must("get_status", json!({"container_id": &id[..12]}))
        .await;
    let names: Vec<_> = status["status"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "health",
            "id",
            "last_communication",
            "resource_usage",
            "socket_connected",
            "state",
            "uptime"
        ]
    );
    let deleted = client
        .must(
            "delete_container",
            json!({"container_id": "web", "request_id": "r9"}),
        )
        .await;
    assert_eq!(deleted, json!({"request_id": "r9", "container_id": id}));
    assert!(site.folders().is_empty());
    let failure = client
        .ask(
            "start_container",
            json!({"container_id": "web", "request_id": "r10"}),
        )
        .await;
    assert_eq!(failure, client.event("error", |_| true).await);
    let expected = json!({"container_id": "web", "operation": "start_container", "code": "container_not_found", "rolled_back": null});
    assert_eq!(
        (&failure["details"], &failure["error_type"]),
        (&expected, &json!("docker_api_error"))
    );
    assert_eq!(
        (&failure["message"], &failure["request_id"]),
        (&json!("No container web"), &json!("r10"))
    );
}

#[tokio::test]
async fn rooms_are_told_in_order_with_epoch_and_number() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut watcher = Client::connect(&program, READ).await;
    let mut client = Client::connect(&program, ADMIN).await;
    let id = client.run("web").await["id"].clone();
    client
        .must(
            "delete_container",
            json!({"container_id": "web", "force": true}),
        )
        .await;
    let created = watcher.event("status_update", |_| true).await;
    assert_eq!(
        (&created["container_id"], &created["old_state"]),
        (&id, &json!("created"))
    );
    let started = watcher
        .event("status_update", |update| {
            update["status"]["state"] == "running"
        })
        .await;
    assert_eq!(started["old_state"], "created");
    let feed = watcher
        .event("activity_log", |entry| entry["type"] == "container_started")
        .await;
    assert_eq!(
        (&feed["message"], &feed["container_id"]),
        (&json!("web started"), &id)
    );
    assert!(feed["timestamp"].as_str().unwrap().ends_with('Z') && feed["details"].is_object());
    let gone = watcher
        .event("status_update", |update| update["status"].is_null())
        .await;
    let numbers: Vec<_> = [&created, &started, &feed, &gone]
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(
        [&started, &gone]
            .iter()
            .all(|event| event["epoch"] == created["epoch"])
    );
}

#[tokio::test]
async fn client_that_was_away_is_told_what_it_missed() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let first = client.must("resume", json!({})).await;
    assert_eq!(
        (&first["complete"], &first["events"]),
        (&json!(false), &json!([]))
    );
    client
        .must(
            "create_container",
            json!({"image": "flow:1", "name": "web"}),
        )
        .await;
    let last = client
        .event("activity_log", |entry| entry["type"] == "container_created")
        .await;
    drop(client);
    let mut client = Client::connect(&program, OPERATE).await;
    client
        .must("start_container", json!({"container_id": "web"}))
        .await;
    let resume = json!({"epoch": last["epoch"], "last_seq": {"all": last["seq"], "operate": 0}});
    let resumed = client.must("resume", resume).await;
    assert_eq!(
        (&resumed["complete"], &resumed["epoch"]),
        (&json!(true), &last["epoch"])
    );
    let events = resumed["events"].as_array().unwrap();
    assert!(
        events.iter().any(|event| event["event"] == "status_update"
            && event["data"]["status"]["state"] == "running")
    );
    let mut expected = last["seq"].as_u64().unwrap();
    for event in events {
        expected += 1;
        assert_eq!(event["data"]["seq"], expected);
    }
    let other = client
        .must("resume", json!({"epoch": "other", "last_seq": {"all": 0}}))
        .await;
    assert_eq!(other["complete"], false);
    // Another process has another epoch.
    program.stop().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, OPERATE).await;
    let resumed = client
        .must(
            "resume",
            json!({"epoch": last["epoch"], "last_seq": {"all": 0}}),
        )
        .await;
    assert_eq!(resumed["complete"], false);
    assert_ne!(resumed["epoch"], last["epoch"]);
}

#[tokio::test]
async fn requests_that_are_sent_at_once_are_done_in_their_order() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let mut asked = vec![
        client
            .begin(
                "create_container",
                &json!({"image": "flow:1", "name": "web"}),
            )
            .await,
    ];
    for _ in 0..10 {
        asked.push(
            client
                .begin("start_container", &json!({"container_id": "web"}))
                .await,
        );
        asked.push(
            client
                .begin(
                    "stop_container",
                    &json!({"container_id": "web", "grace_seconds": 0}),
                )
                .await,
        );
    }
    asked.push(
        client
            .begin("delete_container", &json!({"container_id": "web"}))
            .await,
    );
    for number in asked {
        let answer = client.ack(number).await;
        assert_ne!(answer["error"], true, "{number}: {answer}");
    }
    assert!(site.engine.container("web").is_none());
    let starts = site.engine.requests_to("POST /containers/*/start").len();
    assert_eq!(starts, 10);
}

#[tokio::test]
async fn fifty_containers_at_once() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let mut asked = Vec::new();
    for number in 0..50 {
        let name = format!("flow{number}");
        asked.push(
            client
                .begin(
                    "create_container",
                    &json!({"image": "flow:1", "name": name}),
                )
                .await,
        );
        asked.push(
            client
                .begin("start_container", &json!({"container_id": name}))
                .await,
        );
    }
    for number in asked {
        assert_ne!(client.ack(number).await["error"], true);
    }
    let list = client.must("list_containers", json!({})).await;
    let containers = list["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 50);
    assert!(
        containers
            .iter()
            .all(|container| container["status"] == "running")
    );
    assert_eq!(site.folders().len(), 50);
}

#[tokio::test]
async fn stop_lets_operations_end_and_containers_run_on() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    client.run("web").await;
    let delay = docker_local::Fault::delay(std::time::Duration::from_millis(500));
    site.engine.fail_next("POST /containers/*/restart", [delay]);
    let restarting = client
        .begin("restart_container", &json!({"container_id": "web"}))
        .await;
    site.engine
        .requests_at_least("POST /containers/*/restart", 1)
        .await;
    program.signal("TERM");
    assert_eq!(client.ack(restarting).await["status"]["state"], "running");
    // A client is told, and its connection ended.
    while client.engine.frame().await.is_some() {}
    assert!(program.stop_without_signal().await.success());
    assert_eq!(
        site.engine.container("web").unwrap().state(),
        Some(docker_local::State::Running)
    );
    let program = site.start().await;
    let mut client = Client::connect(&program, READ).await;
    let list = client.must("list_containers", json!({})).await;
    assert_eq!(list["containers"][0]["status"], "running");
    until("the state", || site.folders().len() == 1).await;
}
