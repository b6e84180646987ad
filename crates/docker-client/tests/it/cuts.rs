//! A log whose connection is cut, at every byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use docker_client::{DockerClientError, LogOptions};
use docker_local::{Container, Fault, LogDriver, ReceivedRequest};
use futures_util::{StreamExt, stream};

use crate::support::{LOGS, Line, client, engine, follow, lines, talker};

/// So many logs are read side by side.
const AT_ONCE: usize = 64;
/// A time as the engine writes it, and the space behind it.
const TIME: usize = 31;
const FRAME_HEADER: usize = 8;

/// The length of the answer that these lines came in.
fn length(lines: &[Line], framed: bool) -> usize {
    let head = TIME + if framed { FRAME_HEADER } else { 0 };
    let lengths = lines.iter().map(|(_, text)| head + text.len() + 1);
    // The last has no line break.
    lengths.sum::<usize>() - 1
}

/// Reads a log once for each place in it, where the fault strikes the first request.
async fn same_lines_wherever(container: Container, fault: fn(usize) -> Fault) {
    same_lines_if(|_| true, container, fault).await;
}

/// The reading that begins when the container has ended and all may have been read.
fn is_last(request: &ReceivedRequest) -> bool {
    request.query("follow") == Some("0") && request.query("tail").is_none()
}

/// The same, where it strikes the first such request.
async fn same_lines_if(
    struck: fn(&ReceivedRequest) -> bool,
    container: Container,
    fault: fn(usize) -> Fault,
) {
    let framed = !format!("{container:?}").contains("tty: true");
    let engine = engine().await;
    let client = client(&engine).await;
    let whole = talker(&engine, container.clone());
    let read = async |id: &str| lines(follow(&client, id).await).await;
    let expected = read(whole.id()).await;
    assert_eq!(expected.len(), 25, "{expected:?}");
    let length = length(&expected, framed);
    assert!((1900..2200).contains(&length), "{length}");

    // A container for each place, whose first reading is struck there.
    let places: HashMap<_, _> = (0..=length)
        .map(|place| (talker(&engine, container.clone()).id().to_owned(), place))
        .collect();
    let all = places.clone();
    let unstruck = Arc::new(Mutex::new(places));
    let rule = unstruck.clone();
    engine.fail_when(move |request| {
        let id = request
            .path
            .strip_suffix("/logs")?
            .strip_prefix("/containers/")?;
        if !struck(request) {
            return None;
        }
        rule.lock().unwrap().remove(id).map(fault)
    });
    let readings = stream::iter(&all).map(async |(id, place)| (place, read(id).await));
    let mut readings = readings.buffer_unordered(AT_ONCE);
    let mut count = 0;
    while let Some((place, lines)) = readings.next().await {
        assert_eq!(lines, expected, "cut at byte {place} of {length}");
        count += 1;
    }
    assert_eq!((count, unstruck.lock().unwrap().len()), (length + 1, 0));
}

#[tokio::test]
async fn same_lines_come_wherever_the_connection_is_cut() {
    same_lines_wherever(Container::named("web"), Fault::cut_body).await;
}

/// As an engine does that is stopped with care.
#[tokio::test]
async fn same_lines_come_wherever_the_body_ends() {
    let container = Container::named("web").log_driver(LogDriver::Local);
    same_lines_wherever(container, Fault::end_body).await;
}

#[tokio::test]
async fn same_lines_come_wherever_a_terminals_log_is_cut() {
    same_lines_wherever(Container::named("web").tty(), Fault::cut_body).await;
}

#[tokio::test]
async fn same_lines_come_wherever_a_terminals_log_ends() {
    same_lines_wherever(Container::named("web").tty(), Fault::end_body).await;
}

#[tokio::test]
async fn same_lines_come_wherever_the_last_reading_ends() {
    same_lines_if(is_last, Container::named("web"), Fault::end_body).await;
    same_lines_if(is_last, Container::named("web").tty(), Fault::end_body).await;
}

/// Without times nothing tells where to go on.
#[tokio::test]
async fn log_without_times_that_ends_in_a_frame_is_an_error() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = talker(&engine, Container::named("web"));
    for place in [1, 8, 12, 17, 30] {
        engine.fail_next(LOGS, [Fault::end_body(place)]);
        let options = LogOptions::default();
        let result = client.get_container_logs(container.id(), options).await;
        assert!(
            matches!(result, Err(DockerClientError::EngineUnavailable { .. })),
            "{place}: {result:?}"
        );
    }
}
