//! Connections: where they come from, how many, and their end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::LAST_WORDS;
use super::unix::{Place, bind_private};
use super::wire::Counted;
use crate::config::Listen;
use crate::sessions::Wire;
use crate::socketio::Peer;

/// Most connections, websockets included: a client with polling has two.
const CONNECTIONS_MAX: usize = 8192;
/// How long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Most bytes of it.
const HEAD_MAX: usize = 32 * 1024;
/// How long a client may leave unread what is written to it. It is asked whether it is there, but
/// one whose connection takes nothing cannot be told that it is to end.
const READ_WITHIN: Duration = Duration::from_secs(30);
/// Before another connection is taken when none could be: too many files are open.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// Why it cannot be listened.
#[derive(Debug, thiserror::Error)]
#[error("listen on {place}")]
pub struct ListenError {
    place: String,
    source: io::Error,
}

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A port.
    Tcp(TcpListener),
    /// A Unix socket, which is removed with this.
    Unix(UnixListener, Place),
}

impl Listener {
    /// Listens.
    ///
    /// # Errors
    ///
    /// [`ListenError`].
    pub async fn bind(listen: &Listen) -> Result<Self, ListenError> {
        match listen {
            Listen::Tcp(address) => {
                let failed = |source| ListenError {
                    place: address.to_string(),
                    source,
                };
                TcpListener::bind(address)
                    .await
                    .map(Self::Tcp)
                    .map_err(failed)
            }
            Listen::Unix(path) => {
                let failed = |source| ListenError {
                    place: path.display().to_string(),
                    source,
                };
                let (listener, place) = bind_private(path).await.map_err(failed)?;
                Ok(Self::Unix(listener, place))
            }
        }
    }

    /// The address, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<(Box<dyn Connection>, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // A message is small, and waits for nobody.
                stream.set_nodelay(true)?;
                let address: Option<IpAddr> = Some(address.ip());
                Ok((
                    Box::new(stream),
                    Peer {
                        address,
                        is_owner: false,
                        session: 0,
                    },
                ))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((
                    Box::new(stream),
                    Peer {
                        address: None,
                        is_owner: true,
                        session: 0,
                    },
                ))
            }
        }
    }
}

/// Waits until it is to stop. Whoever tells that is gone when the process ends.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Serves connections until it is told to stop; then each may end what it does for a moment.
pub async fn serve(listener: Listener, router: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = async {
                let permit = room.clone().acquire_owned().await;
                (permit, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, peer))) => {
                let wire = Arc::default();
                let stream = Counted::new(stream, Arc::clone(&wire), permit, READ_WITHIN);
                let serving = connection(stream, wire, peer, router.clone(), stop.clone());
                connections.spawn(serving);
            }
            _ => tokio::time::sleep(ACCEPT_DELAY).await,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_WORDS, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

async fn connection(
    stream: Counted<Box<dyn Connection>>,
    wire: Arc<Wire>,
    peer: Peer,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(wire.clone());
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(serving);
    tokio::select! {
        // A connection that was cut is no fault of ours.
        _ = &mut serving => {}
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}
