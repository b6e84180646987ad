//! Updates: exactly the new code, or the old one again.

use super::*;

const SHORT: super::super::update::UpdateTimes = super::super::update::UpdateTimes::of(
    Duration::from_millis(500),
    Duration::from_millis(100),
    Duration::from_millis(500),
);

/// A fixture with a flow in `/srv/app`, and new code.
async fn flow() -> (Fixture, String, String) {
    let fixture = Fixture::start().await;
    let mut flow = config("web");
    flow.working_dir = Some("/srv/app".to_owned());
    let id = fixture.manager.create_container(flow).await.unwrap().id;
    let docker = fixture.manager.inner.engine.client().unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    tar.append_data(&mut header, "app/old.py", &b"old"[..])
        .unwrap();
    let old = tar.into_inner().unwrap();
    docker
        .put_archive(&id, "/srv/app", old.into(), false)
        .await
        .unwrap();
    let code = fixture.place.path().join("code/v2");
    fs::create_dir(&code).unwrap();
    fs::write(code.join("new.py"), "new").unwrap();
    let code = code.display().to_string();
    (fixture, id, code)
}

async fn update(fixture: &Fixture, id: &str, code: &str) -> Result<ContainerStatus, Failure> {
    fixture.manager.inner.update(id, code, SHORT).await
}

#[tokio::test]
async fn folder_is_replaced_and_the_flow_started_again() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    let status = update(&fixture, &id, &code).await.unwrap();
    assert_eq!(status.state, ContainerState::Running);
    assert_eq!(put(&fixture.engine), ["app", "app", "app/new.py"]);
    assert_eq!(query(&fixture.engine, "path"), "/srv");
    assert_eq!(query(&fixture.engine, "copyUIDGID"), "1");
    let stops = fixture.engine.requests_to("POST /containers/*/stop").len();
    assert_eq!(stops, 1);
}

#[tokio::test]
async fn flow_that_does_not_run_is_not_started() {
    let (fixture, id, code) = flow().await;
    let status = update(&fixture, &id, &code).await.unwrap();
    assert_eq!(status.state, ContainerState::Created);
    assert!(
        fixture
            .engine
            .requests_to("POST /containers/*/start")
            .is_empty()
    );
}

#[tokio::test]
async fn old_code_comes_back_if_the_new_one_does_not_run() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    // The program ends soon after the start with the new code.
    let engine = &fixture.engine;
    let container = engine.container("web").unwrap();
    let updating = update(&fixture, &id, &code);
    let ending = async {
        engine
            .requests_at_least("POST /containers/*/start", 2)
            .await;
        until(|| container.state() == Some(State::Running)).await;
        container.exit(1);
    };
    let (updated, ()) = tokio::join!(updating, ending);
    let failure = updated.unwrap_err();
    assert_eq!(
        (failure.code, failure.rolled_back),
        (ErrorCode::UpdateFailed, Some(true)),
        "{failure}"
    );
    assert_eq!(put(engine), ["app", "app/old.py"]);
    assert_eq!(query(engine, "copyUIDGID"), "0");
    assert_eq!(container.state(), Some(State::Running));
}

#[tokio::test]
async fn old_code_comes_back_if_the_flow_is_unhealthy_or_does_not_connect() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let mut flow = connect(&socket).await;
    flow.write_all(b"{\"type\":\"hello\",\"version\":1,\"session\":\"s\"}\n")
        .await
        .unwrap();
    until(|| fixture.manager.inner.sockets.is_socket_connected(&id)).await;
    let updating = update(&fixture, &id, &code);
    let leaving = async {
        fixture
            .engine
            .requests_at_least("POST /containers/*/stop", 1)
            .await;
        drop(flow);
    };
    let (updated, ()) = tokio::join!(updating, leaving);
    assert_eq!(updated.unwrap_err().rolled_back, Some(true));
    fixture
        .engine
        .container("web")
        .unwrap()
        .set_health("unhealthy");
    let failure = update(&fixture, &id, &code).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.rolled_back),
        (ErrorCode::UpdateFailed, Some(true))
    );
}

#[tokio::test]
async fn connection_of_the_old_code_does_not_count_for_the_new() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let mut old = connect(&socket).await;
    old.write_all(b"{\"type\":\"hello\",\"version\":1,\"session\":\"s\"}\n")
        .await
        .unwrap();
    until(|| fixture.manager.inner.sockets.is_socket_connected(&id)).await;
    // It is open all the time, as one that is read slowly is for a while.
    let failure = update(&fixture, &id, &code).await.unwrap_err();
    assert_eq!(failure.rolled_back, Some(true), "{failure}");
    let updating = update(&fixture, &id, &code);
    let connecting = async {
        fixture
            .engine
            .requests_at_least("POST /containers/*/start", 4)
            .await;
        let mut new = connect(&socket).await;
        new.write_all(b"{\"type\":\"hello\",\"version\":1,\"session\":\"t\"}\n")
            .await
            .unwrap();
        new
    };
    let (updated, _new) = tokio::join!(updating, connecting);
    updated.unwrap();
}

