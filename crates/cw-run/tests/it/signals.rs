use std::time::Duration;

use cloudwatch_local::Fault as AwsFault;
use docker_local::{Fault, State};

use crate::support::{World, end, eventually, numbered, signal, text};

const RUN: &[&str] = &[
    "--rm",
    "--drain-timeout",
    "5s",
    "--name",
    "job",
    "--",
    "fixture:1",
];

#[tokio::test]
async fn signal_while_pulling_leaves_nothing_behind() {
    for name in ["TERM", "INT"] {
        let world = World::new().await;
        world
            .engine
            .fail_next("POST /images/create", [Fault::hang_body(10)]);
        let child = world.start(RUN);
        eventually("it pulls", || {
            !world.engine.requests_to("POST /images/create").is_empty()
        })
        .await;
        signal(&child, name).await;
        let ended = end(child).await;
        assert_eq!(
            (ended.code, ended.text().len()),
            (Some(143), 1),
            "{ended:?}"
        );
        assert!(world.engine.container("job").is_none());
    }
}

#[tokio::test]
async fn signal_while_the_container_is_made_leaves_nothing_behind() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    world.engine.fail_next(
        "POST /containers/create*",
        [Fault::delay(Duration::from_millis(500))],
    );
    let child = world.start(RUN);
    eventually("it creates", || {
        !world
            .engine
            .requests_to("POST /containers/create*")
            .is_empty()
    })
    .await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn signal_while_the_container_starts_stops_it_and_ships_its_lines() {
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.stdout(text(0..10)));
    world.engine.fail_next(
        "POST /containers/*/start",
        [Fault::delay(Duration::from_millis(500))],
    );
    let child = world.start(RUN);
    eventually("it starts", || {
        !world
            .engine
            .requests_to("POST /containers/*/start")
            .is_empty()
    })
    .await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..10));
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn signal_while_it_runs_stops_the_container_and_ships_everything() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let child = world.start(RUN);
    let container = world.running("job").await;
    container.stdout(text(0..100));
    signal(&child, "TERM").await;
    let ended = end(child).await;
    // What `docker stop` makes of a program that obeys.
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..100));
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn signal_while_it_drains_does_not_lengthen_what_is_left() {
    let world = World::new().await;
    world.aws.logs().fail_always(AwsFault::cut());
    world.engine.add_program("fixture:1", |container| {
        container.stdout(text(0..10));
        container.exit(0);
    });
    let child = world.start(&[
        "--drain-timeout",
        "4s",
        "--rm",
        "--name",
        "job",
        "--",
        "fixture:1",
    ]);
    world.aws.logs().requests_at_least(2).await;
    let began = std::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(124), "{ended:?}");
    // The container ended before: its four seconds are not begun anew.
    assert!(began.elapsed() < Duration::from_millis(5500), "{ended:?}");
    // Its lines are there for whoever looks.
    assert_eq!(
        world.engine.container("job").unwrap().state(),
        Some(State::Exited)
    );
}

#[tokio::test]
async fn second_signal_ends_at_once_and_says_what_is_left() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    world
        .engine
        .fail_always("POST /containers/*/stop", Fault::hang());
    let child = world.start(RUN);
    world.running("job").await;
    signal(&child, "TERM").await;
    eventually("it stops the container", || {
        !world
            .engine
            .requests_to("POST /containers/*/stop")
            .is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let before = std::time::Instant::now();
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert!(before.elapsed() < Duration::from_secs(2));
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.text()[0].contains("left running"), "{ended:?}");
}

#[tokio::test]
async fn container_is_left_running_if_that_is_asked_for() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let child = world.start(&["--detach-on-exit", "--name", "job", "--", "fixture:1"]);
    let container = world.running("job").await;
    container.stdout(text(0..100));
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..100));
    assert_eq!(container.state(), Some(State::Running));
}
