//! The server: a task beside the run, which a slow or hostile client cannot hold up.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::answer::answer;
use super::endpoint::{HealthEndpoint, Listener};
use super::status::Status;
use crate::clock::Clock;

/// Most connections at a time. A newer one ends the oldest, so that who opens many and
/// says nothing keeps nobody else from asking.
const CONNECTIONS_MAX: usize = 16;

/// The longest that one connection may take; the peers are near.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Before the next attempt to take a connection, when that failed (no file descriptor
/// is free, say).
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// The running server. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    place: HealthEndpoint,
    _task: JoinSet<()>,
}

impl Server {
    /// Begins to tell the status. Fails when the place is taken.
    pub async fn start(
        place: &HealthEndpoint,
        status: Arc<Status>,
        clock: impl Clock,
    ) -> io::Result<Self> {
        let listener = place.listen().await?;
        let place = listener.place(place);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, status, Arc::new(clock)));
        Ok(Self { place, _task: task })
    }

    /// Where it listens, with the port that the system picked for port 0.
    #[must_use]
    pub fn place(&self) -> &HealthEndpoint {
        &self.place
    }
}

async fn serve(listener: Listener, status: Arc<Status>, clock: Arc<impl Clock>) {
    let mut connections = JoinSet::new();
    let mut oldest_first = VecDeque::new();
    loop {
        let mut stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                debug!(%error, "health connection not accepted");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        oldest_first.retain(|connection: &tokio::task::AbortHandle| !connection.is_finished());
        if oldest_first.len() == CONNECTIONS_MAX
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        let (status, clock) = (status.clone(), clock.clone());
        oldest_first.push_back(connections.spawn(async move {
            let report = || status.report(clock.now());
            let answered = timeout(CONNECTION_TIMEOUT, answer(&mut *stream, report)).await;
            if let Ok(Err(error)) = answered {
                debug!(%error, "health connection failed");
            }
        }));
        // Who has asked already is answered before newer ones end it.
        yield_now().await;
    }
}
