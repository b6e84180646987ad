//! The names of the original are where the README says, and do what they are called.

use cw_run::cloudwatch_manager::{
    self, LogsService, StreamName, create_cloudwatch_log_group, create_cloudwatch_log_stream,
    put_logs_to_cloudwatch, setup_cloudwatch_logging,
};
use cw_run::docker_manager::{get_docker_client, run_container};
use cw_run::event::Event;
use cw_run::job::{GroupSettings, Job};

use settings::Environment;

use crate::support::World;

/// Compiles if the names are there and take what the original's take.
#[expect(dead_code, reason = "that it compiles is the test")]
async fn take_what_the_originals_take<S: LogsService>(
    client: &S,
    container: &docker_client::ContainerInfo,
    arguments: &Job,
    name: &StreamName,
    logs: &[Event],
) {
    let settings = GroupSettings::default();
    let _ = create_cloudwatch_log_group(client, &name.group, &settings).await;
    let _ = create_cloudwatch_log_stream(client, &name.group, &name.stream).await;
    let _ = put_logs_to_cloudwatch(client, name, logs).await;
    let _ = setup_cloudwatch_logging(client, container, arguments, "2026-11-21").await;
    let _ = cloudwatch_manager::Streams::of(&arguments.destination, container, "2026-11-21");
    let words = || Vec::<std::ffi::OsString>::new();
    let _ = cw_run::parse_arguments(words(), &Environment::default());
    let _ = cw_run::main(words(), Vec::new());
    let _ = cw_run::handle_error(&cw_run::RunError::Stopped, &mut Vec::new());
}

#[tokio::test]
async fn container_is_run_by_the_names_of_the_original() {
    let world = World::new().await;
    world
        .engine
        .add_program("alpine", |container| container.exit(0));
    let docker = get_docker_client(Some(&world.engine.url())).await.unwrap();
    let id = run_container(&docker, "alpine", &["echo", "hello"])
        .await
        .unwrap();
    let created = &world.engine.requests_to("POST /containers/create")[0];
    assert_eq!(created.json()["Cmd"], serde_json::json!(["echo", "hello"]));
    assert_eq!(docker.wait_container(&id).await.unwrap().exit_code, 0);
}
