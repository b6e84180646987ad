//! What containers use.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::support::{run, script, sleeper};
use crate::tests;

tests![figures_are_those_of_docker_stats, stream_goes_on];

/// What `docker stats` shows of a container.
async fn shown(engine: &Engine, name: &str) -> Value {
    let arguments = ["stats", "--no-stream", "--format", "{{json .}}", name];
    serde_json::from_str(&engine.docker_text(&arguments).await).unwrap()
}

async fn figures_are_those_of_docker_stats(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "idle").await;
    let mut busy = script(&engine, "busy", "while :; do :; done");
    busy.memory = Some(64 << 20);
    run(&client, busy).await;
    let stats = client.stats("busy").await.unwrap();
    let theirs = shown(&engine, "busy").await;
    let percent = |name: &str| {
        let text = theirs[name].as_str().unwrap().trim_end_matches('%');
        text.parse::<f64>().unwrap()
    };
    assert_eq!(stats.memory_limit_bytes, 64 << 20);
    // Two looks at what moves: the machine may be crowded.
    assert!(
        stats.cpu_percent > 5.0 && stats.cpu_percent < 110.0,
        "{stats:?} {theirs}"
    );
    assert!(
        (stats.memory_percent - percent("MemPerc")).abs() < 1.0,
        "{stats:?} {theirs}"
    );
    assert_eq!(stats.pids.to_string(), theirs["PIDs"].as_str().unwrap());
    let idle = client.stats("idle").await.unwrap();
    assert!(idle.cpu_percent < 5.0, "{idle:?}");
    assert!(
        idle.memory_bytes > 0 && idle.memory_bytes < 16 << 20,
        "{idle:?}"
    );
}

async fn stream_goes_on(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "watched").await;
    let mut stream = client.stats_stream("watched").await.unwrap();
    let mut times = Vec::new();
    for _ in 0..3 {
        let next = timeout(Duration::from_secs(20), stream.next())
            .await
            .unwrap();
        times.push(next.unwrap().unwrap().read.unwrap());
    }
    assert!(times.is_sorted() && times[0] < times[2]);
}
