//! Runs that go on from a checkpoint, and those that must not.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{File, World, end, kill, numbered, text};

/// How often it is killed; more in a soak.
fn kills() -> usize {
    option_env!("CW_RUN_KILLS")
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(10)
}

#[tokio::test]
async fn run_that_was_killed_goes_on_with_its_container_and_loses_nothing() {
    let file = File::new();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = file.run(&["--flush-interval", "100ms"]);
    let (mut printed, mut allowed) = (0, 0);
    for round in 0..kills() {
        let child = world.start(&words);
        let container = world.running("job").await;
        for _ in 0..10 {
            container.stdout(text(printed..printed + 20));
            printed += 20;
            tokio::time::sleep(Duration::from_millis(10 + 7 * (round as u64 % 5))).await;
        }
        kill(child).await;
        // The one batch that was accepted and may not be in the checkpoint.
        let batches = world.aws.logs().batches();
        allowed += batches.last().map_or(0, |batch| batch.accepted);
    }
    let child = world.start(&words);
    world.running("job").await.exit(4);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let messages = world.messages();
    let once: BTreeSet<_> = messages.iter().cloned().collect();
    assert_eq!(once, numbered(0..printed).into_iter().collect());
    let twice = messages.len() - printed;
    assert!(twice <= allowed, "{twice} of {printed}, {allowed} allowed");
    assert_eq!(
        world.engine.requests_to("POST /containers/create*").len(),
        1
    );
    let again = world.run(&words).await;
    assert_eq!(
        (again.code, world.messages().len()),
        (Some(4), messages.len()),
        "{again:?}"
    );
}

#[tokio::test]
async fn container_whose_id_never_reached_the_file_is_found_again() {
    let file = File::new();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = file.run(&[]);
    let child = world.start(&words);
    world.running("job").await.stdout(text(0..10));
    kill(child).await;
    let mut content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file.path).unwrap()).unwrap();
    content["containers"] = serde_json::json!({});
    std::fs::write(&file.path, content.to_string()).unwrap();
    let child = world.start(&words);
    world.running("job").await.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        world.engine.requests_to("POST /containers/create*").len(),
        1
    );
    let once: BTreeSet<_> = world.messages().into_iter().collect();
    assert_eq!(once.len(), 10);
}

#[tokio::test]
async fn other_arguments_are_refused() {
    let file = File::new();
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.exit(0));
    assert_eq!(
        world
            .run(&["--checkpoint", file.text(), "--", "fixture:1", "a"])
            .await
            .code,
        Some(0)
    );
    let ended = world
        .run(&["--checkpoint", file.text(), "--", "fixture:1", "b"])
        .await;
    assert_eq!((ended.code, ended.text().len()), (Some(78), 1), "{ended:?}");
    assert!(ended.text()[0].contains("same arguments"), "{ended:?}");
}

#[tokio::test]
async fn other_region_is_refused_wherever_it_comes_from() {
    let file = File::new();
    let config = file.path.with_file_name("config");
    let world = World::new().await;
    let exit = |container: &docker_local::ContainerHandle| container.exit(0);
    world.engine.add_program("fixture:1", exit);
    let run = async |region: &str, words: &[&str]| {
        std::fs::write(&config, format!("[default]\nregion = {region}\n")).unwrap();
        let checkpoint = ["--checkpoint", file.text()];
        let words = [&checkpoint, words, &["--", "fixture:1"]].concat();
        let mut command = world.command(&words);
        command.env_remove("AWS_REGION");
        end(command.env("AWS_CONFIG_FILE", &config).spawn().unwrap()).await
    };
    assert_eq!(run("eu-west-1", &[]).await.code, Some(0));
    let same = run("us-west-2", &["--region", "eu-west-1"]).await;
    assert_eq!(same.code, Some(0), "{same:?}");
    let other = run("us-west-2", &[]).await;
    assert_eq!((other.code, other.text().len()), (Some(78), 1), "{other:?}");
}

#[tokio::test]
async fn container_of_the_checkpoint_that_is_gone_is_told() {
    let file = File::new();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = file.run(&[]);
    let child = world.start(&words);
    let container = world.running("job").await;
    kill(child).await;
    container.remove();
    let ended = world.run(&words).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("is gone"), "{ended:?}");
}
