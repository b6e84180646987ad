//! Logs, as Docker 20.10.24 gives them.

use docker_local::{Container, LogDriver, Stream};
use tokio::io::AsyncReadExt;

use crate::support::{engine, frames, get, open, read};

const SECOND: i64 = 1_000_000_000;

#[tokio::test]
async fn log_is_in_frames_with_times_if_asked() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    container.log_at(SECOND, Stream::Stdout, "out\n");
    container.log_at(SECOND + 5, Stream::Stderr, "err\n");
    let plain = get(&engine, "/v1.41/containers/web/logs?stdout=1&stderr=1").await;
    assert_eq!(
        frames(&plain.body),
        [(1, "out\n".to_owned()), (2, "err\n".to_owned())]
    );
    assert_eq!(plain.header("Content-Type"), None);
    let timed = get(
        &engine,
        "/v1.41/containers/web/logs?stderr=true&timestamps=1",
    )
    .await;
    let expected = "1970-01-01T00:00:01.000000005Z err\n".to_owned();
    assert_eq!(frames(&timed.body), [(2, expected)]);
    let none = get(&engine, "/v1.41/containers/web/logs").await;
    assert_eq!(none.status, 400);
}

#[tokio::test]
async fn chunks_of_a_long_line_repeat_its_time() {
    let engine = engine().await;
    for (driver, name, end) in [
        (LogDriver::JsonFile, "json", "x\n"),
        (LogDriver::Local, "local", "x"),
    ] {
        let container = engine.add(Container::named(name).running().log_driver(driver));
        container.log_at(SECOND, Stream::Stdout, "x".repeat(16_385) + "\n");
        let target = format!("/v1.41/containers/{name}/logs?stdout=1&timestamps=1");
        let found = frames(&get(&engine, &target).await.body);
        let [(1, first), (1, last)] = &found[..] else {
            panic!("{} frames", found.len());
        };
        assert_eq!(first.len(), 31 + 16_384);
        assert_eq!(last, &format!("1970-01-01T00:00:01.000000000Z {end}"));
    }
}

#[tokio::test]
async fn terminal_has_one_stream_without_frames() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").tty().running());
    container.stderr("a\r\n");
    let log = get(&engine, "/v1.41/containers/web/logs?stdout=1&stderr=1").await;
    assert_eq!(log.body, b"a\r\n");
}

#[tokio::test]
async fn since_until_and_tail_choose() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    for second in 1..=5 {
        container.log_at(second * SECOND, Stream::Stdout, format!("{second}\n"));
    }
    let lines = async |query: &str| {
        let target = format!("/v1.41/containers/web/logs?stdout=1&stderr=1&{query}");
        let found = frames(&get(&engine, &target).await.body);
        found
            .into_iter()
            .map(|(_, text)| text.trim_end().to_owned())
            .collect::<String>()
    };
    assert_eq!(lines("tail=2").await, "45");
    assert_eq!(lines("tail=0").await, "");
    assert_eq!(lines("tail=all").await, "12345");
    assert_eq!(lines("since=3").await, "345");
    assert_eq!(lines("since=3.000000001").await, "45");
    assert_eq!(lines("since=2&until=4").await, "234");
    assert_eq!(lines("since=2&tail=1").await, "5");
    container.rotate(2);
    assert_eq!(lines("").await, "45");
}

#[tokio::test]
async fn followed_log_ends_with_the_run() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    container.stdout("1\n");
    let mut follow = open(
        &engine,
        "GET",
        "/v1.41/containers/web/logs?stdout=1&follow=1",
    )
    .await;
    engine.requests_at_least("GET /containers/*/logs", 1).await;
    container.stdout("2\nno end");
    container.exit(0);
    container.restart();
    container.stdout("of the next run\n");
    let log = read(&mut follow).await;
    assert!(log.whole);
    let texts: Vec<_> = frames(&log.body)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(texts, ["1\n", "2\n", "no end"]);
}

#[tokio::test]
async fn followed_log_is_cut_when_the_engine_stops() {
    let mut engine = engine().await;
    let container = engine.add(Container::named("web").running());
    container.stdout("1\n");
    let mut follow = open(
        &engine,
        "GET",
        "/v1.41/containers/web/logs?stdout=1&follow=1",
    )
    .await;
    // The log has begun to come.
    follow.read_exact(&mut [0; 12]).await.unwrap();
    engine.restart().await.unwrap();
    let mut rest = Vec::new();
    follow.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"));
    container.stdout("2\n");
    let log = get(&engine, "/v1.41/containers/web/logs?stdout=1").await;
    assert_eq!(frames(&log.body).len(), 2);
}

#[tokio::test]
async fn driver_without_a_log_is_told() {
    let engine = engine().await;
    engine.add(
        Container::named("web")
            .running()
            .log_driver(LogDriver::None),
    );
    let refused = get(&engine, "/v1.41/containers/web/logs?stdout=1").await;
    let message = "configured logging driver does not support reading";
    assert_eq!((refused.status, &*refused.message()), (501, message));
}
