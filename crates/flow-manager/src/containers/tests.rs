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

mod create;
mod engine;
mod logs;
mod mounts;
mod order;
mod recover;
mod states;
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