#[tokio::test]
async fn update_that_was_killed_is_taken_back_at_the_next_start() {
    for pattern in [
        "POST /containers/*/stop",
        "PUT /containers/*/archive",
        "POST /containers/*/start",
    ] {
        let (fixture, id, code) = flow().await;
        fixture.manager.start_container("web").await.unwrap();
        let before = fixture.engine.requests_to(pattern).len();
        fixture.engine.fail_next(pattern, [Fault::hang()]);
        let inner = fixture.manager.inner.clone();
        let updating = tokio::spawn(async move { inner.update(&id, &code, SHORT).await });
        fixture.engine.requests_at_least(pattern, before + 1).await;
        updating.abort();
        let _ = updating.await;
        let note = fixture.folders()[0].join("update.json");
        assert!(note.exists(), "{pattern}");
        let fixture = fixture.killed().await;
        until(|| !note.exists()).await;
        assert_eq!(put(&fixture.engine), ["app", "app/old.py"], "{pattern}");
        let container = fixture.engine.container("web").unwrap();
        assert_eq!(container.state(), Some(State::Running), "{pattern}");
        assert!(!fixture.folders()[0].join("backup.tar").exists());
    }
}

#[tokio::test]
async fn few_updates_are_done_at_once() {
    let (fixture, id, code) = flow().await;
    let room = fixture.manager.inner.updates.acquire_many(2).await.unwrap();
    let before = fixture
        .engine
        .requests_to("GET /containers/*/archive")
        .len();
    let updating = update(&fixture, &id, &code);
    let waiting = async {
        fixture
            .engine
            .requests_at_least("GET /containers/*/json", 4)
            .await;
        tokio::task::yield_now().await;
        let asked = fixture.engine.requests_to("GET /containers/*/archive");
        assert_eq!(asked.len(), before);
        drop(room);
    };
    let (updated, ()) = tokio::join!(updating, waiting);
    updated.unwrap();
}

#[tokio::test]
async fn stopped_flow_is_called_stopped_after_an_update_that_was_taken_back() {
    let (fixture, id, code) = flow().await;
    let manager = &fixture.manager;
    manager.start_container("web").await.unwrap();
    manager.stop_container("web", Duration::ZERO).await.unwrap();
    let told = fixture.states().len();
    fixture
        .engine
        .fail_next("PUT /containers/*/archive", [Fault::error(500, "no space")]);
    let failure = update(&fixture, &id, &code).await.unwrap_err();
    assert_eq!(failure.rolled_back, Some(true));
    assert_eq!(
        manager.list_containers().unwrap()[0].status,
        ContainerState::Stopped
    );
    assert_eq!(fixture.states().len(), told);
}

#[tokio::test]
async fn flow_whose_stop_failed_runs_as_before() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    let container = fixture.engine.container("web").unwrap();
    let late = Fault::error(500, "cannot stop").after(Duration::from_millis(200));
    fixture.engine.fail_next("POST /containers/*/stop", [late]);
    let ending = async {
        fixture
            .engine
            .requests_at_least("POST /containers/*/stop", 1)
            .await;
        container.exit(0);
    };
    let (updated, ()) = tokio::join!(update(&fixture, &id, &code), ending);
    assert_eq!(updated.unwrap_err().rolled_back, None);
    assert_eq!(container.state(), Some(State::Running));
    // The one is that of the fixture.
    let puts = fixture.engine.requests_to("PUT /containers/*/archive");
    assert_eq!(puts.len(), 1);
}

#[tokio::test]
async fn engine_that_hangs_is_not_waited_for() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    fixture
        .engine
        .fail_next("PUT /containers/*/archive", [Fault::hang()]);
    let updating = tokio::time::timeout(PATIENCE, update(&fixture, &id, &code));
    let failure = updating.await.unwrap().unwrap_err();
    assert_eq!(
        (failure.code, failure.rolled_back),
        (ErrorCode::UpdateFailed, Some(true)),
        "{failure}"
    );
    assert_eq!(put(&fixture.engine), ["app", "app/old.py"]);
    let container = fixture.engine.container("web").unwrap();
    assert_eq!(container.state(), Some(State::Running));
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    fixture.engine.fail_always(
        "PUT /containers/*/archive",
        Fault::error(500, "no space left on device"),
    );
    let failure = update(&fixture, &id, &code).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.rolled_back),
        (ErrorCode::UpdateFailed, Some(false))
    );
}

#[tokio::test]
async fn nothing_is_stopped_for_an_update_that_cannot_be() {
    let (fixture, id, code) = flow().await;
    fixture.manager.start_container("web").await.unwrap();
    let refused = async |code: &str| update(&fixture, &id, code).await.unwrap_err().code;
    for path in [
        "/etc",
        "/",
        "relative",
        &format!("{code}/../v2"),
        &format!("{code}/none"),
    ] {
        assert_eq!(refused(path).await, ErrorCode::CodePathNotAllowed, "{path}");
    }
    std::os::unix::fs::symlink("/etc", format!("{code}-link")).unwrap();
    assert_eq!(
        refused(&format!("{code}-link")).await,
        ErrorCode::CodePathNotAllowed
    );
    let plain = fixture.create("plain").await;
    let failure = update(&fixture, &plain, &code).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::NoCodeDir);
    fixture.manager.pause_container("web").await.unwrap();
    assert_eq!(refused(&code).await, ErrorCode::InvalidState);
    assert!(
        fixture
            .engine
            .requests_to("POST /containers/*/stop")
            .is_empty()
    );
}
