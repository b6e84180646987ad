//! The engine goes away, the program is killed, a client does not read.

use std::collections::HashSet;
use std::time::Duration;

use docker_local::Fault;
use serde_json::json;

use crate::client::Client;
use crate::flows::Flow;
use crate::support::{ADMIN, READ, Site, within};

#[tokio::test]
async fn without_an_engine_clients_stay_and_are_answered() {
    let mut site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let container = client.run("web").await;
    let mut flow = Flow::connect(&container).await;
    flow.hello("s").await;
    site.engine.stop().await;
    client
        .event("activity_log", |entry| {
            entry["type"] == "engine_unavailable"
        })
        .await;
    for event in ["start_container", "get_status", "get_logs"] {
        assert_eq!(
            client.refused(event, json!({"container_id": "web"})).await,
            "engine_unavailable",
            "{event}"
        );
    }
    assert_eq!(
        client.refused("list_containers", json!({})).await,
        "engine_unavailable"
    );
    assert_eq!(
        client
            .refused("create_container", json!({"image": "flow:1"}))
            .await,
        "engine_unavailable"
    );
    assert_eq!(program.get("/readyz").await.0, 503);
    assert_eq!(program.get("/healthz").await.0, 200);
    // Messages need no engine.
    client
        .must(
            "send_message",
            json!({"container_id": "web", "message": {"command": "x"}}),
        )
        .await;
    assert_eq!(flow.hear().await["command"], "x");
    // What is told meanwhile says that it may be wrong.
    drop(flow);
    let told = client
        .event("status_update", |told| {
            told["status"]["socket_connected"] == false && told["status"]["stale"] == true
        })
        .await;
    assert_eq!(told["status"]["state"], "running");
    site.engine.container("web").unwrap().exit(1);
    site.engine.restart().await.unwrap();
    client
        .event("activity_log", |entry| entry["type"] == "engine_available")
        .await;
    let list = client.must("list_containers", json!({})).await;
    assert_eq!(list["containers"][0]["status"], "exited");
    let status = client
        .must("get_status", json!({"container_id": "web"}))
        .await;
    assert!(status["status"].get("stale").is_none(), "{status}");
}

#[tokio::test]
async fn it_starts_without_an_engine_and_finds_it_later() {
    let mut site = Site::new().await;
    site.engine.stop().await;
    let program = site.start_unready().await;
    let mut client = Client::connect(&program, READ).await;
    assert_eq!(
        client.refused("list_containers", json!({})).await,
        "engine_unavailable"
    );
    site.engine.restart().await.unwrap();
    client
        .event("activity_log", |entry| entry["type"] == "engine_available")
        .await;
    client.must("list_containers", json!({})).await;
}

#[tokio::test]
async fn failures_of_the_engine_are_told_and_nothing_is_left() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let create = json!({"image": "flow:1", "name": "web"});
    site.engine.fail_next(
        "POST /containers/create",
        [Fault::error(500, "no space left on device")],
    );
    assert_eq!(
        client.refused("create_container", create.clone()).await,
        "engine_error"
    );
    site.engine.fail_always(
        "POST /images/create",
        Fault::error(404, "pull access denied"),
    );
    let missing = json!({"image": "missing:1"});
    assert_eq!(
        client.refused("create_container", missing).await,
        "image_not_found"
    );
    assert!(site.folders().is_empty());
    client.must("create_container", create).await;
    let taken = "driver failed: Bind for 127.0.0.1:80 failed: port is already allocated";
    site.engine
        .fail_next("POST /containers/*/start", [Fault::error(500, taken)]);
    assert_eq!(
        client
            .refused("start_container", json!({"container_id": "web"}))
            .await,
        "port_taken"
    );
    let status = client
        .must("get_status", json!({"container_id": "web"}))
        .await;
    assert_eq!(status["status"]["state"], "created");
}

#[tokio::test]
async fn full_disk_keeps_nobody_from_stopping_a_container() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    client.run("web").await;
    // A folder in the place of the new file: it cannot be written, also not by root.
    let folder = site.folders().remove(0);
    std::fs::create_dir(folder.join("state.new")).unwrap();
    let stopped = client
        .must("stop_container", json!({"container_id": "web"}))
        .await;
    assert_eq!(stopped["status"]["state"], "stopped");
    assert!(program.log().contains("state not written"));
    std::fs::rename(site.state().join("c"), site.state().join("away")).unwrap();
    let refused = client
        .refused(
            "create_container",
            json!({"image": "flow:1", "name": "more"}),
        )
        .await;
    assert_eq!(refused, "state_not_written");
    assert!(site.engine.container("more").is_none());
}

