//! An engine, a client of it, and what came out of a log.

use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError, LogItem, LogOptions, LogStream, Source};
use docker_local::{Container, ContainerHandle, DockerLocal, Stream};
use futures_util::StreamExt;

/// The logs of all containers.
pub(crate) const LOGS: &str = "GET /containers/*/logs";
/// A second, in nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;
/// When the lines of the tests were written, in seconds: before the tests run.
pub(crate) const LONG_AGO: i64 = 1_700_000_000;

pub(crate) async fn engine() -> DockerLocal {
    DockerLocal::builder().start().await.unwrap()
}

pub(crate) async fn client(engine: &DockerLocal) -> DockerApiClient {
    DockerApiClient::connect_to(&engine.url()).await.unwrap()
}

/// Nothing here takes so long, but where the clock is paused.
pub(crate) async fn in_time<T>(waited_for: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(90);
    tokio::time::timeout(limit, waited_for)
        .await
        .expect("nothing came")
}

/// Follows a container from its first line on.
pub(crate) async fn follow(client: &DockerApiClient, name: &str) -> LogStream {
    let options = LogOptions::default();
    client.follow_container_logs(name, options).await.unwrap()
}

/// A line as a text to compare: where it came from, and what it says.
pub(crate) type Line = (Source, String);

pub(crate) fn out(text: &str) -> Line {
    (Source::Stdout, text.to_owned())
}

/// What a stream has, up to its end or its first error.
pub(crate) async fn read(mut stream: LogStream) -> (Vec<Line>, Option<DockerClientError>) {
    let mut lines = Vec::new();
    while let Some(item) = in_time(stream.next()).await {
        match item {
            Ok(LogItem::Line(line)) => lines.push((line.stream, line.text().into_owned())),
            Ok(LogItem::Gap(gap)) => lines.push((gap.stream, "GAP".to_owned())),
            Err(error) => return (lines, Some(error)),
        }
    }
    (lines, None)
}

/// What a stream has that must end well.
pub(crate) async fn lines(stream: LogStream) -> Vec<Line> {
    let (lines, error) = read(stream).await;
    assert!(error.is_none(), "{error:?} behind {lines:?}");
    lines
}

/// The next line.
pub(crate) async fn next(stream: &mut LogStream) -> String {
    match in_time(stream.next()).await {
        Some(Ok(LogItem::Line(line))) => line.text().into_owned(),
        other => panic!("{other:?}"),
    }
}

/// A container with some 2 kB of log, of both streams: lines at the same instant and a little
/// out of order, empty ones, some that look alike, and a last one without an end.
pub(crate) fn talker(engine: &DockerLocal, container: Container) -> ContainerHandle {
    let handle = engine.add(container.running());
    let mut nanos = LONG_AGO * SECOND;
    for number in 0..24 {
        let stream = if number % 3 == 1 {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        // Every fourth line is at the instant of the one before it.
        nanos += if number % 4 == 3 { 0 } else { 700_001 };
        let text = match number {
            5 | 11 => "\n".to_owned(),
            6 | 7 | 9 => "the same\n".to_owned(),
            _ => format!("line {number} {}\n", "x".repeat(4 * number)),
        };
        handle.log_at(nanos, stream, text);
    }
    handle.log_at(nanos + 5, Stream::Stdout, "no end");
    handle.exit(0);
    handle
}
