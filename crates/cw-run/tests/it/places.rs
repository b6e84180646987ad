//! Where a run that goes on from a checkpoint begins to read.

use std::time::Duration;

use cloudwatch_local::Fault;
use docker_local::{Container, Stream};

use crate::support::{File, World, a_minute_ago, end, eventually, kill, numbered, signal, text};

#[tokio::test]
async fn attached_container_goes_on_where_it_was_left_and_outages_double_nothing() {
    let file = File::new();
    let words = file.attach(&[]);
    let world = World::new().await;
    let web = world
        .engine
        .add(docker_local::Container::named("web").running());
    web.stdout(text(0..10));
    let child = world.start(&words);
    world.arrived(10).await;
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    web.stdout(text(10..20));
    world
        .aws
        .logs()
        .fail_next_of("PutLogEvents", [Fault::status(500)]);
    let child = world.start(&words);
    world.arrived(20).await;
    web.exit(0);
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..20));
}

#[tokio::test]
async fn stream_of_which_nothing_was_accepted_is_shipped_from_its_first_line() {
    let file = File::new();
    let words = file.attach(&["--stderr-stream", "err"]);
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let then = a_minute_ago();
    for number in 0..20 {
        web.log_at(then + number, Stream::Stdout, format!("line {number}\n"));
        let later = then + 20_000_000_000 + number;
        web.log_at(later, Stream::Stderr, format!("err {number}\n"));
    }
    world.aws.logs().fail_when(|request| {
        let is_stdout = request.stream.as_deref() == Some("today");
        (request.operation == "PutLogEvents" && is_stdout).then(Fault::throttling)
    });
    let child = world.start(&words);
    eventually("stderr is in the file", || file.holds("stderr=")).await;
    kill(child).await;
    world.aws.logs().heal();
    let child = world.start(&words);
    world.arrived(40).await;
    web.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..20));
    assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
}

/// One stream is silent, or has been for long: a run that goes on reads from about where the
/// other one is, and finds what the silent one says then.
#[tokio::test]
async fn silent_stream_does_not_make_the_next_run_read_the_whole_log() {
    for said_before in [false, true] {
        let file = File::new();
        let words = file.attach(&[]);
        let world = World::new().await;
        let web = world.engine.add(Container::named("web").running());
        let then = a_minute_ago();
        if said_before {
            web.log_at(then, Stream::Stderr, "err before\n");
        }
        for number in 0..40 {
            let time = then + number * 1_000_000_000;
            web.log_at(time, Stream::Stdout, format!("line {number}\n"));
        }
        let child = world.start(&words);
        world.arrived(40 + u64::from(said_before)).await;
        signal(&child, "TERM").await;
        assert_eq!(end(child).await.code, Some(0));
        let asked_before = world.engine.requests_to("GET /containers/*/logs").len();
        web.stderr("err after\n");
        web.stdout("line 40\n");
        let child = world.start(&words);
        world.arrived(42 + u64::from(said_before)).await;
        web.exit(0);
        let ended = end(child).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
        let messages = world.messages();
        let out = messages
            .iter()
            .filter(|message| message.starts_with("line"));
        assert!(out.eq(&numbered(0..41)), "{messages:?}");
        let since = world.engine.requests_to("GET /containers/*/logs")[asked_before]
            .query("since")
            .and_then(|since| since.parse::<f64>().ok());
        let last = (then / 1_000_000_000 + 39) as f64;
        assert!(
            since.is_some_and(|since| since >= last - 3.0),
            "{since:?} {last}"
        );
    }
}

#[tokio::test]
async fn unfinished_event_of_a_killed_run_is_shipped_by_the_next() {
    let file = File::new();
    let words = |interval: &'static str| {
        let pattern = [
            "--multiline-pattern",
            "^[A-Z]",
            "--flush-interval",
            interval,
        ];
        file.attach(&pattern)
    };
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    web.log_at(a_minute_ago(), Stream::Stdout, "START once\n");
    for number in 0..60 {
        web.stderr(format!("E {number} {}\n", "x".repeat(60_000)));
    }
    let child = world.start(&words("60s"));
    eventually("stderr is in the file", || file.holds("stderr=")).await;
    assert!(!file.holds("stdout="));
    kill(child).await;
    let child = world.start(&words("100ms"));
    eventually("the event is there", || {
        world
            .messages()
            .iter()
            .any(|message| message == "START once")
    })
    .await;
    web.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
}

#[tokio::test]
async fn tail_of_a_killed_run_is_not_looked_for_again() {
    let file = File::new();
    let words = file.attach(&["--tail", "0"]);
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    world.aws.logs().fail_always(Fault::cut());
    let child = world.start(&words);
    eventually("it follows", || {
        let asked = world.engine.requests_to("GET /containers/*/logs");
        !asked.is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    web.stdout(text(0..10));
    eventually("the floor is in the file", || file.holds("floor=")).await;
    kill(child).await;
    world.aws.logs().heal();
    let child = world.start(&words);
    world.arrived(10).await;
    web.exit(0);
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..10));
}
