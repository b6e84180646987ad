//! A log on which nothing comes: it may be quiet, or the engine may have lost us.

use std::time::Duration;

use docker_client::LogStream;
use docker_local::{Container, ContainerHandle, DockerLocal, Fault};

use crate::support::{LOGS, client, engine, follow, lines, next};

/// A frame with the time, and a line of three letters.
const FIRST: usize = 8 + 31 + 4;

async fn followed(engine: &DockerLocal) -> (ContainerHandle, LogStream) {
    let client = client(engine).await;
    let container = engine.add(Container::named("web").running());
    container.stdout("one\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "one");
    (container, stream)
}

/// How often the log was asked for, and how often to follow it.
fn asked(engine: &DockerLocal) -> (usize, usize) {
    let requests = engine.requests_to(LOGS);
    let follow = |request: &&docker_local::ReceivedRequest| request.query("follow") == Some("1");
    (requests.len(), requests.iter().filter(follow).count())
}

#[tokio::test]
async fn quiet_log_stays_on_its_connection() {
    let engine = engine().await;
    let (container, mut stream) = followed(&engine).await;
    let reading = tokio::spawn(async move { (next(&mut stream).await, stream) });
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    // It is asked for its last line, which is known.
    engine.requests_at_least(LOGS, 2).await;
    assert_eq!(engine.requests_to(LOGS)[1].query("tail"), Some("1"));
    container.stdout("two\n");
    let (line, stream) = reading.await.unwrap();
    assert_eq!((&*line, asked(&engine)), ("two", (2, 1)));
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

/// A connection that is dead and does not say so: another asks whether there is more.
#[tokio::test]
async fn connection_that_died_silently_is_noticed() {
    let engine = engine().await;
    engine.fail_next(LOGS, [Fault::hang_body(FIRST)]);
    let (container, mut stream) = followed(&engine).await;
    container.stdout("two\n");
    tokio::time::pause();
    assert_eq!(next(&mut stream).await, "two");
    tokio::time::resume();
    assert_eq!(asked(&engine), (3, 2));
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

#[tokio::test]
async fn end_that_was_not_told_is_noticed() {
    let engine = engine().await;
    engine.fail_next(LOGS, [Fault::hang_body(FIRST)]);
    let (container, stream) = followed(&engine).await;
    container.stdout("two\n");
    container.exit(0);
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    assert_eq!(lines(stream).await, [crate::support::out("two")]);
    let waited = before.elapsed();
    assert!(waited < Duration::from_secs(60), "{waited:?}");
}
