//! The engine is stopped and started while a container writes.

use std::sync::Arc;
use std::time::Duration;

use docker_client::{EventItem, EventOptions, LogOptions};
use futures_util::StreamExt;
use tokio::time::{sleep, timeout};

use crate::engine::Engine;
use crate::support::{check_numbered, lines, run, script, sleeper, thousand_a_second};
use crate::tests;

tests![
    no_line_is_lost_or_repeated_while_the_engine_restarts,
    events_tell_that_they_cannot_be_resumed,
];

async fn no_line_is_lost_or_repeated_while_the_engine_restarts(engine: Arc<Engine>) {
    const LINES: usize = 15_000;
    let client = engine.client().await;
    run(
        &client,
        script(&engine, "writes", &thousand_a_second(LINES, 10)),
    )
    .await;
    let stream = client
        .follow_container_logs("writes", LogOptions::default())
        .await
        .unwrap();
    let reading = tokio::spawn(lines(stream));
    for _ in 0..2 {
        // It is to be in the middle of the log.
        sleep(Duration::from_secs(2)).await;
        engine.stop_daemon().await;
        engine.start_daemon().await.unwrap();
    }
    let lines = timeout(Duration::from_secs(120), reading)
        .await
        .unwrap()
        .unwrap();
    check_numbered(&lines, LINES);
}

async fn events_tell_that_they_cannot_be_resumed(engine: Arc<Engine>) {
    let client = engine.client().await;
    let mut events = client.events(EventOptions::default()).await.unwrap();
    sleeper(&engine, &client, "seen").await;
    let mut next = async || {
        timeout(Duration::from_secs(60), events.next())
            .await
            .unwrap()
    };
    loop {
        match next().await {
            Some(Ok(EventItem::Event(event))) if event.action == "start" => break,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    engine.stop_daemon().await;
    engine.start_daemon().await.unwrap();
    loop {
        match next().await {
            Some(Ok(EventItem::Resync)) => break,
            Some(Ok(EventItem::Event(event))) => assert_ne!(event.action, "start"),
            other => panic!("{other:?}"),
        }
    }
}
