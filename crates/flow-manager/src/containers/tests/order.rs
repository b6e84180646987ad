//! Operations one after the other, and their end.

use super::*;

#[tokio::test]
async fn container_goes_through_its_life_and_leaves_nothing() {
    let fixture = Fixture::start().await;
    let info = fixture
        .manager
        .create_container(config("web"))
        .await
        .unwrap();
    assert_eq!((&*info.name, info.status), ("web", ContainerState::Created));
    assert!(fs::exists(&info.socket_path).unwrap());
    let asked = fixture.engine.requests_to("POST /containers/create")[0].json();
    assert_eq!(asked["HostConfig"]["CapDrop"], json!(["ALL"]));
    assert_eq!(
        asked["Env"],
        json!(["K=v", "FLOW_SOCKET=/run/flow/flow.sock"])
    );
    let grace = Duration::from_secs(1);
    let manager = &fixture.manager;
    assert_eq!(
        manager.start_container("web").await.unwrap().state,
        ContainerState::Running
    );
    assert!(
        manager
            .start_container(&info.id)
            .await
            .unwrap()
            .uptime
            .is_some()
    );
    assert_eq!(
        manager.pause_container(&info.id[..12]).await.unwrap().state,
        ContainerState::Paused
    );
    assert_eq!(
        manager.unpause_container("web").await.unwrap().state,
        ContainerState::Running
    );
    assert_eq!(
        manager.restart_container("web", grace).await.unwrap().state,
        ContainerState::Running
    );
    let refused = manager.delete_container("web", false).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ContainerRunning);
    assert_eq!(
        manager.stop_container("web", grace).await.unwrap().state,
        ContainerState::Stopped
    );
    assert_eq!(
        manager.list_containers().unwrap()[0].status,
        ContainerState::Stopped
    );
    assert_eq!(
        manager.delete_container("web", false).await.unwrap(),
        info.id
    );
    assert_eq!(
        manager.start_container("web").await.unwrap_err().code,
        ErrorCode::ContainerNotFound
    );
    assert!(fixture.folders().is_empty());
    assert_eq!(fixture.states().first().unwrap(), "engine true");
    assert_eq!(fixture.states().last().unwrap(), "web stopped gone");
}

#[tokio::test]
async fn operations_on_one_container_are_done_in_the_order_of_the_calls() {
    let fixture = Fixture::start().await;
    let create = fixture.manager.create_container(config("web"));
    let start = fixture.manager.start_container("web");
    let stop = fixture
        .manager
        .stop_container("web", Duration::from_secs(1));
    let delete = fixture.manager.delete_container("web", false);
    // They are asked for before there is a container, and polled in another order.
    let (deleted, stopped, started, created) = tokio::join!(delete, stop, start, create);
    assert_eq!(created.unwrap().status, ContainerState::Created);
    assert_eq!(started.unwrap().state, ContainerState::Running);
    assert_eq!(stopped.unwrap().state, ContainerState::Stopped);
    deleted.unwrap();
    fixture.create("web").await;
    let many: Vec<_> = (0..20)
        .map(|_| fixture.manager.restart_container("web", Duration::ZERO))
        .collect();
    let all = futures_util::future::join_all(many).await;
    assert!(all.into_iter().all(|result| result.is_ok()));
}

#[tokio::test]
async fn order_of_operations_outlives_the_creation_and_the_removal_of_a_container() {
    let fixture = Fixture::start().await;
    let (manager, engine) = (&fixture.manager, &fixture.engine);
    let delay = Fault::delay(Duration::from_millis(200));
    engine.fail_next("POST /containers/*/start", [delay]);
    let create = tokio::spawn(manager.create_container(config("web")));
    let start = tokio::spawn(manager.start_container("web"));
    let restart = tokio::spawn(manager.restart_container("web", Duration::ZERO));
    // The container is there when the last is asked for, and has an id.
    engine
        .requests_at_least("POST /containers/*/start", 1)
        .await;
    manager.stop_container("web", Duration::ZERO).await.unwrap();
    for earlier in [start, restart] {
        earlier.await.unwrap().unwrap();
    }
    let id = create.await.unwrap().unwrap().id;
    assert_eq!(
        engine.container("web").unwrap().state(),
        Some(State::Exited)
    );
    let delete = manager.delete_container(&id[..12], false);
    let create = manager.create_container(config("web"));
    let (created, deleted) = tokio::join!(create, delete);
    assert_eq!(deleted.unwrap(), id);
    assert_ne!(created.unwrap().id, id);
}

#[tokio::test]
async fn nothing_begins_once_it_settles() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    fixture.engine.fail_next(
        "POST /containers/*/start",
        [Fault::delay(Duration::from_millis(200))],
    );
    let starting = tokio::spawn(fixture.manager.start_container("web"));
    fixture
        .engine
        .requests_at_least("POST /containers/*/start", 1)
        .await;
    assert!(fixture.manager.settle(PATIENCE).await);
    assert_eq!(
        starting.await.unwrap().unwrap().state,
        ContainerState::Running
    );
    let refused = fixture
        .manager
        .stop_container("web", Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::ShuttingDown);
}

#[tokio::test]
async fn stop_that_failed_is_no_reason_to_call_a_container_stopped() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    fixture.manager.start_container("web").await.unwrap();
    fixture.engine.fail_next(
        "POST /containers/*/stop",
        [Fault::error(500, "cannot stop")],
    );
    let refused = fixture
        .manager
        .stop_container("web", Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::EngineError);
    fixture.engine.container("web").unwrap().exit(1);
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "web running exited")
    })
    .await;
}
