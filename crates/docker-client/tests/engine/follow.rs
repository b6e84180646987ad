//! Logs that grow while they are followed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{LogItem, LogOptions};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::support::{check_numbered, lines, run, script, thousand_a_second};
use crate::tests;

tests![
    stream_ends_with_the_container,
    log_is_followed_over_rotations,
    log_is_followed_over_restarts_of_the_container,
    line_comes_when_it_is_written,
    cursor_goes_on_where_a_stream_was_dropped,
];

async fn stream_ends_with_the_container(engine: Arc<Engine>) {
    let client = engine.client().await;
    for (name, tty) in [("ends", false), ("ends-tty", true)] {
        let mut container = script(&engine, name, &thousand_a_second(3000, 10));
        container.tty = tty;
        run(&client, container).await;
        let stream = client
            .follow_container_logs(name, LogOptions::default())
            .await
            .unwrap();
        check_numbered(&lines(stream).await, 3000);
    }
}

async fn log_is_followed_over_rotations(engine: Arc<Engine>) {
    const LINES: usize = 20_000;
    let client = engine.client().await;
    let mut container = script(&engine, "rotated", &thousand_a_second(LINES, 180));
    let options = [("max-size", "1m"), ("max-file", "3")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    container.log = Some(("json-file".to_owned(), BTreeMap::from(options)));
    run(&client, container).await;
    let stream = client
        .follow_container_logs("rotated", LogOptions::default())
        .await
        .unwrap();
    check_numbered(&lines(stream).await, LINES);
    // More was written than the engine kept: it did rotate.
    let kept = engine.docker(&["logs", "rotated"]).await.unwrap().stdout;
    assert!(kept.iter().filter(|byte| **byte == b'\n').count() < LINES);
}

async fn log_is_followed_over_restarts_of_the_container(engine: Arc<Engine>) {
    let client = engine.client().await;
    let counting = "n=$(cat /n 2>/dev/null || echo 0); i=$n; \
                    while [ $i -lt $((n+100)) ]; do echo \"$i\"; i=$((i+1)); done; \
                    echo $i > /n; exec sleep 1000";
    for (name, tty) in [("again", false), ("again-tty", true)] {
        let mut container = script(&engine, name, counting);
        container.tty = tty;
        run(&client, container).await;
        let mut options = LogOptions::default();
        options.follow_restarts = true;
        let mut stream = client.follow_container_logs(name, options).await.unwrap();
        let mut lines = Vec::new();
        for runs in 1..=3 {
            while lines.len() < runs * 100 {
                match timeout(Duration::from_secs(30), stream.next()).await {
                    Ok(Some(Ok(LogItem::Line(line)))) => lines.push(line),
                    other => panic!("{other:?} behind {} lines", lines.len()),
                }
            }
            let restarted = client.restart_container(name, Some(Duration::ZERO)).await;
            restarted.unwrap();
        }
        check_numbered(&lines, 300);
    }
}

async fn line_comes_when_it_is_written(engine: Arc<Engine>) {
    let client = engine.client().await;
    let command = "echo ready; while read line; do echo \"$line\"; done < /tmp/fifo";
    let command = format!("mkfifo /tmp/fifo; {command}; exec sleep 1000");
    run(&client, script(&engine, "quiet", &command)).await;
    let mut stream = client
        .follow_container_logs("quiet", LogOptions::default())
        .await
        .unwrap();
    let mut next = async || match timeout(Duration::from_secs(10), stream.next()).await {
        Ok(Some(Ok(LogItem::Line(line)))) => line.text().into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(next().await, "ready");
    let write = ["exec", "quiet", "sh", "-c", "echo later > /tmp/fifo"];
    engine.docker(&write).await.unwrap();
    assert_eq!(next().await, "later");
}

async fn cursor_goes_on_where_a_stream_was_dropped(engine: Arc<Engine>) {
    let client = engine.client().await;
    run(
        &client,
        script(&engine, "resumed", &thousand_a_second(3000, 10)),
    )
    .await;
    let mut lines = Vec::new();
    let mut cursor = None;
    'all: loop {
        let mut options = LogOptions::default();
        options.cursor = cursor.take();
        let mut stream = client
            .follow_container_logs("resumed", options)
            .await
            .unwrap();
        for _ in 0..250 {
            match stream.next().await {
                Some(Ok(LogItem::Line(line))) => lines.push(line),
                None => break 'all,
                other => panic!("{other:?} behind {} lines", lines.len()),
            }
        }
        // As a checkpoint has it.
        cursor = Some(stream.cursor().to_string().parse().unwrap());
    }
    check_numbered(&lines, 3000);
}
