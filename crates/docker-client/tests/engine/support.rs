//! Containers of the tests, and what their logs should be.

use docker_client::{CreateContainer, DockerApiClient, LogItem, LogLine, LogStream, Source};
use futures_util::StreamExt;

use crate::engine::{Engine, IMAGE};

/// A container of the fixture's image that runs a script, labelled for removal.
pub(crate) fn script(engine: &Engine, name: &str, script: &str) -> CreateContainer {
    let (label, value) = engine.label.split_once('=').unwrap();
    let mut container = CreateContainer::new(IMAGE);
    container.name = Some(name.to_owned());
    container.cmd = Some(["sh", "-c", script].map(str::to_owned).to_vec());
    container.labels.insert(label.to_owned(), value.to_owned());
    container
}

/// Starts one that sleeps until it is killed.
pub(crate) async fn sleeper(engine: &Engine, client: &DockerApiClient, name: &str) -> String {
    run(client, script(engine, name, "exec sleep 1000")).await
}

/// Creates and starts; gives the id.
pub(crate) async fn run(client: &DockerApiClient, container: CreateContainer) -> String {
    let id = client.create_container(container).await.unwrap();
    client.start_container(&id).await.unwrap();
    id
}

/// Runs to the end; gives the exit code.
pub(crate) async fn run_to_end(client: &DockerApiClient, container: CreateContainer) -> i64 {
    let id = run(client, container).await;
    client.wait_container(&id).await.unwrap().exit_code
}

/// What each stream of a log had, put together again.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Bytes {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Bytes {
    pub(crate) fn push(&mut self, line: &LogLine) {
        let stream = match line.stream {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        };
        stream.extend_from_slice(&line.bytes);
        if !line.partial {
            stream.push(b'\n');
        }
    }
}

/// All lines of a stream that must have no gap.
pub(crate) async fn lines(mut stream: LogStream) -> Vec<LogLine> {
    let mut lines = Vec::new();
    while let Some(item) = stream.next().await {
        match item.unwrap() {
            LogItem::Line(line) => lines.push(line),
            LogItem::Gap(gap) => panic!("{gap:?} behind {} lines", lines.len()),
        }
    }
    lines
}

/// The same as bytes.
pub(crate) async fn bytes(stream: LogStream) -> Bytes {
    let mut bytes = Bytes::default();
    for line in lines(stream).await {
        bytes.push(&line);
    }
    bytes
}

/// Checks that these are the lines `0 …`, `1 …`, `2 …` to the last, each once and in order.
pub(crate) fn check_numbered(lines: &[LogLine], count: usize) {
    for (expected, line) in lines.iter().enumerate() {
        let text = line.text();
        let number = text.split([' ', '\r']).next().unwrap();
        let number: usize = number.parse().unwrap();
        let what = if number > expected {
            "lost"
        } else {
            "repeated"
        };
        assert_eq!(
            number,
            expected,
            "{what} after line {expected} of {}",
            lines.len()
        );
    }
    assert_eq!(lines.len(), count, "lines are missing at the end");
}

/// Prints so many numbered lines, about a thousand a second, filled up to this length.
pub(crate) fn thousand_a_second(count: usize, filling: usize) -> String {
    let filling = "x".repeat(filling);
    format!(
        "i=0; while [ $i -lt {count} ]; do echo \"$i {filling}\"; i=$((i+1)); \
         [ $((i%50)) = 0 ] && usleep 48000; done; exit 0"
    )
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("waited 30 s until {what}");
}
