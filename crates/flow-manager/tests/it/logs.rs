//! Logs, read and followed.

use serde_json::json;

use crate::client::Client;
use crate::support::{ADMIN, OPERATE, Site};

#[tokio::test]
async fn logs_are_read_and_followed() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let mut second = Client::connect(&program, OPERATE).await;
    let id = client.run("web").await["id"].clone();
    let container = site.engine.container("web").unwrap();
    container.stdout("before\n");
    let log = client
        .must(
            "get_logs",
            json!({"container_id": "web", "tail": 10, "since": null}),
        )
        .await;
    assert_eq!(
        (&log["lines"][0]["text"], &log["truncated"]),
        (&json!("before"), &json!(false))
    );
    assert!(
        log["lines"][0]["timestamp"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    for client in [&mut client, &mut second] {
        let answer = client
            .must("subscribe_logs", json!({"container_id": "web"}))
            .await;
        assert_eq!(answer["container_id"], id);
    }
    site.engine
        .requests_at_least("GET /containers/*/logs", 2)
        .await;
    container.stdout("one\n");
    container.stderr("two\n");
    for client in [&mut client, &mut second] {
        let mut texts = Vec::new();
        while texts.len() < 2 {
            let lines = client.event("log_lines", |_| true).await;
            assert_eq!(
                (&lines["container_id"], &lines["dropped"]),
                (&id, &json!(0))
            );
            texts.extend(
                lines["lines"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|line| line["text"].clone()),
            );
        }
        assert_eq!(texts, ["one", "two"]);
    }
    client
        .must("unsubscribe_logs", json!({"container_id": "web"}))
        .await;
    second
        .must("unsubscribe_logs", json!({"container_id": "web"}))
        .await;
}