#[tokio::test]
async fn client_that_does_not_read_is_disconnected_and_others_are_served() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut flow = Flow::connect(&admin.run("web").await).await;
    flow.hello("s").await;
    let before = program.resident();
    let mut deaf = Client::connect(&program, ADMIN).await;
    let filler = "x".repeat(100_000);
    // Ten times what it may cost.
    for seq in 1..=2000 {
        flow.say(json!({"type": "event", "seq": seq, "name": "n", "data": filler}))
            .await;
        let told = admin.event("container_message", |_| true).await;
        assert_eq!(told["seq"], seq);
    }
    let after = program.resident();
    assert!(after < before + 20 * 1024, "{after} KiB, {before} before");
    // What it had before is read, then its end.
    let mut seen = 0;
    while let Some(frame) = deaf.engine.frame().await {
        if frame == "41" {
            break;
        }
        seen += 1;
    }
    assert!(seen < 1000, "{seen}");
    admin.must("list_containers", json!({})).await;
}

/// What goes to a client waits in our queue, which all clients share the texts of, and in the
/// library's, which has a copy of each.
#[tokio::test]
async fn deaf_clients_cost_what_they_may() {
    const DEAF: usize = 20;
    let site = Site::new().await;
    let program = site.start().await;
    let mut admin = Client::connect(&program, ADMIN).await;
    let mut flow = Flow::connect(&admin.run("web").await).await;
    flow.hello("s").await;
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        deaf.push(Client::connect(&program, ADMIN).await);
    }
    let before = program.resident();
    let filler = "x".repeat(900_000);
    for seq in 1..=30 {
        flow.say(json!({"type": "event", "seq": seq, "name": "n", "data": filler}))
            .await;
        let told = admin.event("container_message", |_| true).await;
        assert_eq!(told["seq"], seq);
    }
    let after = program.resident();
    let most = before + 30 * 1024 + DEAF as u64 * 3 * 1024;
    assert!(after < most, "{after} KiB, {before} before");
}

/// `FLOW_MANAGER_KILLS` says how often, ten times unless it does.
#[tokio::test]
async fn killed_at_any_moment_it_leaves_no_orphan() {
    let site = Site::new().await;
    for kill in 0..kills() {
        let program = site.start().await;
        let mut client = Client::connect(&program, ADMIN).await;
        for number in 0..8 {
            let name = format!("k{kill}n{number}");
            client
                .begin(
                    "create_container",
                    &json!({"image": "flow:1", "name": name}),
                )
                .await;
            if number % 2 == 0 {
                client
                    .begin("delete_container", &json!({"container_id": name}))
                    .await;
            }
        }
        // The moments spread over what the load takes.
        tokio::time::sleep(Duration::from_micros(500 + 37_003 * kill % 60_000)).await;
        program.kill().await;
    }
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    within("all to be swept", async {
        loop {
            let list = client.must("list_containers", json!({})).await;
            let listed = list["containers"].as_array().unwrap().len();
            if listed == created_and_there(&site)
                && listed == site.folders().len()
                && sockets(&site) == listed
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often is said by whoever runs the test"
)]
fn kills() -> u64 {
    let kills = std::env::var("FLOW_MANAGER_KILLS").ok();
    kills.and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

fn created_and_there(site: &Site) -> usize {
    let asked = site.engine.requests_to("POST /containers/create");
    let names: HashSet<_> = asked
        .iter()
        .filter_map(|request| request.query("name").map(str::to_owned))
        .collect();
    names
        .into_iter()
        .filter(|name| site.engine.container(name).is_some())
        .count()
}

/// How many folders have a socket of a container, and nothing else but the link to it.
fn sockets(site: &Site) -> usize {
    let is_whole = |folder: &std::path::PathBuf| {
        let entries = std::fs::read_dir(folder.join("run")).into_iter().flatten();
        entries.count() == 2
    };
    site.folders()
        .iter()
        .filter(|folder| is_whole(folder))
        .count()
}
