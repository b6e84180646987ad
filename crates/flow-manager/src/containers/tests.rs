//! Against a scripted engine: what it is asked for, what it is told, and every way in which it
//! fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use docker_local::{Container, DockerLocal, Fault, State};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use super::*;
use crate::flow::{FlowEvent, FlowObserver, FlowTimes};
use crate::model::ContainerConfig;
use crate::policy::{FOLDER_LABEL, INSTANCE_LABEL, Pull};

mod update;

const PATIENCE: Duration = Duration::from_secs(20);
const IMAGE: &str = "flow:1";

/// Notes the states that it is told of.
#[derive(Debug, Default)]
struct Told {
    states: Mutex<Vec<String>>,
}

impl ContainerObserver for Told {
    fn status_changed(
        &self,
        _: &str,
        name: &str,
        old: ContainerState,
        status: Option<&ContainerStatus>,
    ) {
        let new = status.map_or("gone", |status| status.state.as_str());
        self.states
            .lock()
            .unwrap()
            .push(format!("{name} {old} {new}"));
    }

    fn engine_changed(&self, is_there: bool) {
        self.states
            .lock()
            .unwrap()
            .push(format!("engine {is_there}"));
    }
}

#[derive(Default)]
struct Relay(std::sync::OnceLock<WeakContainerManager>);

impl FlowObserver for Relay {
    fn connection_changed(&self, id: &str) {
        if let Some(manager) = self.0.get().and_then(WeakContainerManager::upgrade) {
            manager.connection_changed(id);
        }
    }

    fn flow_event(&self, _: &str, _: &FlowEvent) {}
}

struct Fixture {
    engine: DockerLocal,
    manager: ContainerManager,
    told: Arc<Told>,
    place: TempDir,
    watching: AbortHandle,
}

fn policy(place: &TempDir, pull: Pull) -> Policy {
    Policy {
        images: vec!["**".parse().unwrap()],
        mount_roots: vec![place.path().join("mounts")],
        code_roots: vec![place.path().join("code")],
        forbidden: vec![place.path().join("state")],
        publish_addr: "127.0.0.1".parse().unwrap(),
        network: None,
        memory: 64 << 20,
        pids: 64,
        security_opt: Vec::new(),
        pull,
    }
}

/// A manager that watches, over a state that may be there already.
async fn manager(
    place: &TempDir,
    engine: &DockerLocal,
    pull: Pull,
) -> (ContainerManager, Arc<Told>, AbortHandle) {
    let told = Arc::new(Told::default());
    let relay = Arc::new(Relay::default());
    let sockets = SocketCommunicationHandler::new(relay.clone(), FlowTimes::default());
    let store = Store::open(&place.path().join("state")).unwrap();
    let manager = ContainerManager::new(
        policy(place, pull),
        store,
        Some(engine.url()),
        sockets,
        told.clone(),
    );
    relay.0.set(manager.downgrade()).unwrap();
    manager.recover().await.unwrap();
    let watched = manager.clone();
    let watching = tokio::spawn(async move { watched.watch().await }).abort_handle();
    until(|| manager.engine_is_there()).await;
    (manager, told, watching)
}

/// The path may be longer than an address.
async fn connect(socket: &str) -> UnixStream {
    try_connect(socket).await.unwrap()
}

async fn try_connect(socket: &str) -> std::io::Result<UnixStream> {
    let socket = std::path::Path::new(socket);
    let folder = fs::File::open(socket.parent().unwrap()).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    let name = socket.file_name().unwrap().to_str().unwrap();
    UnixStream::connect(format!("/proc/self/fd/{number}/{name}")).await
}

async fn until(done: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("it happens in time");
}

impl Fixture {
    async fn with(pull: Pull) -> Self {
        let place = tempfile::tempdir().unwrap();
        for folder in ["mounts", "code"] {
            fs::create_dir(place.path().join(folder)).unwrap();
        }
        let engine = DockerLocal::builder().start().await.unwrap();
        engine.add_image(IMAGE);
        let (manager, told, watching) = manager(&place, &engine, pull).await;
        Self {
            engine,
            manager,
            told,
            place,
            watching,
        }
    }

