//! Another engine, one that is cut off, and containers that are too many or without a socket.

use docker_local::Answer;

use super::*;
use crate::containers::create::CONTAINERS_MAX;
use crate::containers::store::Wish;

#[tokio::test]
async fn another_engine_is_not_taken_for_the_one_that_has_our_containers() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    fixture.watching.abort();
    let Fixture {
        engine: ours,
        manager: old,
        place,
        ..
    } = fixture;
    old.inner.sockets.shut_down();
    let weak = Arc::downgrade(&old.inner);
    drop(old);
    until(|| weak.strong_count() == 0).await;
    let other = DockerLocal::builder().start().await.unwrap();
    let says = Answer::json(200, r#"{"ID":"OTHER"}"#);
    other.fail_always("GET /info", Fault::answer(says));
    let sockets = SocketCommunicationHandler::new(Arc::new(Relay::default()), FlowTimes::default());
    let manager = ContainerManager::new(
        policy(&place, Pull::Missing),
        Store::open(&place.path().join("state")).unwrap(),
        Some(other.url()),
        sockets,
        Arc::new(Told::default()),
    );
    manager.recover().await.unwrap();
    let watched = manager.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    // It was asked, and asked again, which it is not once it is taken.
    other.requests_at_least("GET /info", 2).await;
    assert!(!manager.engine_is_there());
    assert_eq!(manager.resolve("web").unwrap(), id);
    watching.abort();
    let _ = watching.await;
    manager.inner.sockets.shut_down();
    let weak = Arc::downgrade(&manager.inner);
    drop(manager);
    until(|| weak.strong_count() == 0).await;
    // Ours is taken up where it was, also with another id: it has our container.
    let says = Answer::json(200, r#"{"ID":"RENEWED"}"#);
    ours.fail_always("GET /info", Fault::answer(says));
    let (manager, _, _watching) = super::manager(&place, &ours, Pull::Missing).await;
    assert_eq!(manager.list_containers().unwrap()[0].id, id);
    let engine = std::fs::read_to_string(place.path().join("state/engine"));
    assert_eq!(engine.unwrap(), "RENEWED");
}

#[tokio::test]
async fn restart_that_is_cut_off_is_not_asked_for_again() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    fixture.manager.start_container("web").await.unwrap();
    fixture
        .engine
        .fail_next("POST /containers/*/restart", [Fault::error(503, "later")]);
    let refused = fixture.manager.restart_container("web", Duration::ZERO);
    assert_eq!(refused.await.unwrap_err().code, ErrorCode::EngineError);
    let asked = fixture.engine.requests_to("POST /containers/*/restart");
    assert_eq!(asked.len(), 1);
    // A stop does no harm when it is asked for twice.
    fixture
        .engine
        .fail_next("POST /containers/*/stop", [Fault::error(503, "later")]);
    let stopping = fixture.manager.stop_container("web", Duration::ZERO);
    assert_eq!(stopping.await.unwrap().state, ContainerState::Stopped);
}

#[tokio::test]
async fn containers_are_bounded_in_number() {
    let fixture = Fixture::start().await;
    for number in 0..CONTAINERS_MAX {
        let entry = Entry::new(
            format!("{number:016x}"),
            format!("{number:064x}"),
            format!("n{number}"),
            Moment::now(),
            Wish::Create,
            ContainerConfig::default(),
        );
        fixture.manager.inner.lock().insert(entry);
    }
    let refused = fixture.manager.create_container(config("web")).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::TooManyContainers);
    let asked = fixture.engine.requests_to("POST /containers/create");
    assert!(asked.is_empty() && fixture.folders().is_empty());
}

#[tokio::test]
async fn socket_that_could_not_be_made_is_made_later() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let run = fixture.folders()[0].join("run");
    let away = run.with_extension("away");
    fs::rename(&run, &away).unwrap();
    let fixture = fixture.killed().await;
    assert!(!fixture.manager.inner.sockets.has_socket(&id));
    fixture.manager.start_container("web").await.unwrap();
    assert!(!fixture.manager.inner.sockets.has_socket(&id));
    fs::rename(&away, &run).unwrap();
    fixture.manager.start_container("web").await.unwrap();
    assert!(fixture.manager.inner.sockets.has_socket(&id));
    // Also of one that runs on while nobody asks for anything.
    fs::rename(&run, &away).unwrap();
    let fixture = fixture.killed().await;
    assert!(!fixture.manager.inner.sockets.has_socket(&id));
    fs::rename(&away, &run).unwrap();
    until(|| fixture.manager.inner.sockets.has_socket(&id)).await;
    let listed = fixture.manager.list_containers().unwrap();
    connect(&listed[0].socket_path).await;
}
