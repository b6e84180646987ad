//! Runs with a checkpoint that something went wrong with, taken up by the next.

use std::time::Duration;

use cloudwatch_local::Fault as AwsFault;
use docker_local::{Fault, State};

use crate::support::{File, World, end, eventually, kill, signal};

#[tokio::test]
async fn signal_while_a_running_container_is_taken_up_stops_it() {
    let file = File::new();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let child = world.start(&file.run(&[]));
    let container = world.running("job").await;
    container.stdout("a\n");
    world.arrived(1).await;
    kill(child).await;
    world
        .aws
        .logs()
        .fail_when(|request| (request.operation == "DescribeLogStreams").then(AwsFault::hang));
    let child = world.start(&file.run(&["--no-create"]));
    eventually("it is set up", || {
        let attempts = world.aws.logs().attempts();
        let is_setup = |operation: &str| operation == "DescribeLogStreams";
        attempts.iter().any(|attempt| is_setup(&attempt.operation))
    })
    .await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert_eq!(container.state(), Some(State::Exited), "{ended:?}");
}

#[tokio::test]
async fn container_that_was_made_and_removed_again_is_not_looked_for() {
    let file = File::new();
    let world = World::new().await;
    let exit = |container: &docker_local::ContainerHandle| container.exit(0);
    world.engine.add_program("fixture:1", exit);
    let busy = [Fault::error(500, "busy")];
    world.engine.fail_next("GET /containers/*/json", busy);
    let ended = world.run(&file.run(&[])).await;
    assert_eq!(ended.code, Some(125), "{ended:?}");
    let ended = world.run(&file.run(&[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn container_that_ends_while_it_is_left_gives_its_exit_code() {
    let file = File::new();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let child = world.start(&file.run(&["--detach-on-exit"]));
    let container = world.running("job").await;
    container.stdout("a\n");
    world.arrived(1).await;
    world
        .aws
        .logs()
        .fail_next_of("PutLogEvents", [AwsFault::delay(Duration::from_secs(1))]);
    container.stdout("b\n");
    signal(&child, "TERM").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    container.exit(7);
    assert_eq!(end(child).await.code, Some(7));
    assert_eq!(
        world.run(&file.run(&["--detach-on-exit"])).await.code,
        Some(7)
    );
}

#[tokio::test]
async fn container_of_a_run_that_was_killed_before_it_was_removed_is_removed_by_the_next() {
    let file = File::new();
    let world = World::new().await;
    let exit = |container: &docker_local::ContainerHandle| container.exit(0);
    world.engine.add_program("fixture:1", exit);
    world
        .engine
        .fail_always("DELETE /containers/*", Fault::hang());
    let child = world.start(&file.run(&["--rm"]));
    eventually("it is removed", || {
        !world.engine.requests_to("DELETE /containers/*").is_empty()
    })
    .await;
    kill(child).await;
    world.engine.heal();
    assert_eq!(world.run(&file.run(&["--rm"])).await.code, Some(0));
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn retention_that_was_throttled_is_set_with_the_next_batch() {
    let world = World::new().await;
    world.engine.add_program("fixture:1", |container| {
        container.stdout("x\n");
        container.exit(0);
    });
    let throttled = [AwsFault::throttling()];
    world
        .aws
        .logs()
        .fail_next_of("PutRetentionPolicy", throttled);
    let ended = world
        .run(&["--retention-days", "7", "--", "fixture:1"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.aws.logs().groups()[0].retention_days, Some(7));
}