    async fn start() -> Self {
        Self::with(Pull::Missing).await
    }

    /// Ends the manager as `kill -9` would: nothing is cleaned up. Another begins.
    async fn killed(self) -> Self {
        self.watching.abort();
        let Self {
            engine,
            manager: old,
            place,
            ..
        } = self;
        old.inner.sockets.shut_down();
        // Tasks that hold it end at their next step.
        let weak = Arc::downgrade(&old.inner);
        drop(old);
        until(|| weak.strong_count() == 0).await;
        let (manager, told, watching) = manager(&place, &engine, Pull::Missing).await;
        Self {
            engine,
            manager,
            told,
            place,
            watching,
        }
    }

    async fn create(&self, name: &str) -> String {
        self.manager
            .create_container(config(name))
            .await
            .unwrap()
            .id
    }

    fn states(&self) -> Vec<String> {
        self.told.states.lock().unwrap().clone()
    }

    fn folders(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.place.path().join("state/c")).unwrap();
        folders.map(|entry| entry.unwrap().path()).collect()
    }

    fn containers(&self) -> usize {
        self.manager.inner.lock().all().len()
    }
}

fn config(name: &str) -> ContainerConfig {
    ContainerConfig {
        image: IMAGE.to_owned(),
        name: Some(name.to_owned()),
        environment: BTreeMap::from([("K".to_owned(), "v".to_owned())]),
        ..ContainerConfig::default()
    }
}

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
    fixture.engine.container("web").unwrap().exit(0);
    let fault = Fault::error(409, "removal of container web is already in progress");
    fixture.engine.fail_next("DELETE /containers/*", [fault]);
    let refused = fixture.manager.delete_container("web", false).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidState);
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
async fn states_are_told_as_the_engine_tells_them() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let container = fixture.engine.container("web").unwrap();
    fixture.manager.start_container("web").await.unwrap();
    container.set_health("healthy");
    until(|| fixture.manager.inner.lock().get(&id).unwrap().health == ContainerHealth::Healthy)
        .await;
    container.exit(1);
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "web running exited")
    })
    .await;
    // Somebody else starts and removes it.
    container.restart();
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "web exited running")
    })
    .await;
    container.remove();
    until(|| fixture.containers() == 0).await;
    until(|| fixture.folders().is_empty()).await;
}

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
async fn flow_that_comes_and_goes_is_told_at_a_bounded_rate() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let before = fixture.states().len();
    let begun = std::time::Instant::now();
    let coming_and_going = async {
        loop {
            // It is refused when too many wait already.
            if let Ok(mut flow) = try_connect(&socket).await {
                let hello = b"{\"type\":\"hello\",\"version\":1,\"session\":\"s\"}\n";
                let _ = flow.write_all(hello).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let second = Duration::from_secs(1);
    let _ = tokio::time::timeout(second, coming_and_going).await;
    let told = fixture.states().len() - before;
    let accepted = 8 + begun.elapsed().as_millis() / 100 + 1;
    let bound = 2..=2 * accepted;
    assert!(bound.contains(&(told as u128)), "{told} of {accepted}");
}

#[tokio::test]
async fn connection_that_takes_over_changes_nothing() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let before = fixture.states().len();
    let mut flows = Vec::new();
    for session in ["a", "b", "c"] {
        let mut flow = connect(&socket).await;
        let hello = json!({"type": "hello", "version": 1, "session": session});
        flow.write_all(format!("{hello}\n").as_bytes())
            .await
            .unwrap();
        let mut welcome = [0; 17];
        flow.read_exact(&mut welcome).await.unwrap();
        flows.push(flow);
    }
    until(|| fixture.states().len() > before).await;
    assert_eq!(fixture.states().len(), before + 1);
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

#[tokio::test]
async fn states_of_an_instant_are_answered() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let container = fixture.engine.container("web").unwrap();
    for state in [State::Removing, State::Dead] {
        container.set_state(state);
        let manager = &fixture.manager;
        for failure in [
            manager.start_container("web").await.unwrap_err(),
            manager
                .restart_container("web", Duration::ZERO)
                .await
                .unwrap_err(),
            manager.pause_container("web").await.unwrap_err(),
        ] {
            assert_eq!(failure.code, ErrorCode::InvalidState, "{failure}");
        }
    }
    fixture.manager.delete_container("web", true).await.unwrap();
    assert!(fixture.folders().is_empty());
}

#[tokio::test]
async fn what_is_mounted_is_looked_at_again_before_each_start() {
    let fixture = Fixture::start().await;
    let folder = fixture.place.path().join("mounts/data");
    fs::create_dir(&folder).unwrap();
    let mut mounted = config("web");
    mounted
        .volumes
        .insert(folder.display().to_string(), "/data:ro".to_owned());
    fixture.manager.create_container(mounted).await.unwrap();
    let asked = fixture.engine.requests_to("POST /containers/create")[0].json();
    let mount = &asked["HostConfig"]["Mounts"][0];
    assert_eq!(
        (&mount["Target"], &mount["ReadOnly"]),
        (&json!("/data"), &json!(true))
    );
    fs::remove_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/etc", &folder).unwrap();
    let refused = fixture.manager.start_container("web").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MountNotAllowed);
    assert!(
        fixture
            .engine
            .requests_to("POST /containers/*/start")
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_mounted_is_looked_at_after_the_stop_of_a_restart() {
    let fixture = Fixture::start().await;
    let folder = fixture.place.path().join("mounts/data");
    fs::create_dir(&folder).unwrap();
    let mut mounted = config("web");
    let source = folder.display().to_string();
    mounted.volumes.insert(source, "/data:ro".to_owned());
    fixture.manager.create_container(mounted).await.unwrap();
    fixture.manager.start_container("web").await.unwrap();
    let slow = Fault::delay(Duration::from_millis(200));
    fixture.engine.fail_next("POST /containers/*/stop", [slow]);
    let restarting = fixture
        .manager
        .restart_container("web", Duration::from_secs(300));
    let exchanging = async {
        fixture
            .engine
            .requests_at_least("POST /containers/*/stop", 1)
            .await;
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", &folder).unwrap();
    };
    let (restarted, ()) = tokio::join!(restarting, exchanging);
    assert_eq!(restarted.unwrap_err().code, ErrorCode::MountNotAllowed);
    let starts = fixture.engine.requests_to("POST /containers/*/start").len();
    let restarts = fixture.engine.requests_to("POST /containers/*/restart");
    assert_eq!((starts, restarts.len()), (1, 0));
}

#[tokio::test]
async fn nothing_is_mounted_out_of_a_folder_that_another_may_write() {
    let fixture = Fixture::start().await;
    let data = fixture.place.path().join("mounts/data");
    fs::create_dir_all(data.join("sub")).unwrap();
    let with = |name: &str, folder: &std::path::Path, mode: &str| {
        let volume = (folder.display().to_string(), format!("/data:{mode}"));
        let mut mounted = config(name);
        mounted.volumes.extend([volume]);
        fixture.manager.create_container(mounted)
    };
    with("writer", &data, "rw").await.unwrap();
    with("equal", &data, "rw").await.unwrap();
    let refused = with("reader", &data.join("sub"), "ro").await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::MountNotAllowed);
    for name in ["writer", "equal"] {
        fixture.manager.delete_container(name, false).await.unwrap();
    }
    with("reader", &data.join("sub"), "ro").await.unwrap();
    let refused = with("writer", &data, "rw").await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::MountNotAllowed);
}

