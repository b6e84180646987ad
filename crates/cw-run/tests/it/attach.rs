use docker_local::{Container, LogDriver};
use serde_json::json;

use crate::support::{File, World, end, eventually, numbered, signal, text};

#[tokio::test]
async fn container_that_runs_is_shipped_to_its_end() {
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    web.stdout(text(0..10));
    let child = world.start(&["attach", "web"]);
    world.arrived(10).await;
    web.stdout(text(10..20));
    web.exit(9);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(9), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..20));
    assert!(
        world
            .engine
            .requests_to("POST /containers/*/st*")
            .is_empty()
    );
}

#[tokio::test]
async fn signal_ships_what_was_printed_and_leaves_the_container_alone() {
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let child = world.start(&["attach", "web", "--tail", "0"]);
    eventually("it follows", || {
        !world
            .engine
            .requests_to("GET /containers/*/logs")
            .is_empty()
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    web.stdout(text(0..10));
    signal(&child, "INT").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..10));
    assert_eq!(web.state(), Some(docker_local::State::Running));
}

#[tokio::test]
async fn all_that_carry_a_label_are_shipped_those_to_come_as_well() {
    let world = World::new().await;
    let shipped = |name: &str| {
        Container::named(name)
            .label("ship", "yes")
            .label("app", "shop")
            .running()
    };
    let first = world.engine.add(shipped("first"));
    let other = world.engine.add(Container::named("other").running());
    first.stdout("first 1\n");
    other.stdout("other\n");
    let mut command = world.command(&["attach", "--label", "ship=yes"]);
    let child = command
        .env("CW_RUN_GROUP", "{label:app}")
        .env("CW_RUN_STREAM", "{name}")
        .spawn()
        .unwrap();
    world.arrived(1).await;
    let second = world.engine.add(
        Container::named("second")
            .label("ship", "yes")
            .label("app", "shop"),
    );
    second.restart();
    second.stdout("second 1\n");
    world.arrived(2).await;
    first.restart();
    first.stdout("first 2\n");
    world.arrived(3).await;
    second.exit(0);
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let messages = |stream: &str| {
        world
            .aws
            .logs()
            .messages("shop", stream)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(messages("first"), ["first 1", "first 2"]);
    assert_eq!(messages("second"), ["second 1"]);
    assert_eq!(messages("other"), [""; 0]);
}

#[tokio::test]
async fn engine_that_forgot_its_events_is_listed_again() {
    let mut world = World::new().await;
    let first = world
        .engine
        .add(Container::named("first").label("ship", "yes").running());
    first.stdout("first\n");
    let child = world.start(&["attach", "--label", "ship=yes"]);
    world.arrived(1).await;
    world.engine.stop().await;
    let second = world
        .engine
        .add(Container::named("second").label("ship", "yes").running());
    second.stdout("second\n");
    world.engine.restart().await.unwrap();
    world.arrived(2).await;
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
}

#[tokio::test]
async fn log_that_cannot_be_read_is_refused_and_one_that_rotates_is_warned_of() {
    let world = World::new().await;
    world.engine.add(
        Container::named("mute")
            .log_driver(LogDriver::None)
            .running(),
    );
    let ended = world.run(&["attach", "mute"]).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("json-file or local"), "{ended:?}");
    let details =
        json!({"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}});
    world
        .engine
        .add(Container::named("small").details(details).exited(0));
    let ended = world.run(&["attach", "small"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("rotates the container's log"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn container_that_is_not_there_is_told() {
    let world = World::new().await;
    let ended = world.run(&["attach", "nobody"]).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("docker ps -a"), "{ended:?}");
}

#[tokio::test]
async fn lines_that_were_rotated_away_are_told() {
    let mut world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    web.stdout(text(0..10));
    let child = world.start(&["attach", "web"]);
    world.arrived(10).await;
    world.engine.stop().await;
    web.stdout(text(10..30));
    web.rotate(5);
    world.engine.restart().await.unwrap();
    world.arrived(15).await;
    web.exit(0);
    let ended = end(child).await;
    assert_eq!(
        ended.logged("summary").unwrap()["gaps"],
        json!(1),
        "{ended:?}"
    );
    assert_eq!(world.messages()[10..], numbered(25..30));
}

#[tokio::test]
async fn labelled_container_that_ended_while_nobody_shipped_is_shipped_to_its_end() {
    let file = File::new();
    let words = ["attach", "--label", "ship=yes", "--checkpoint", file.text()];
    let world = World::new().await;
    let web = world
        .engine
        .add(Container::named("web").label("ship", "yes").running());
    web.stdout(text(0..10));
    let child = world.start(&words);
    world.arrived(10).await;
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    web.stdout(text(10..20));
    web.exit(0);
    let child = world.start(&words);
    world.arrived(20).await;
    web.remove();
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..20));
}

#[tokio::test]
async fn container_that_is_removed_before_its_lines_were_accepted_is_not_remembered_for_ever() {
    let file = File::new();
    let world = World::new().await;
    let container = Container::named("web").label("ship", "yes");
    let web = world.engine.add(container.running());
    world.aws.logs().fail_when(|request| {
        (request.operation == "PutLogEvents").then(cloudwatch_local::Fault::throttling)
    });
    let child = world.start(&["attach", "--label", "ship=yes", "--checkpoint", file.text()]);
    web.stdout(text(0..10));
    eventually("they are sent", || {
        let attempts = world.aws.logs().attempts();
        attempts
            .iter()
            .any(|attempt| attempt.operation == "PutLogEvents")
    })
    .await;
    let remembers = || file.holds(web.id());
    assert!(remembers());
    web.exit(0);
    web.remove();
    world.aws.logs().heal();
    world.arrived(10).await;
    eventually("it is forgotten", || !remembers()).await;
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..10));
}

#[tokio::test]
async fn container_that_is_started_again_and_again_is_shipped_once() {
    let world = World::new().await;
    let web = world
        .engine
        .add(Container::named("web").label("ship", "yes").running());
    let child = world.start(&["attach", "--label", "ship=yes"]);
    for round in 0..5 {
        web.stdout(text(round * 10..round * 10 + 10));
        world.arrived(round as u64 * 10 + 10).await;
        web.restart();
    }
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..50));
}

#[tokio::test]
async fn lines_from_before_the_signal_that_are_still_on_their_way_are_shipped() {
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let slow = docker_local::Fault::slow(64, std::time::Duration::from_millis(30));
    world.engine.fail_always("GET /containers/*/logs", slow);
    let child = world.start(&["attach", "web"]);
    web.stdout(text(0..50));
    world.arrived(1).await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..50));
}

#[tokio::test]
async fn event_that_waits_for_more_lines_is_shipped_while_the_other_stream_is_busy() {
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let child = world.start(&["attach", "web", "--multiline-pattern", "^[A-Z]"]);
    web.stdout("START\n more\n");
    let printing = async {
        loop {
            web.stderr("E\n");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let is_there = || world.messages().contains(&"START\n more".to_owned());
    tokio::select! {
        () = printing => {}
        () = eventually("the event is there", is_there) => {}
    }
    web.exit(0);
    assert_eq!(end(child).await.code, Some(0));
}
