//! The life of containers: created, started, stopped, renamed, removed.

use std::sync::Arc;
use std::time::Duration;

use docker_client::{ContainerState, CreateContainer, DockerApiClient, DockerClientError};

use crate::engine::Engine;
use crate::support::{run_to_end, script, sleeper};
use crate::tests;

tests![
    container_goes_through_its_life,
    orders_that_are_met_already_succeed,
    exit_code_is_that_of_the_program,
    conflicts_say_so,
];

async fn state(client: &DockerApiClient, name: &str) -> ContainerState {
    client.get_container_info(name).await.unwrap().state
}

async fn container_goes_through_its_life(engine: Arc<Engine>) {
    let client = engine.client().await;
    let id = client
        .create_container(script(&engine, "life", "exec sleep 1000"))
        .await
        .unwrap();
    assert_eq!(state(&client, "life").await, ContainerState::Created);
    client.start_container("life").await.unwrap();
    assert_eq!(state(&client, &id).await, ContainerState::Running);
    client.pause_container("life").await.unwrap();
    assert_eq!(state(&client, &id[..12]).await, ContainerState::Paused);
    client.unpause_container("life").await.unwrap();
    client
        .restart_container("life", Some(Duration::ZERO))
        .await
        .unwrap();
    assert_eq!(state(&client, "life").await, ContainerState::Running);
    client
        .rename_container("life", "second-life")
        .await
        .unwrap();
    assert!(!client.container_exists("life").await.unwrap());
    client
        .kill_container("second-life", Some("SIGKILL"))
        .await
        .unwrap();
    assert_eq!(
        client
            .wait_container("second-life")
            .await
            .unwrap()
            .exit_code,
        137
    );
    assert_eq!(state(&client, "second-life").await, ContainerState::Exited);
    client.start_container("second-life").await.unwrap();
    client
        .stop_container("second-life", Some(Duration::from_secs(1)))
        .await
        .unwrap();
    client
        .remove_container("second-life", false, true)
        .await
        .unwrap();
    assert!(!client.container_exists(&id).await.unwrap());
}

async fn orders_that_are_met_already_succeed(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "met").await;
    client.start_container("met").await.unwrap();
    client
        .stop_container("met", Some(Duration::ZERO))
        .await
        .unwrap();
    client
        .stop_container("met", Some(Duration::ZERO))
        .await
        .unwrap();
}

async fn exit_code_is_that_of_the_program(engine: Arc<Engine>) {
    let client = engine.client().await;
    for code in [0, 3, 126, 255] {
        let name = format!("code-{code}");
        let exit = run_to_end(&client, script(&engine, &name, &format!("exit {code}"))).await;
        assert_eq!(exit, code);
        let info = client.get_container_info(&name).await.unwrap();
        assert_eq!(info.exit_code, Some(code));
    }
}

async fn conflicts_say_so(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "taken").await;
    let conflict = |result: Result<(), DockerClientError>| match result {
        Err(DockerClientError::Conflict { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    let twice = client
        .create_container(script(&engine, "taken", "true"))
        .await
        .map(drop);
    assert!(conflict(twice).contains("already in use"));
    let running = client.remove_container("taken", false, false).await;
    assert!(conflict(running).contains("running"));
    client.kill_container("taken", None).await.unwrap();
    client.wait_container("taken").await.unwrap();
    for result in [
        client.kill_container("taken", None).await,
        client.pause_container("taken").await,
        client
            .exec_command("taken", docker_client::Exec::new(["true"]))
            .await
            .map(drop),
    ] {
        match result {
            Err(DockerClientError::NotRunning { name }) => assert_eq!(name, "taken"),
            other => panic!("{other:?}"),
        }
    }
    let image = client
        .create_container(CreateContainer::new("nope:1"))
        .await;
    match image {
        Err(DockerClientError::ImageNotFound { image }) => assert_eq!(image, "nope:1"),
        other => panic!("{other:?}"),
    }
}
