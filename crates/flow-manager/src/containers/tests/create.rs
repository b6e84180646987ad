//! What an attempt to create leaves, and whom it must not touch.

use super::*;

#[tokio::test]
async fn create_and_start_take_four_calls_each_at_most() {
    let fixture = Fixture::start().await;
    let before = fixture.engine.requests().len();
    fixture.create("web").await;
    let between = fixture.engine.requests().len();
    fixture.manager.start_container("web").await.unwrap();
    assert!(between - before <= 4, "{}", between - before);
    assert!(fixture.engine.requests().len() - between <= 4);
}

#[tokio::test]
async fn failed_create_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    let engine = &fixture.engine;
    let mut wrong = config("web");
    wrong.volumes = BTreeMap::from([("/".to_owned(), "/data".to_owned())]);
    let refused = fixture.manager.create_container(wrong).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MountNotAllowed);
    assert!(engine.requests_to("POST /containers/create").is_empty());
    for (pattern, fault, code) in [
        (
            "POST /containers/create",
            Fault::error(500, "no disk"),
            ErrorCode::EngineError,
        ),
        (
            "POST /containers/create",
            Fault::error(409, "The container name \"/web\" is already in use by"),
            ErrorCode::NameTaken,
        ),
        // The container is made, and the answer lost.
        (
            "POST /containers/create",
            Fault::cut_body(3),
            ErrorCode::EngineUnavailable,
        ),
        (
            "GET /containers/*/json",
            Fault::error(500, "broken"),
            ErrorCode::EngineError,
        ),
    ] {
        // The first inspection that there is, which is that of the new container.
        engine.fail_next(pattern, [fault]);
        let failure = fixture
            .manager
            .create_container(config("web"))
            .await
            .unwrap_err();
        assert_eq!(failure.code, code, "{failure}");
        assert!(engine.container("web").is_none(), "{failure}");
        assert!(fixture.folders().is_empty(), "{failure}");
        until(|| fixture.manager.engine_is_there()).await;
    }
    fixture.create("web").await;
    assert_eq!(
        fixture
            .manager
            .create_container(config("web"))
            .await
            .unwrap_err()
            .code,
        ErrorCode::NameTaken
    );
}

#[tokio::test]
async fn container_that_a_slow_engine_makes_later_is_removed() {
    let fixture = Fixture::start().await;
    let engine = &fixture.engine;
    // The connection is cut before the engine makes it.
    engine.fail_next("POST /containers/create", [Fault::cut()]);
    let creating = fixture.manager.create_container(config("web"));
    let failure = creating.await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::EngineUnavailable);
    let folders = fixture.folders();
    assert_eq!(folders.len(), 1, "{folders:?}");
    let folder = folders[0].file_name().unwrap().to_str().unwrap();
    let instance = fixture.manager.inner.store.instance();
    let late = Container::named("web")
        .label(INSTANCE_LABEL, instance)
        .label(FOLDER_LABEL, folder);
    engine.add(late);
    until(|| engine.container("web").is_none()).await;
    until(|| fixture.folders().is_empty()).await;
}

#[tokio::test]
async fn image_is_pulled_as_it_was_set() {
    let fixture = Fixture::start().await;
    let other = |name: &str| ContainerConfig {
        image: "other:1".to_owned(),
        ..config(name)
    };
    fixture.manager.create_container(other("aa")).await.unwrap();
    fixture.manager.create_container(other("bb")).await.unwrap();
    assert_eq!(fixture.engine.requests_to("POST /images/create").len(), 1);
    let fixture = Fixture::with(Pull::Never).await;
    let refused = fixture
        .manager
        .create_container(other("aa"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::ImageNotFound);
    assert!(fixture.folders().is_empty());
    let fixture = Fixture::with(Pull::Always).await;
    fixture.create("aa").await;
    assert_eq!(fixture.engine.requests_to("POST /images/create").len(), 1);
}

#[tokio::test]
async fn containers_of_others_are_neither_seen_nor_touched() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let labels = fixture.engine.requests_to("POST /containers/create")[0].json()["Labels"].clone();
    let label = |name: &str| labels[name].as_str().unwrap().to_owned();
    // An image that was made of one of ours hands its labels on.
    let stranger = Container::named("stranger")
        .running()
        .label(INSTANCE_LABEL, &label(INSTANCE_LABEL))
        .label(FOLDER_LABEL, &label(FOLDER_LABEL));
    let stranger = fixture.engine.add(stranger);
    let plain = fixture.engine.add(Container::named("plain").running());
    for name in ["stranger", stranger.id(), plain.id(), "plain"] {
        let refused = fixture
            .manager
            .delete_container(name, true)
            .await
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::ContainerNotFound, "{name}");
    }
    stranger.exit(3);
    let fixture = fixture.killed().await;
    assert_eq!(fixture.manager.list_containers().unwrap().len(), 1);
    fixture.manager.delete_container(&id, true).await.unwrap();
    assert!(fixture.engine.container("stranger").is_some());
}

#[tokio::test]
async fn container_that_runs_is_not_deleted_whatever_the_words_of_the_engine() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    fixture.manager.start_container("web").await.unwrap();
    for message in [
        "You cannot remove a running container 12. Stop the container before attempting removal or force remove",
        "cannot remove container \"/web\": container is running: stop the container before removing or force remove",
    ] {
        let fault = Fault::error(409, message);
        fixture.engine.fail_next("DELETE /containers/*", [fault]);
        let refused = fixture.manager.delete_container("web", false).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::ContainerRunning);
    }
    let container = fixture.engine.container("web").unwrap();
    container.set_state(State::Restarting);
    let fault = Fault::error(409, "You cannot remove a restarting container 12.");
    fixture.engine.fail_next("DELETE /containers/*", [fault]);
    let refused = fixture.manager.delete_container("web", false).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::ContainerRunning);
    container.exit(0);
    let fault = Fault::error(409, "removal of container web is already in progress");
    fixture.engine.fail_next("DELETE /containers/*", [fault]);
    let refused = fixture.manager.delete_container("web", false).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidState);
}