#[tokio::test]
async fn statistics_are_read_once_for_all_who_ask_at_once() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let stopped = fixture.manager.get_container_status("web").await.unwrap();
    assert_eq!((stopped.resource_usage, stopped.uptime), (None, None));
    fixture.manager.start_container("web").await.unwrap();
    let asked: Vec<_> = (0..1000)
        .map(|_| fixture.manager.get_container_status(&id))
        .collect();
    for status in futures_util::future::join_all(asked).await {
        assert!(status.unwrap().resource_usage.is_some());
    }
    assert_eq!(
        fixture.engine.requests_to("GET /containers/*/stats").len(),
        1
    );
}

#[tokio::test]
async fn log_is_told_within_its_bounds() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    fixture.manager.start_container("web").await.unwrap();
    let container = fixture.engine.container("web").unwrap();
    container.stdout("one\n");
    container.stderr("two\n");
    let log = fixture
        .manager
        .get_container_logs("web", 100, None)
        .await
        .unwrap();
    let lines: Vec<_> = log
        .lines
        .iter()
        .map(|line| (line.stream, &*line.text))
        .collect();
    assert_eq!(
        (lines, log.truncated),
        (vec![("stdout", "one"), ("stderr", "two")], false)
    );
    for _ in 0..40 {
        container.stdout("x".repeat(40_000) + "\n");
    }
    let log = fixture
        .manager
        .get_container_logs(&id, 100, None)
        .await
        .unwrap();
    assert!(log.truncated && log.lines.len() < 40);
    let last = fixture
        .manager
        .get_container_logs(&id, 1, None)
        .await
        .unwrap();
    assert_eq!((last.lines.len(), last.truncated), (1, false));
    // As JSON these are six times as long.
    for _ in 0..40 {
        container.stdout("\u{1b}".repeat(10_000) + "\n");
    }
    let log = fixture
        .manager
        .get_container_logs(&id, 40, None)
        .await
        .unwrap();
    let sent = crate::json::raw(&log.lines).get().len();
    assert!(log.truncated && sent < 1_100_000, "{sent}");
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

