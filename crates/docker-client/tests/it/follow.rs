//! Logs that are followed through trouble.

use std::time::Duration;

use docker_client::{DockerClientError, LogItem, LogOptions, Source};
use docker_local::{Answer, Container, Fault, LogDriver, Stream};
use futures_util::StreamExt;

use crate::support::{
    LOGS, LONG_AGO, SECOND, client, engine, follow, lines, next, out, read, talker,
};

#[tokio::test]
async fn slow_log_is_whole() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = talker(&engine, Container::named("web"));
    let expected = lines(follow(&client, container.id()).await).await;
    engine.fail_next(LOGS, [Fault::slow(7, Duration::from_millis(1))]);
    let found = lines(follow(&client, container.id()).await).await;
    assert_eq!(found, expected);
}

#[tokio::test]
async fn error_of_the_engine_in_the_middle_is_survived() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = talker(&engine, Container::named("web"));
    let expected = lines(follow(&client, container.id()).await).await;
    let faults = [
        Fault::cut_body(777),
        Fault::error(500, "no"),
        Fault::cut(),
        Fault::garbage(),
        Fault::cut_body(1000),
    ];
    engine.fail_next(LOGS, faults);
    let found = lines(follow(&client, container.id()).await).await;
    assert_eq!(found, expected);
    assert_eq!(engine.faults_left(), 0);
}

/// What the engine had of it can no longer be read.
#[tokio::test]
async fn container_that_is_removed_while_the_connection_is_cut_says_so() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    container.stdout("one\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "one");
    engine.stop().await;
    container.remove();
    engine.restart().await.unwrap();
    match read(stream).await {
        (rest, Some(DockerClientError::ContainerNotFound { name })) => {
            assert_eq!((rest, &*name), (Vec::new(), "web"));
        }
        other => panic!("{other:?}"),
    }
}

/// As with `docker run --rm`.
#[tokio::test]
async fn log_of_a_container_that_is_removed_at_its_end_is_whole() {
    for container in [Container::named("web"), Container::named("web").tty()] {
        let engine = engine().await;
        let client = client(&engine).await;
        let container = engine.add(container.running());
        container.stdout("one\n");
        let mut stream = follow(&client, "web").await;
        assert_eq!(next(&mut stream).await, "one");
        // It is gone before anybody can ask for it.
        let gone = Fault::error(404, "No such container: web");
        engine.fail_always("GET /containers/*/json", gone);
        container.stdout("two\nno end");
        container.exit(0);
        assert_eq!(lines(stream).await, ["two", "no end"].map(out));
    }
}

