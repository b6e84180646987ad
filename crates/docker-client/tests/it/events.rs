//! Events through trouble.

use docker_client::{EventItem, EventOptions, EventStream};
use docker_local::{Container, DockerLocal, Fault};
use futures_util::StreamExt;
use serde_json::json;

use crate::support::{client, engine, in_time};

fn emit(engine: &DockerLocal, action: &str) {
    engine.emit(json!({
        "Type": "container", "Action": action, "Actor": {"ID": "a", "Attributes": {"name": "web"}},
    }));
}

async fn next(events: &mut EventStream) -> String {
    match in_time(events.next()).await {
        Some(Ok(EventItem::Event(event))) => event.action,
        Some(Ok(EventItem::Resync)) => "RESYNC".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// An engine, and its events behind one that was seen.
async fn after_one() -> (DockerLocal, EventStream) {
    let engine = engine().await;
    let client = client(&engine).await;
    let mut events = client.events(EventOptions::default()).await.unwrap();
    engine.requests_at_least("GET /events", 1).await;
    emit(&engine, "seen");
    assert_eq!(next(&mut events).await, "seen");
    (engine, events)
}

#[tokio::test]
async fn none_is_lost_or_repeated_when_the_connection_is_cut() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let mut events = client.events(EventOptions::default()).await.unwrap();
    engine.requests_at_least("GET /events", 1).await;
    for number in 0..5 {
        emit(&engine, &format!("a{number}"));
        assert_eq!(next(&mut events).await, format!("a{number}"));
        engine.cut_all().await.unwrap();
        emit(&engine, &format!("b{number}"));
        assert_eq!(next(&mut events).await, format!("b{number}"));
    }
}

#[tokio::test]
async fn more_than_the_engine_replays_is_told() {
    let (mut engine, mut events) = after_one().await;
    engine.stop().await;
    for number in 0..300 {
        emit(&engine, &format!("n{number}"));
    }
    engine.cut_all().await.unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "n299") {
        seen.push(next(&mut events).await);
    }
    let resync = seen.iter().position(|action| action == "RESYNC");
    assert!(resync.is_some(), "{seen:?}");
    let repeated = seen.iter().filter(|action| *action == "seen").count();
    assert_eq!(repeated, 0);
}

#[tokio::test]
async fn engine_that_was_started_anew_is_told() {
    let (mut engine, mut events) = after_one().await;
    engine.stop().await;
    emit(&engine, "lost");
    engine.restart().await.unwrap();
    assert_eq!(next(&mut events).await, "RESYNC");
    emit(&engine, "new");
    assert_eq!(next(&mut events).await, "new");
}

#[tokio::test]
async fn filters_are_the_engines() {
    let engine = engine().await;
    let client = client(&engine).await;
    let options = EventOptions::default().filter("event", "die");
    let mut events = client.events(options).await.unwrap();
    engine.requests_at_least("GET /events", 1).await;
    let container = engine.add(Container::named("web").running());
    container.exit(3);
    assert_eq!(next(&mut events).await, "die");
    assert_eq!(
        engine.requests_to("GET /events")[0].query("filters"),
        Some(r#"{"event":["die"]}"#)
    );
}

/// The engine's memory is played again, and that is cut.
#[tokio::test]
async fn same_events_come_wherever_the_replay_is_cut() {
    let (mut engine, mut events) = after_one().await;
    for place in (0..400).step_by(9) {
        engine.fail_next("GET /events", [Fault::cut_body(place)]);
        engine.cut_all().await.unwrap();
        for number in 0..2 {
            let action = format!("{place}.{number}");
            emit(&engine, &action);
            assert_eq!(next(&mut events).await, action, "cut at byte {place}");
        }
        assert_eq!(engine.faults_left(), 0);
    }
}
