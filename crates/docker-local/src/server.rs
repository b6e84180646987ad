//! The engine: how it is set up, started, stopped and started again.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::connection::serve;
use crate::state::{SharedState, Versions};

/// What Debian 12's Docker speaks.
const NEWEST: &str = "1.41";
const OLDEST: &str = "1.12";
const SOCKET: &str = "docker.sock";
/// Pause after a connection could not be taken (too many files open, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The engine cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}")]
pub struct StartError {
    place: String,
    source: io::Error,
}

/// How an engine is to be.
#[derive(Debug)]
pub struct Builder {
    place: Option<Place>,
    versions: Versions,
}

#[derive(Clone, Debug)]
enum Place {
    Unix(PathBuf),
    Tcp(u16),
}

impl Builder {
    /// Listens on a Unix socket at this path; otherwise on one in a folder of its own, which
    /// goes with it.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.place = Some(Place::Unix(path.into()));
        self
    }

    /// Listens on 127.0.0.1, on a port that the system picks.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.place = Some(Place::Tcp(0));
        self
    }

    /// Speaks the versions of the API from one to another, otherwise 1.12 to 1.41. What asks
    /// for another is refused, as by a real engine.
    #[must_use]
    pub fn versions(mut self, oldest: &str, newest: &str) -> Self {
        self.versions = Versions {
            oldest: oldest.to_owned(),
            newest: newest.to_owned(),
        };
        self
    }

    /// Listens from here on.
    pub async fn start(self) -> Result<DockerLocal, StartError> {
        let failed = |source| StartError {
            place: "a folder for the socket".to_owned(),
            source,
        };
        let mut folder = None;
        let place = match self.place {
            Some(place) => place,
            None => {
                let made = tempfile::tempdir().map_err(failed)?;
                let path = made.path().join(SOCKET);
                folder = Some(made);
                Place::Unix(path)
            }
        };
        let state = Arc::new(SharedState::new(self.versions));
        let (place, listening) = Listening::start(place, state.clone()).await?;
        Ok(DockerLocal {
            place,
            state,
            listening: Some(listening),
            _folder: folder,
        })
    }
}

/// A Docker Engine. It ends when it is dropped.
#[derive(Debug)]
pub struct DockerLocal {
    place: Place,
    pub(crate) state: Arc<SharedState>,
    listening: Option<Listening>,
    _folder: Option<TempDir>,
}

impl DockerLocal {
    /// An engine yet to be started.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            place: None,
            versions: Versions {
                oldest: OLDEST.to_owned(),
                newest: NEWEST.to_owned(),
            },
        }
    }

    /// What to put into `DOCKER_HOST`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.place {
            Place::Unix(path) => format!("unix://{}", path.display()),
            Place::Tcp(port) => format!("tcp://127.0.0.1:{port}"),
        }
    }

    /// Its socket, if it listens on one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match &self.place {
            Place::Unix(path) => Some(path),
            Place::Tcp(_) => None,
        }
    }

    /// Listens no more and cuts all connections, as an engine that is stopped with
    /// `live-restore`: containers run on, and what they write is logged. Its socket stays
    /// there, and refuses.
    pub async fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.stop().await;
        }
    }

    /// Listens again, in the same place. As a real engine that was started anew, it knows no
    /// events and no executed programs from before.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop().await;
        self.state.change(|inner| {
            inner.events.forget();
            inner.running.abort_all();
            inner.execs.clear();
        });
        self.listen_again().await
    }

    /// Cuts all connections, and takes new ones.
    pub async fn cut_all(&mut self) -> Result<(), StartError> {
        self.stop().await;
        self.listen_again().await
    }

    async fn listen_again(&mut self) -> Result<(), StartError> {
        let (_, listening) = Listening::start(self.place.clone(), self.state.clone()).await?;
        self.listening = Some(listening);
        Ok(())
    }
}

impl Drop for DockerLocal {
    fn drop(&mut self) {
        // They hold the state that holds them.
        self.state.lock().running.abort_all();
    }
}

/// The task that takes connections, and owns them. It ends when this is dropped.
#[derive(Debug)]
struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn start(place: Place, state: Arc<SharedState>) -> Result<(Place, Self), StartError> {
        let name = match &place {
            Place::Unix(path) => path.display().to_string(),
            Place::Tcp(port) => format!("127.0.0.1:{port}"),
        };
        let failed = |source| StartError {
            place: name.clone(),
            source,
        };
        let (stop, stopped) = oneshot::channel();
        let (place, task) = match place {
            Place::Unix(path) => {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(failed(error));
                    }
                    _ => {}
                }
                let listener = UnixListener::bind(&path).map_err(failed)?;
                let task = tokio::spawn(accept(listener, state, stopped));
                (Place::Unix(path), task)
            }
            Place::Tcp(port) => {
                let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
                let listener = bound.map_err(&failed)?;
                let port = listener.local_addr().map_err(failed)?.port();
                let task = tokio::spawn(accept(listener, state, stopped));
                (Place::Tcp(port), task)
            }
        };
        Ok((place, Self { stop, task }))
    }

    async fn stop(self) {
        drop(self.stop);
        // It can only fail by a panic in the task, which has been reported.
        let _ = self.task.await;
    }
}

/// What connections come from.
trait Accept: Send + 'static {
    type Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn connection(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

impl Accept for UnixListener {
    type Connection = tokio::net::UnixStream;

    async fn connection(&self) -> io::Result<Self::Connection> {
        Ok(self.accept().await?.0)
    }
}

impl Accept for TcpListener {
    type Connection = tokio::net::TcpStream;

    async fn connection(&self) -> io::Result<Self::Connection> {
        let (stream, _) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn accept(
    listener: impl Accept,
    state: Arc<SharedState>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.connection() => match accepted {
                Ok(stream) => {
                    let number = state.change(|inner| {
                        inner.connections += 1;
                        inner.connections - 1
                    });
                    connections.spawn(serve(stream, state.clone(), number));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}
