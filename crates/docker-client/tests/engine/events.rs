//! Events.

use std::sync::Arc;
use std::time::Duration;

use docker_client::{Event, EventItem, EventKind, EventOptions, EventStream};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::support::{run_to_end, script};
use crate::tests;

tests![
    events_of_a_run_come_in_order,
    events_are_resumed_from_a_time
];

async fn next(events: &mut EventStream) -> Event {
    match timeout(Duration::from_secs(20), events.next()).await {
        Ok(Some(Ok(EventItem::Event(event)))) => event,
        other => panic!("{other:?}"),
    }
}

/// Those of a container from its creation to its end.
async fn of_a_run(events: &mut EventStream, id: &str) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = next(events).await;
        if event.id != id {
            continue;
        }
        let last = event.action == "die";
        seen.push(event);
        if last {
            return seen;
        }
    }
}

fn actions(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| &*event.action).collect()
}

async fn events_of_a_run_come_in_order(engine: Arc<Engine>) {
    let client = engine.client().await;
    let options = EventOptions::default().filter("type", "container");
    let mut events = client.events(options).await.unwrap();
    run_to_end(&client, script(&engine, "run", "exit 3")).await;
    let id = client.get_container_info("run").await.unwrap().id;
    let seen = of_a_run(&mut events, &id).await;
    assert_eq!(actions(&seen), ["create", "start", "die"]);
    assert!(seen.iter().all(|event| event.kind == EventKind::Container));
    assert!(seen.is_sorted_by_key(|event| event.time));
    let attributes = &seen[2].attributes;
    assert_eq!(attributes.get("exitCode").map(|code| &**code), Some("3"));
    assert_eq!(attributes.get("name").map(|name| &**name), Some("run"));
}

async fn events_are_resumed_from_a_time(engine: Arc<Engine>) {
    let client = engine.client().await;
    run_to_end(&client, script(&engine, "first", "true")).await;
    run_to_end(&client, script(&engine, "second", "true")).await;
    let info = client.get_container_info("second").await.unwrap();
    let mut options = EventOptions::default().filter("type", "container");
    options.since = info.created;
    let mut events = client.events(options).await.unwrap();
    let seen = of_a_run(&mut events, &info.id).await;
    assert!(actions(&seen).ends_with(&["start", "die"]), "{seen:?}");
}
