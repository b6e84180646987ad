//! Containers: what is told of them, and names that must not leave this machine.

use std::sync::Arc;

use docker_client::{
    ContainerState, DockerApiClient, DockerClientError, Health, ListOptions, LogOptions,
    PortPublish,
};

use crate::engine::{Engine, IMAGE};
use crate::support::{lines, run, run_to_end, script, sleeper};
use crate::tests;

tests![
    engine_tells_its_version,
    operations_on_no_container_say_so,
    existence_and_running_are_told,
    engine_that_is_not_there_is_an_error,
    info_has_all_that_was_asked_for,
    list_takes_filters,
    handle_works_by_id,
    bad_names_are_never_sent,
];

async fn engine_tells_its_version(engine: Arc<Engine>) {
    let client = engine.client().await;
    client.ping().await.unwrap();
    let version = client.version().await.unwrap();
    let shown = engine
        .docker_text(&["version", "--format", "{{.Server.Version}}"])
        .await;
    assert_eq!(version.version, shown);
    let api = engine
        .docker_text(&["version", "--format", "{{.Server.APIVersion}}"])
        .await;
    assert_eq!(version.api_version, api);
    assert_eq!(client.api_version(), version.negotiated);
    assert_eq!(client.address(), engine.url());
}

async fn operations_on_no_container_say_so(engine: Arc<Engine>) {
    let client = engine.client().await;
    let results = [
        client.start_container("nope").await,
        client.stop_container("nope", None).await,
        client.restart_container("nope", None).await,
        client.pause_container("nope").await,
        client.unpause_container("nope").await,
        client.kill_container("nope", None).await,
        client.rename_container("nope", "other").await,
        client.remove_container("nope", true, false).await,
        client.wait_container("nope").await.map(drop),
        client.get_container_info("nope").await.map(drop),
        client.get_container("nope").await.map(drop),
        client.stats("nope").await.map(drop),
        client
            .container_is_running("nope")
            .await
            .map(|running| assert!(!running))
            .and_then(|()| {
                let name = "nope".to_owned();
                Err(DockerClientError::ContainerNotFound { name })
            }),
    ];
    for (at, result) in results.into_iter().enumerate() {
        match result {
            Err(DockerClientError::ContainerNotFound { name }) => assert_eq!(name, "nope"),
            other => panic!("{at}: {other:?}"),
        }
    }
}

async fn existence_and_running_are_told(engine: Arc<Engine>) {
    let client = engine.client().await;
    assert!(!client.container_exists("there").await.unwrap());
    sleeper(&engine, &client, "there").await;
    assert!(client.container_exists("there").await.unwrap());
    assert!(client.container_is_running("there").await.unwrap());
    client.kill_container("there", None).await.unwrap();
    client.wait_container("there").await.unwrap();
    assert!(client.container_exists("there").await.unwrap());
    assert!(!client.container_is_running("there").await.unwrap());
}

async fn engine_that_is_not_there_is_an_error(engine: Arc<Engine>) {
    let nowhere = format!("{}.none", engine.url());
    let result = match DockerApiClient::connect_to(&nowhere).await {
        Ok(client) => client.container_exists("web").await.map(drop),
        Err(error) => Err(error),
    };
    match result {
        Err(DockerClientError::EngineUnavailable { address, .. }) => assert_eq!(address, nowhere),
        other => panic!("{other:?}"),
    }
}

