//! `run`: all parts together, from the start to the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use settings::Problem;
use shutdown::{Request, Requests};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::tokens;
use crate::auth::Tokens;
use crate::config::{Config, Listen};
use crate::containers::{ContainerManager, Store, StoreError};
use crate::failure::Failure;
use crate::flow::{FlowTimes, SocketCommunicationHandler};
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::server::{Guard, ListenError, Listener, metrics_router, router, serve};
use crate::socketio::SocketIoEventHandler;

/// What the stop may take beyond the grace of the operations: clients are told, connections
/// closed.
pub(super) const AFTER_GRACE: Duration = Duration::from_secs(3);
/// How long answers may take to clients that are about to be disconnected.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// Clients, flows and the engine's connections are a file each.
const FILES: u64 = 65_536;

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("take up the containers")]
    Recover { source: Failure },
    #[error("the tokens cannot be used")]
    Tokens { problems: Vec<Problem> },
    #[error("write a token to {}", .path.display())]
    Token {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("work on the disk")]
    Disk { source: tokio::task::JoinError },
}

/// Runs until a signal; false if operations under way took longer than the grace.
pub(super) async fn run(config: Config, mut requests: Requests) -> Result<bool, RunError> {
    raise_files();
    let state_dir = config.state_dir.clone();
    let store = on_disk(move || Store::open(&state_dir)).await??;
    let for_tokens = config.clone();
    let tokens = on_disk(move || tokens::load(&for_tokens)).await??;
    let hub = Hub::new();
    let sockets = SocketCommunicationHandler::new(hub.clone(), FlowTimes::default());
    let host = config.docker_host.clone();
    let containers = ContainerManager::new(
        config.policy.clone(),
        store,
        host,
        sockets.clone(),
        hub.clone(),
    );
    hub.attach(containers.downgrade());
    let metrics = Arc::new(Metrics::default());
    let handler = SocketIoEventHandler::new(
        containers.clone(),
        sockets.clone(),
        hub.clone(),
        metrics.clone(),
        tokens,
    );
    // Ports come first: who is started twice by mistake must not take up anything.
    let listener = Listener::bind(&config.listen).await?;
    let metrics_listener = match config.metrics_addr {
        Some(address) => Some(Listener::bind(&Listen::Tcp(address)).await?),
        None => None,
    };
    let recovered = containers.recover().await;
    recovered.map_err(|source| RunError::Recover { source })?;
    let address = listener.address();
    let place = match &config.listen {
        Listen::Unix(path) => format!("unix:{}", path.display()),
        Listen::Tcp(given) => address.unwrap_or(*given).to_string(),
    };
    let (stop, stopped) = watch::channel(false);
    let watched = containers.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    let guard = Guard::new(&config, address);
    let mut serving = vec![tokio::spawn(serve(
        listener,
        router(&handler, containers.clone(), guard),
        stopped.clone(),
    ))];
    if let Some(listener) = metrics_listener {
        let router = metrics_router(containers.clone(), sockets.clone(), hub.clone(), metrics);
        if let Some(address) = listener.address() {
            info!(%address, "metrics endpoint listening");
        }
        serving.push(tokio::spawn(serve(listener, router, stopped)));
    }
    info!(
        address = place,
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    loop {
        match requests.next().await {
            Request::Stop => break,
            Request::Reload => reload(&config, &handler).await,
        }
    }
    info!(
        grace_seconds = config.shutdown_grace.as_secs_f64(),
        "stopping"
    );
    let settled = containers.settle(config.shutdown_grace).await;
    if !settled {
        warn!("operations took longer than SHUTDOWN_GRACE, given up");
    }
    stop_all(&handler, &sockets, &watching, stop, serving).await;
    info!("stopped, containers run on");
    Ok(settled)
}

async fn stop_all(
    handler: &SocketIoEventHandler,
    sockets: &SocketCommunicationHandler,
    watching: &JoinHandle<()>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
) {
    tokio::time::sleep(LAST_ANSWERS).await;
    handler.shut_down();
    tokio::time::sleep(LAST_ANSWERS).await;
    stop.send_replace(true);
    for task in serving {
        let _ = timeout(AFTER_GRACE / 2, task).await;
    }
    sockets.shut_down();
    watching.abort();
}

/// Reads the tokens again. Clients whose token is still there stay connected; a file that is wrong
/// changes nothing.
async fn reload(config: &Config, handler: &SocketIoEventHandler) {
    let config = config.clone();
    let read: Result<Tokens, RunError> = match on_disk(move || tokens::load(&config)).await {
        Ok(read) => read,
        Err(error) => Err(error),
    };
    match read {
        Ok(tokens) => {
            let disconnected = handler.set_tokens(tokens);
            info!(disconnected, "tokens read again");
        }
        Err(RunError::Tokens { problems }) => {
            settings::log_problems(&problems, "tokens not read, the old ones hold");
        }
        Err(failure) => error!(
            error = diagnostics::chain(&failure),
            "tokens not read, the old ones hold"
        ),
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RunError> {
    spawn_blocking(work)
        .await
        .map_err(|source| RunError::Disk { source })
}

/// Raises the number of files that may be open as far as it may be raised.
fn raise_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(FILES).min(FILES);
    if current.is_some_and(|current| current < wanted) {
        let limit = Rlimit {
            current: Some(wanted),
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            warn!(error = %error, "the number of open files stays as it is");
        }
    }
}
