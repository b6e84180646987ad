//! Events.

use docker_local::Container;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::support::{engine, get, open};

fn actions(body: &[u8]) -> Vec<String> {
    let lines = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    lines
        .map(|event| event.unwrap()["Action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn events_are_replayed_from_a_time_on() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    container.set_health("healthy");
    container.exit(3);
    let all = get(
        &engine,
        "/v1.41/events?since=1&until=9999999999.5&filters={}",
    );
    let all = tokio::time::timeout(std::time::Duration::from_millis(300), all).await;
    assert!(all.is_err(), "it ended before its time");
    let now = get(&engine, "/v1.41/events?since=1&until=2").await;
    assert!(now.whole && now.body.is_empty());
    let mut follow = open(&engine, "GET", "/v1.41/events?since=1").await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("die") {
        follow.read_buf(&mut seen).await.unwrap();
    }
    let text = String::from_utf8_lossy(&seen);
    let order = ["\"create\"", "health_status: healthy", "\"die\""];
    let places: Vec<_> = order.iter().map(|what| text.find(what).unwrap()).collect();
    assert!(places.is_sorted());
    assert!(text.contains("\"exitCode\":\"3\""));
}

#[tokio::test]
async fn at_most_256_are_replayed_and_none_after_a_restart() {
    let mut engine = engine().await;
    for number in 0..300 {
        engine.emit(json!({"Type": "container", "Action": format!("n{number}"), "Actor": {}}));
    }
    let until = "until=99999999999";
    let mut follow = open(&engine, "GET", &format!("/v1.41/events?since=1&{until}")).await;
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("n299") {
        follow.read_buf(&mut seen).await.unwrap();
    }
    let text = String::from_utf8_lossy(&seen);
    assert_eq!(text.matches("timeNano").count(), 256);
    assert!(text.contains("\"n44\"") && !text.contains("\"n43\""));
    engine.restart().await.unwrap();
    let none = get(&engine, "/v1.41/events?since=1&until=2").await;
    assert_eq!(actions(&none.body), Vec::<String>::new());
}

#[tokio::test]
async fn filters_choose() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running().label("a", "1"));
    engine.add(Container::named("other").running());
    container.exit(0);
    engine.emit(json!({"Type": "image", "Action": "pull", "Actor": {"ID": "x"}}));
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs()
        + 1;
    let chosen = async |filters: Value| {
        let filters = filters.to_string().replace('"', "%22");
        let target = format!("/v1.41/events?since=1&until={now}&filters={filters}");
        actions(&get(&engine, &target).await.body)
    };
    assert_eq!(chosen(json!({"type": ["image"]})).await, ["pull"]);
    assert_eq!(
        chosen(json!({"container": ["web"]})).await,
        ["create", "die"]
    );
    assert_eq!(
        chosen(json!({"event": ["die"], "label": ["a=1"]})).await,
        ["die"]
    );
    assert_eq!(
        chosen(json!({"type": ["container"], "event": ["create"]}))
            .await
            .len(),
        2
    );
}
