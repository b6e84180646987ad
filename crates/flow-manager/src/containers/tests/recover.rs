//! An engine that went away, and a flow-manager that was killed.

use super::*;

#[tokio::test]
async fn engine_that_went_away_is_told_and_its_states_are_right_afterwards() {
    let mut fixture = Fixture::start().await;
    for name in ["aa", "bb"] {
        fixture.create(name).await;
        fixture.manager.start_container(name).await.unwrap();
    }
    fixture.engine.stop().await;
    let refused = fixture
        .manager
        .restart_container("aa", Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::EngineUnavailable);
    until(|| !fixture.manager.engine_is_there()).await;
    assert_eq!(
        fixture.manager.list_containers().unwrap_err().code,
        ErrorCode::EngineUnavailable
    );
    fixture.engine.container("aa").unwrap().exit(2);
    fixture.engine.container("bb").unwrap().remove();
    fixture.engine.restart().await.unwrap();
    until(|| fixture.manager.engine_is_there()).await;
    let list = fixture.manager.list_containers().unwrap();
    assert_eq!(list.len(), 1);
    // The last wish is a start: the restart that failed is not noted.
    assert_eq!(
        (&*list[0].name, list[0].status),
        ("aa", ContainerState::Exited)
    );
    assert!(fixture.states().contains(&"engine false".to_owned()));
}

#[tokio::test]
async fn flow_manager_that_was_killed_takes_its_containers_up_and_removes_what_it_began() {
    let fixture = Fixture::start().await;
    let kept = fixture.create("kept").await;
    fixture.manager.start_container("kept").await.unwrap();
    fixture.create("halted").await;
    fixture.manager.start_container("halted").await.unwrap();
    fixture
        .manager
        .stop_container("halted", Duration::ZERO)
        .await
        .unwrap();
    // It is killed before the engine answers; the engine makes the container all the same.
    fixture
        .engine
        .fail_next("POST /containers/create", [Fault::hang_body(0)]);
    let creating = tokio::spawn(fixture.manager.create_container(config("half")));
    fixture
        .engine
        .requests_at_least("POST /containers/create", 3)
        .await;
    until(|| fixture.engine.container("half").is_some()).await;
    creating.abort();
    let _ = creating.await;
    assert_eq!(fixture.folders().len(), 3);
    let fixture = fixture.killed().await;
    until(|| fixture.engine.container("half").is_none()).await;
    until(|| fixture.folders().len() == 2).await;
    let list = fixture.manager.list_containers().unwrap();
    let states: Vec<_> = list.iter().map(|info| (&*info.name, info.status)).collect();
    assert_eq!(
        states,
        [
            ("kept", ContainerState::Running),
            ("halted", ContainerState::Stopped)
        ]
    );
    assert_eq!(list[0].environment["K"], "v");
    // Its flow can connect again.
    let mut flow = connect(&list[0].socket_path).await;
    flow.write_all(b"{\"type\":\"hello\",\"version\":1,\"session\":\"s\"}\n")
        .await
        .unwrap();
    let mut welcome = [0; 17];
    flow.read_exact(&mut welcome).await.unwrap();
    assert_eq!(&welcome, b"{\"type\":\"welcome\"");
    until(|| fixture.manager.inner.sockets.is_socket_connected(&kept)).await;
}

#[tokio::test]
async fn container_whose_folder_cannot_be_read_is_left_alone() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    fs::write(fixture.folders()[0].join("state.json"), "{").unwrap();
    let fixture = fixture.killed().await;
    assert!(fixture.manager.list_containers().unwrap().is_empty());
    assert!(fixture.engine.container("web").is_some());
    assert_eq!(fixture.folders().len(), 1);
}