/// The tar that was put last, as its entries.
fn put(engine: &DockerLocal) -> Vec<String> {
    let requests = engine.requests_to("PUT /containers/*/archive");
    let body = requests.last().unwrap().body.clone();
    let mut archive = tar::Archive::new(&*body);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect()
}

fn query(engine: &DockerLocal, name: &str) -> Value {
    let requests = engine.requests_to("PUT /containers/*/archive");
    json!(requests.last().unwrap().query(name))
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

#[tokio::test]
async fn clock_that_was_put_back_does_not_hide_what_the_engine_says() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    // As if it had been created an hour later than now.
    let later = Timestamp::from_nanos(crate::time::Moment::now().0.nanos() + 3_600_000_000_000);
    fixture
        .manager
        .inner
        .change(&id, |entry| entry.as_of = later);
    let status = fixture.manager.start_container("web").await.unwrap();
    assert_eq!(status.state, ContainerState::Running);
    fixture.engine.container("web").unwrap().exit(1);
    until(|| {
        let states = fixture.states();
        states.iter().any(|told| told == "web running exited")
    })
    .await;
}

#[tokio::test]
async fn event_from_before_the_engine_was_asked_is_no_news() {
    let fixture = Fixture::start().await;
    let asked = fixture.create("asked").await;
    fixture.create("other").await;
    for name in ["asked", "other"] {
        fixture.manager.start_container(name).await.unwrap();
    }
    // As if the engine had been asked later than what it tells now.
    let later = Timestamp::from_nanos(crate::time::Moment::now().0.nanos() + 3_600_000_000_000);
    fixture
        .manager
        .inner
        .change(&asked, |entry| entry.as_of = later);
    for name in ["asked", "other"] {
        fixture.engine.container(name).unwrap().exit(1);
    }
    // Events come in order: the second is told, so the first was there.
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "other running exited")
    })
    .await;
    assert!(
        !fixture
            .states()
            .iter()
            .any(|told| told == "asked running exited")
    );
}
