//! What is no request is answered, and what a role may not do is refused.

use serde_json::{Value, json};

use crate::client::Client;
use crate::support::{ADMIN, OPERATE, READ, Site};

#[tokio::test]
async fn nothing_is_dropped_in_silence() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (packet, code) in [
        (r#"["no_such_event",{}]"#.to_owned(), "unknown_event"),
        (r#"["list_containers",{},{}]"#.to_owned(), "invalid_request"),
        (r#"["list_containers",[]]"#.to_owned(), "invalid_request"),
        (r#"["list_containers","text"]"#.to_owned(), "invalid_request"),
        (r#"["list_containers",null]"#.to_owned(), "invalid_request"),
        (r#"["list_containers",{"unknown":1}]"#.to_owned(), "invalid_request"),
        (r#"["list_containers",{"request_id":1}]"#.to_owned(), "invalid_request"),
        (format!(r#"["list_containers",{{"request_id":"{}"}}]"#, "x".repeat(65)), "invalid_request"),
        (r#"["start_container",{}]"#.to_owned(), "invalid_request"),
        (r#"["start_container",{"container_id":5}]"#.to_owned(), "invalid_request"),
        (r#"["start_container"]"#.to_owned(), "invalid_request"),
        (format!(r#"["start_container",{{"container_id":{deep}}}]"#), "invalid_request"),
        (r#"["stop_container",{"container_id":"a","grace_seconds":301}]"#.to_owned(), "invalid_value"),
        (r#"["get_logs",{"container_id":"a","tail":10001}]"#.to_owned(), "invalid_value"),
        (r#"["get_logs",{"container_id":"a","since":"yesterday"}]"#.to_owned(), "invalid_request"),
        (r#"["send_message",{"container_id":"a","message":{"command":"x"},"timeout_seconds":0}]"#.to_owned(), "invalid_value"),
    ] {
        client.engine.send(format!("427{packet}")).await;
        let answer = client.ack(7).await;
        assert_eq!(answer["details"]["code"], code, "{}", &packet[..packet.len().min(80)]);
        assert_eq!(answer["error"], true);
    }
    // No argument means an empty object.
    client.engine.send(r#"428["list_containers"]"#).await;
    assert_eq!(client.ack(8).await["containers"], json!([]));
    // A packet with an attachment.
    client
        .engine
        .send(r#"451-9["list_containers",{"_placeholder":true,"num":0}]"#)
        .await;
    client.engine.send_binary(vec![1, 2, 3]).await;
    assert_eq!(client.ack(9).await["details"]["code"], "invalid_request");
    // Without an acknowledgement there is the event.
    client
        .engine
        .send(r#"42["no_such_event",{"request_id":"r"}]"#)
        .await;
    let answer = client
        .event("error", |error| error["request_id"] == "r")
        .await;
    assert_eq!(answer["details"]["operation"], "no_such_event");
}

#[tokio::test]
async fn each_role_may_do_what_is_its_own() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let create = json!({"image": "flow:1", "name": "web", "environment": {"PASSWORD": "hunter2"}});
    admin.must("create_container", create.clone()).await;
    let container = json!({"container_id": "web"});
    let requests = [
        ("create_container", create, 3),
        (
            "update_container",
            json!({"container_id": "web", "code_path": "/srv"}),
            3,
        ),
        ("delete_container", container.clone(), 3),
        ("start_container", container.clone(), 2),
        ("stop_container", container.clone(), 2),
        ("restart_container", container.clone(), 2),
        ("pause_container", container.clone(), 2),
        ("unpause_container", container.clone(), 2),
        (
            "send_message",
            json!({"container_id": "web", "message": {"command": "x"}}),
            2,
        ),
        ("get_logs", container.clone(), 2),
        ("subscribe_logs", container.clone(), 2),
        ("unsubscribe_logs", container.clone(), 2),
        ("get_status", container, 1),
        ("list_containers", json!({}), 1),
        ("resume", json!({}), 1),
    ];
    for (token, role) in [(READ, 1), (OPERATE, 2)] {
        let mut client = Client::connect(&program, token).await;
        for (event, body, needs) in &requests {
            let answer = client.ask(event, body.clone()).await;
            let is_forbidden = answer["details"]["code"] == "forbidden";
            assert_eq!(is_forbidden, role < *needs, "{event} by {role}: {answer}");
            if is_forbidden {
                assert_eq!(answer["error_type"], "authorization_error");
            }
        }
        let list = client.must("list_containers", json!({})).await;
        assert_eq!(
            list["containers"][0]["environment"],
            json!({"PASSWORD": "***"})
        );
    }
    let list = admin.must("list_containers", json!({})).await;
    assert_eq!(
        list["containers"][0]["environment"],
        json!({"PASSWORD": "hunter2"})
    );
    assert!(!program.log().contains("hunter2"));
}

#[tokio::test]
async fn flood_of_requests_is_answered_and_bounded() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    client.run("web").await;
    let late = docker_local::Fault::delay(std::time::Duration::from_millis(700));
    site.engine.fail_always("GET /containers/*/stats", late);
    let mut asked = Vec::new();
    for _ in 0..400 {
        asked.push(
            client
                .begin("get_status", &json!({"container_id": "web"}))
                .await,
        );
    }
    let mut refused = 0;
    for number in asked {
        let answer = client.ack(number).await;
        match &answer["details"]["code"] {
            Value::String(code) if code == "too_many_requests" || code == "container_busy" => {
                refused += 1
            }
            _ => assert_eq!(answer["status"]["state"], "running", "{answer}"),
        }
    }
    assert!(refused > 100, "{refused}");
    client.must("list_containers", json!({})).await;
}