#[tokio::test]
async fn engine_that_restarts_loses_no_line() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    container.stdout("0\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "0");
    for number in 1..4 {
        engine.stop().await;
        container.stdout(format!("{number} while away\n"));
        engine.restart().await.unwrap();
        container.stdout(format!("{number} when back\n"));
        assert_eq!(next(&mut stream).await, format!("{number} while away"));
        assert_eq!(next(&mut stream).await, format!("{number} when back"));
    }
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

#[tokio::test]
async fn lines_that_were_rotated_away_leave_a_gap() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    let at = |number: i64| (LONG_AGO + 10 * number) * SECOND;
    container.log_at(at(0), Stream::Stdout, "0\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "0");
    engine.stop().await;
    for number in 1..10 {
        container.log_at(at(number), Stream::Stdout, format!("{number}\n"));
    }
    container.rotate(3);
    engine.restart().await.unwrap();
    match stream.next().await {
        Some(Ok(LogItem::Gap(gap))) => {
            assert_eq!((gap.after.nanos(), gap.before.nanos()), (at(0), at(7)));
            assert_eq!(gap.stream, Source::Stdout);
        }
        other => panic!("{other:?}"),
    }
    container.exit(0);
    assert_eq!(lines(stream).await, ["7", "8", "9"].map(out));
}

/// The place up to which was read is still there each time, and the connection is cut.
#[tokio::test]
async fn log_is_followed_while_it_rotates() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    container.stdout("0\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "0");
    for number in 1..60 {
        if number % 10 == 0 {
            container.rotate(1);
            engine.cut_all().await.unwrap();
        }
        container.stdout(format!("{number}\n"));
        assert_eq!(next(&mut stream).await, number.to_string());
    }
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

/// As Docker 20.10 does now and then with the last line of a file that is rotated away.
#[tokio::test]
async fn line_that_the_engine_repeats_comes_once() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    let text = |number: i64| format!("2023-11-14T22:13:20.00000000{number}Z {number}\n");
    let frame = |number| {
        let payload = text(number).into_bytes();
        [&[1, 0, 0, 0, 0, 0, 0, payload.len() as u8], &payload[..]].concat()
    };
    for number in 0..3 {
        let at = LONG_AGO * SECOND + number;
        container.log_at(at, Stream::Stdout, format!("{number}\n"));
    }
    let repeats = [0, 1, 1, 2].map(frame).concat();
    engine.fail_next(LOGS, [Fault::answer(Answer::bytes(200, repeats))]);
    let mut stream = follow(&client, "web").await;
    for number in 0..3 {
        assert_eq!(next(&mut stream).await, number.to_string());
    }
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

#[tokio::test]
async fn clock_that_is_put_back_hides_no_line() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    let at = |second: i64| (LONG_AGO + second) * SECOND;
    container.log_at(at(100), Stream::Stdout, "before\n");
    let mut stream = follow(&client, "web").await;
    assert_eq!(next(&mut stream).await, "before");
    container.log_at(at(10), Stream::Stdout, "put back\n");
    assert_eq!(next(&mut stream).await, "put back");
    engine.cut_all().await.unwrap();
    container.log_at(at(11), Stream::Stdout, "and on\n");
    assert_eq!(next(&mut stream).await, "and on");
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

/// The place lies in what is the future now, and the log is read from there.
#[tokio::test]
async fn clock_that_is_put_back_while_the_connection_is_cut_hides_no_line() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    for number in 0..3 {
        let at = (4 * LONG_AGO + 10 * number) * SECOND;
        container.log_at(at, Stream::Stdout, format!("{number}\n"));
        container.log_at(at + 5, Stream::Stderr, format!("{number}\n"));
    }
    let mut stream = follow(&client, "web").await;
    for number in 0..3 {
        assert_eq!(next(&mut stream).await, number.to_string());
        assert_eq!(next(&mut stream).await, number.to_string());
    }
    engine.cut_all().await.unwrap();
    container.stdout("put back\n");
    assert_eq!(next(&mut stream).await, "put back");
    container.exit(0);
    assert_eq!(lines(stream).await, []);
}

/// Whether a terminal's last words are whole is known only when the container has ended, and
/// then the log is read again from a place behind them.
#[tokio::test]
async fn last_words_come_once_when_the_clock_was_put_back() {
    for container in [Container::named("web"), Container::named("web").tty()] {
        let engine = engine().await;
        let client = client(&engine).await;
        let container = engine.add(container.running());
        container.log_at(4 * LONG_AGO * SECOND, Stream::Stdout, "before\n");
        container.stdout("no end");
        container.exit(0);
        let stream = follow(&client, "web").await;
        assert_eq!(lines(stream).await, ["before", "no end"].map(out));
    }
}

/// The last chunk of a line of the `local` driver has no line break, and may be empty.
#[tokio::test]
async fn long_lines_are_joined_whatever_the_driver() {
    for driver in [LogDriver::JsonFile, LogDriver::Local] {
        let engine = engine().await;
        let client = client(&engine).await;
        let container = engine.add(Container::named("web").running().log_driver(driver));
        let long = ["x".repeat(40_000), "y".repeat(16_384), "z".repeat(32_769)];
        for text in &long {
            container.stdout(format!("{text}\n"));
            container.stdout("short\n");
        }
        container.exit(0);
        let options = LogOptions::default;
        let expected: Vec<_> = long
            .iter()
            .flat_map(|text| [out(text), out("short")])
            .collect();
        let followed = client.follow_container_logs("web", options()).await;
        assert_eq!(lines(followed.unwrap()).await, expected);
        let read = client.get_container_logs("web", options()).await.unwrap();
        assert!(read.lines.iter().all(|line| line.timestamp.is_none()));
        let read: Vec<_> = read.lines.iter().map(|line| out(&line.text())).collect();
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn long_line_that_is_cut_comes_once() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    let long: String = (0..20_000).map(|n| format!("{n:05}")).collect();
    container.stdout(format!("before\n{long}\nbehind\n"));
    container.exit(0);
    let mut options = LogOptions::default();
    options.max_line = 10_000;
    for cut in [100, 16_500, 40_000, 65_536, 100_100] {
        engine.fail_next(LOGS, [Fault::cut_body(cut)]);
        let mut stream = client
            .follow_container_logs("web", options.clone())
            .await
            .unwrap();
        let (mut joined, mut ends) = (String::new(), 0);
        while let Some(item) = stream.next().await {
            let Ok(LogItem::Line(line)) = item else {
                panic!("{item:?}");
            };
            assert!(line.bytes.len() <= 10_000);
            joined += &line.text();
            ends += usize::from(!line.partial);
        }
        assert!(
            joined == format!("before{long}behind"),
            "cut at {cut}: {}",
            joined.len()
        );
        assert_eq!(ends, 3, "cut at {cut}");
    }
}

/// An engine that goes away for good is an error in the end, not a hang.
#[tokio::test]
async fn engine_that_stays_away_is_an_error() {
    let mut engine = engine().await;
    let client = client(&engine).await;
    engine
        .add(Container::named("web").running())
        .stdout("one\n");
    let mut options = LogOptions::default();
    options.reconnect_for = Duration::from_millis(300);
    let mut stream = client.follow_container_logs("web", options).await.unwrap();
    assert_eq!(next(&mut stream).await, "one");
    engine.stop().await;
    match read(stream).await {
        (rest, Some(DockerClientError::EngineUnavailable { .. })) => assert_eq!(rest, []),
        other => panic!("{other:?}"),
    }
}
