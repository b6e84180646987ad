//! Killed at any moment, nothing is left that nobody knows.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::containers;
use crate::engine::{Engine, IMAGE};
use crate::support::{ADMIN, Ground, within};
use crate::tests;

tests![killed_at_random_moments_of_a_load_it_leaves_no_orphan];

/// `FLOW_MANAGER_KILLS` says how often, ten times unless it does.
async fn killed_at_random_moments_of_a_load_it_leaves_no_orphan(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    for kill in 0..kills() {
        let program = ground.start().await;
        let mut client = Client::connect(&program, ADMIN).await;
        for number in 0..4 {
            let name = format!("k{kill}n{number}");
            client
                .begin("create_container", &json!({"image": IMAGE, "name": name}))
                .await;
            if number % 2 == 0 {
                client
                    .begin("delete_container", &json!({"container_id": name}))
                    .await;
            }
        }
        tokio::time::sleep(Duration::from_millis(rand::random::<u64>() % 700)).await;
        program.kill().await;
    }
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    within("all to be swept", async {
        loop {
            let list = client.must("list_containers", json!({})).await;
            let list = list["containers"].as_array().unwrap();
            let mut listed: Vec<_> = list
                .iter()
                .map(|container| container["id"].as_str().unwrap().to_owned())
                .collect();
            let mut there = containers(&engine).await;
            listed.sort();
            there.sort();
            if listed == there && ground.folders().len() == there.len() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
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
