//! The endpoint: how it is set up, started, stopped and started again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::connection::serve;
use crate::credentials::{Credentials, Keyring};
use crate::host::{Host, Hosts};
use crate::logs::{self, LogStore};
use crate::state::{Api, Clock, ClockOffset, Inner, State};
use crate::store::{Keep, Store};

/// Connections at a time. More wait until one ends, which each does in the end. A publisher
/// has one for each namespace or log stream, a browser a few.
const CONNECTIONS_MAX: usize = 128;
/// The access key, and the secret, that are known unless others are named.
const DEFAULT_KEY: &str = "test";
/// Pause after a connection could not be taken (too many files open, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The endpoint cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}")]
pub struct StartError {
    addr: SocketAddr,
    source: io::Error,
}

/// How an endpoint is to be.
pub struct Builder {
    addr: SocketAddr,
    hosts: Vec<Host>,
    credentials: Vec<Credentials>,
    regions: Vec<String>,
    keep: Keep,
    keep_logs: logs::Keep,
    clock: Clock,
}

impl Builder {
    /// Where to listen; otherwise on 127.0.0.1, on a port that the system picks.
    #[must_use]
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// Answers requests that are meant for this host, too. Without it those for `localhost`, an
    /// address of loopback and the address that a connection came in by are answered.
    #[must_use]
    pub fn host(mut self, host: Host) -> Self {
        self.hosts.push(host);
        self
    }

    /// Knows these credentials. With none named, `test` with the secret `test` is known.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.push(credentials);
        self
    }

    /// Takes only requests that are signed for this region or another one named so.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.regions.push(region.to_owned());
        self
    }

    /// Bounds the memory: the latest points of each metric, and the latest requests of each
    /// log. Everything is kept otherwise.
    #[must_use]
    pub fn keep(mut self, points_per_series: usize, requests: usize) -> Self {
        self.keep = Keep {
            points_per_series,
            requests,
        };
        self
    }

    /// Bounds the memory that log events take, in bytes; otherwise it is 1 GiB. Beyond it the
    /// oldest go, which [`Logs::events_dropped`](crate::Logs::events_dropped) tells.
    #[must_use]
    pub fn keep_logs(mut self, bytes: usize) -> Self {
        self.keep_logs.bytes = bytes;
        self
    }

    /// The most log groups, and the most log streams of all groups; 10,000 and 100,000
    /// otherwise. More are refused with `LimitExceededException`.
    #[must_use]
    pub fn log_quotas(mut self, groups: usize, streams: usize) -> Self {
        self.keep_logs.groups = groups;
        self.keep_logs.streams = streams;
        self
    }

    /// Reads the time elsewhere than from the system.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Listens from here on.
    pub async fn start(mut self) -> Result<CloudWatchLocal, StartError> {
        let mut keyring = Keyring::default();
        for credentials in self.credentials {
            keyring.add(credentials);
        }
        if keyring.is_empty() {
            keyring.add(Credentials::new(DEFAULT_KEY, DEFAULT_KEY));
        }
        // As it is shown, and so asked for: 0.0.0.0 is no address of a connection.
        self.hosts.push(self.addr.ip().into());
        let hosts = Hosts::new(self.hosts);
        let requests = self.keep.requests;
        self.keep_logs.requests = requests;
        let inner = Inner {
            metrics: Api::new(Store::new(self.keep), requests),
            logs: Api::new(LogStore::new(self.keep_logs), requests),
            connections: 0,
            keyring,
            clock_offset: ClockOffset::default(),
            regions: self.regions,
        };
        let state = Arc::new(State::new(self.clock, hosts, inner));
        let (addr, listening) = Listening::start(self.addr, state.clone()).await?;
        Ok(CloudWatchLocal {
            addr,
            state,
            listening: Some(listening),
        })
    }
}

/// A CloudWatch endpoint. It ends when it is dropped.
#[derive(Debug)]
pub struct CloudWatchLocal {
    addr: SocketAddr,
    pub(crate) state: Arc<State>,
    listening: Option<Listening>,
}

impl CloudWatchLocal {
    /// An endpoint yet to be started.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            hosts: Vec::new(),
            credentials: Vec::new(),
            regions: Vec::new(),
            keep: Keep::ALL,
            keep_logs: logs::Keep::default(),
            clock: Box::new(system_clock),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint URL to give to an SDK.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Listens no more and cuts all connections. What was received can still be asked for.
    pub async fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.stop().await;
        }
    }

    /// Listens again, on the same port, after [`stop`](Self::stop).
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop().await;
        let (_, listening) = Listening::start(self.addr, self.state.clone()).await?;
        self.listening = Some(listening);
        Ok(())
    }
}

/// The task that takes connections, and owns them. It ends when this is dropped.
#[derive(Debug)]
struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn start(addr: SocketAddr, state: Arc<State>) -> Result<(SocketAddr, Self), StartError> {
        let failed = |source| StartError { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, state, stopped));
        Ok((bound, Self { stop, task }))
    }

    async fn stop(self) {
        drop(self.stop);
        // It can only fail by a panic in the task, which has been reported.
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            (accepted, place) = accept_one(&listener, &places) => match accepted {
                Ok(stream) => {
                    state.change(|inner| inner.connections += 1);
                    let state = state.clone();
                    connections.spawn(async move {
                        serve(stream, state).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn accept_one(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (io::Result<TcpStream>, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let accepted = listener.accept().await;
    (accepted.map(|(stream, _)| stream), place)
}

#[allow(clippy::disallowed_methods)] // This is the endpoint's clock edge.
fn system_clock() -> SystemTime {
    SystemTime::now()
}