async fn info_has_all_that_was_asked_for(engine: Arc<Engine>) {
    let client = engine.client().await;
    let mut container = script(&engine, "info", "exec sleep 1000");
    container.env = vec![("KEY".to_owned(), "a=b".to_owned())];
    container.volumes = vec!["/tmp:/host:ro".to_owned()];
    container.workdir = Some("/tmp".to_owned());
    container.user = Some("guest".to_owned());
    container.ports = vec![PortPublish {
        container_port: 8080,
        protocol: "tcp".to_owned(),
        host_ip: "127.0.0.1".to_owned(),
        host_port: 0,
    }];
    let id = run(&client, container).await;
    let info = client.get_container_info("info").await.unwrap();
    assert_eq!(
        (&*info.id, &*info.name, &*info.image),
        (&*id, "info", IMAGE)
    );
    assert_eq!(
        (info.state, info.health, info.restarts),
        (ContainerState::Running, Health::None, 0)
    );
    assert!(
        info.environment
            .contains(&("KEY".to_owned(), "a=b".to_owned()))
    );
    assert_eq!(
        (&*info.working_dir, &*info.user, &*info.log_driver),
        ("/tmp", "guest", "json-file")
    );
    let [mount] = &info.mounts[..] else {
        panic!("{:?}", info.mounts);
    };
    assert_eq!(
        (&*mount.source, &*mount.destination, mount.writable),
        ("/tmp", "/host", false)
    );
    let port = info
        .ports
        .iter()
        .find(|port| port.container_port == 8080)
        .unwrap();
    let (address, number) = port.host.clone().unwrap();
    let shown = engine.docker_text(&["port", "info", "8080"]).await;
    assert_eq!(format!("{address}:{number}"), shown);
    let shown = engine
        .docker_text(&["inspect", "--format", "{{.State.StartedAt}}", "info"])
        .await;
    let started: docker_client::Timestamp = shown.parse().unwrap();
    assert_eq!(info.started, Some(started));
    assert_eq!(info.finished, None);
    let [network] = &info.networks[..] else {
        panic!("{:?}", info.networks);
    };
    let format = "{{.NetworkSettings.IPAddress}}";
    let shown = engine
        .docker_text(&["inspect", "--format", format, "info"])
        .await;
    assert_eq!((&*network.name, &network.ip_address), ("bridge", &shown));
    let (label, value) = engine.label.split_once('=').unwrap();
    assert_eq!(info.labels.get(label).map(|value| &**value), Some(value));
}

async fn list_takes_filters(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "list-runs").await;
    let mut ended = script(&engine, "list-ended", "exit 3");
    ended.labels.insert("kind".to_owned(), "short".to_owned());
    run_to_end(&client, ended).await;
    let names = |list: Vec<docker_client::ContainerSummary>| {
        list.into_iter()
            .map(|container| container.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(client.list_containers(false).await.unwrap()),
        ["list-runs"]
    );
    let all = client.list_containers(true).await.unwrap();
    let shown = engine
        .docker_text(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}"])
        .await;
    let ours: Vec<_> = all.iter().map(|c| format!("{} {}", c.id, c.name)).collect();
    assert_eq!(ours.join("\n"), shown);
    let options = ListOptions::new(true).filter("label", "kind=short");
    let found = client.list_containers_with(options).await.unwrap();
    assert_eq!(found[0].state, ContainerState::Exited);
    assert_eq!(names(found), ["list-ended"]);
}

async fn handle_works_by_id(engine: Arc<Engine>) {
    let client = engine.client().await;
    sleeper(&engine, &client, "handle").await;
    let container = client.get_container("handle").await.unwrap();
    client.rename_container("handle", "renamed").await.unwrap();
    assert!(container.is_running().await.unwrap());
    assert_eq!(container.info().await.unwrap().name, "renamed");
    container.kill(None).await.unwrap();
    assert_eq!(container.wait().await.unwrap().exit_code, 137);
    let log = container.follow_logs(LogOptions::default()).await.unwrap();
    assert_eq!(log.container_id(), container.id());
    assert_eq!(lines(log).await, []);
    container.remove(false, false).await.unwrap();
}

async fn bad_names_are_never_sent(engine: Arc<Engine>) {
    let client = engine.client().await;
    let images = client
        .list_images(true, Default::default())
        .await
        .unwrap()
        .len();
    for name in [
        "a/../../images/create?fromSrc=-&x=",
        "",
        "a b",
        "a/b",
        "..",
        "a%2fb",
        "-a",
        "a\n",
    ] {
        let results = [
            client.start_container(name).await,
            client.container_exists(name).await.map(drop),
            client.remove_network(name).await,
            client.remove_volume(name, false).await,
        ];
        for result in results {
            let refused = matches!(result, Err(DockerClientError::InvalidName { .. }));
            assert!(refused, "{name:?}: {result:?}");
        }
    }
    assert_eq!(
        client
            .list_images(true, Default::default())
            .await
            .unwrap()
            .len(),
        images
    );
}
