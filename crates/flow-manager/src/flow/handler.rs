//! All flows: who is connected, and what goes to whom.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::channel::Channel;
use super::connection::serve;
use super::folder::FlowFolder;
use super::frame::{Close, FlowEvent, Message, Reply, ToFlow};
use super::link::Link;
use crate::failure::{ErrorCode, Failure};
use crate::time::Moment;

/// Most connections of one container at a time: its flow's, and those that are ending.
const CONNECTIONS_MAX: usize = 8;
/// Connections that are taken at once, and then one each time: a flow that comes and goes is
/// told to all clients, and must not be all that they are told.
const BURST: u32 = 8;
const EACH: Duration = Duration::from_millis(100);
/// Before another connection is taken when none could be: too many files are open.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// Who is told of the flows. It is called where they are read, so it must not wait.
pub trait FlowObserver: Send + Sync + 'static {
    /// A flow is connected that was not, or no longer: ask which.
    fn connection_changed(&self, id: &str);
    /// A flow tells something. It is acknowledged when this returns.
    fn flow_event(&self, id: &str, event: &FlowEvent);
}

/// The times of the protocol, and its rate.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct FlowTimes {
    pub hello: Duration,
    pub ping: Duration,
    pub idle: Duration,
    pub lines_a_second: u32,
}

impl Default for FlowTimes {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            ping: Duration::from_secs(20),
            idle: Duration::from_secs(45),
            lines_a_second: 10_000,
        }
    }
}

/// Listens for the flows of all containers, and talks to them.
#[derive(Clone)]
pub struct SocketCommunicationHandler {
    shared: Arc<Shared>,
}

impl fmt::Debug for SocketCommunicationHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketCommunicationHandler")
            .finish_non_exhaustive()
    }
}

pub(super) struct Shared {
    pub(super) observer: Arc<dyn FlowObserver>,
    pub(super) times: FlowTimes,
    channels: Mutex<HashMap<String, (Arc<Channel>, AbortHandle)>>,
    messages: AtomicU64,
}

/// A message on its way.
#[derive(Debug)]
#[must_use = "whether it was written is known at its end"]
pub struct SendingMessage {
    id: String,
    link: Arc<Link>,
    written: oneshot::Receiver<()>,
    reply: Option<oneshot::Receiver<Reply>>,
}

/// A message that was written, with the reply if one was asked for.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SentMessage {
    pub message_id: String,
    pub reply: Option<Reply>,
}

impl SocketCommunicationHandler {
    /// No container is known yet.
    pub fn new(observer: Arc<dyn FlowObserver>, times: FlowTimes) -> Self {
        let shared = Shared {
            observer,
            times,
            channels: Mutex::default(),
            messages: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Listens for the flow of a container in its folder, from now until
    /// [`SocketCommunicationHandler::cleanup_socket`].
    ///
    /// # Errors
    ///
    /// [`ErrorCode::SocketUnavailable`].
    pub async fn setup_socket(&self, id: &str, folder: &FlowFolder) -> Result<(), Failure> {
        let (owned, path) = (id.to_owned(), folder.clone());
        let listening = tokio::task::spawn_blocking(move || {
            let listener = path.listen(&owned)?;
            path.link(&owned).map(|()| listener)
        });
        let unavailable = |why| {
            Failure::new(
                ErrorCode::SocketUnavailable,
                format!("No socket for {id}: {why}"),
            )
        };
        let listener = match listening.await {
            Ok(Ok(listener)) => listener,
            Ok(Err(error)) => {
                return Err(unavailable("its folder cannot be written").because(error));
            }
            Err(error) => return Err(unavailable("it was given up").because(error)),
        };
        let channel = Arc::new(Channel::new(id));
        let task = tokio::spawn(accept(self.shared.clone(), channel.clone(), listener));
        let before = self
            .shared
            .lock()
            .insert(id.to_owned(), (channel, task.abort_handle()));
        if let Some((_, task)) = before {
            task.abort();
        }
        Ok(())
    }

    /// Ends what [`SocketCommunicationHandler::setup_socket`] began, and removes the socket.
    /// What waits for the flow is answered.
    pub async fn cleanup_socket(&self, id: &str, folder: &FlowFolder) {
        if let Some((_, task)) = self.shared.lock().remove(id) {
            task.abort();
        }
        let (owned, folder) = (id.to_owned(), folder.clone());
        let removing = tokio::task::spawn_blocking(move || folder.unlink(&owned));
        if let Ok(Err(error)) = removing.await {
            warn!(
                container = id,
                error = diagnostics::chain(&error),
                "socket not removed"
            );
        }
    }

    /// Whether it is listened for the flow of a container.
    #[must_use]
    pub fn has_socket(&self, id: &str) -> bool {
        self.shared.channel(id).is_some()
    }

    /// Whether the flow of a container is connected.
    #[must_use]
    pub fn is_socket_connected(&self, id: &str) -> bool {
        let channel = self.shared.channel(id);
        channel.is_some_and(|channel| channel.current().is_some())
    }

    /// Since when the flow of a container is connected as it is now.
    #[must_use]
    pub fn connected_since(&self, id: &str) -> Option<Instant> {
        self.shared.channel(id)?.since()
    }

    /// When something last came from the flow or went to it.
    #[must_use]
    pub fn last_communication(&self, id: &str) -> Option<Moment> {
        self.shared.channel(id)?.last()
    }

    /// How many flows are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        let channels = self.shared.lock();
        let connected = channels
            .values()
            .filter(|(channel, _)| channel.current().is_some());
        connected.count()
    }

    /// Puts a message into the flow's queue. Messages are written in the order of these calls.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FlowNotConnected`], [`ErrorCode::FlowBusy`], and
    /// [`ErrorCode::MessageTooLarge`].
    pub fn begin_message(
        &self,
        id: &str,
        message: &Message,
        await_reply: bool,
    ) -> Result<SendingMessage, Failure> {
        let channel = self.shared.channel(id);
        let link = channel.as_ref().and_then(|channel| channel.current());
        let (Some(channel), Some(link)) = (channel, link) else {
            let message = "No flow is connected in the container";
            return Err(Failure::new(ErrorCode::FlowNotConnected, message));
        };
        let number = self.shared.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let message_id = format!("m{number}");
        let line = message_line(&message_id, message, await_reply)?;
        let (written, told) = oneshot::channel();
        let (reply, replied) = await_reply.then(oneshot::channel).unzip();
        if link.push(&message_id, line, written, reply).is_err() {
            let message = "Too much waits for the flow: it does not read, or does not reply";
            return Err(Failure::new(ErrorCode::FlowBusy, message));
        }
        channel.touch();
        Ok(SendingMessage {
            id: message_id,
            link,
            written: told,
            reply: replied,
        })
    }

    /// Sends a message and waits until it is written.
    ///
    /// # Errors
    ///
    /// As [`SocketCommunicationHandler::begin_message`] and [`SendingMessage::finish`].
    pub async fn send_message(&self, id: &str, message: &Message) -> Result<SentMessage, Failure> {
        let sending = self.begin_message(id, message, false)?;
        sending.finish(Duration::from_secs(30)).await
    }

    /// Waits for the next thing that the flow tells by itself; 30 s is what the original waits.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FlowTimeout`], [`ErrorCode::FlowNotConnected`] for a container without a
    /// socket, and [`ErrorCode::FlowBusy`] if too many wait.
    pub async fn receive_message(
        &self,
        id: &str,
        patience: Duration,
    ) -> Result<FlowEvent, Failure> {
        let Some(channel) = self.shared.channel(id) else {
            return Err(Failure::new(
                ErrorCode::FlowNotConnected,
                "The container has no socket",
            ));
        };
        let Some(receiver) = channel.wait() else {
            return Err(Failure::new(
                ErrorCode::FlowBusy,
                "Too many wait for the flow",
            ));
        };
        match timeout(patience, receiver).await {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(_)) => Err(disconnected()),
            Err(_) => Err(Failure::new(
                ErrorCode::FlowTimeout,
                "Nothing came from the flow in time",
            )),
        }
    }

    /// Ends all connections. The sockets stay: flows try them until flow-manager is back.
    pub fn shut_down(&self) {
        for (_, (_, task)) in self.shared.lock().drain() {
            task.abort();
        }
    }
}

impl SendingMessage {
    /// Waits until it is written, and for the reply if one was asked for.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::FlowDisconnected`]: it may have been written or not, and is not sent
    /// again; [`ErrorCode::FlowTimeout`]: a reply that comes later is dropped.
    pub async fn finish(self, patience: Duration) -> Result<SentMessage, Failure> {
        let Self {
            id,
            link,
            written,
            reply,
        } = self;
        let outcome = timeout(patience, async {
            written.await.map_err(|_| disconnected())?;
            match reply {
                Some(reply) => reply.await.map(Some).map_err(|_| disconnected()),
                None => Ok(None),
            }
        });
        match outcome.await {
            Ok(reply) => Ok(SentMessage {
                message_id: id,
                reply: reply?,
            }),
            Err(_) => {
                link.forget(&id);
                Err(Failure::new(
                    ErrorCode::FlowTimeout,
                    "The flow did not answer in time",
                ))
            }
        }
    }
}

fn disconnected() -> Failure {
    let message = "The connection to the flow was lost";
    Failure::new(ErrorCode::FlowDisconnected, message)
}

fn message_line(id: &str, message: &Message, reply: bool) -> Result<Bytes, Failure> {
    let too_large = |message| Err(Failure::new(ErrorCode::MessageTooLarge, message));
    if crate::json::depth(message.data.get().as_bytes()) >= crate::json::DEPTH_MAX {
        return too_large("The message nests deeper than 64 levels");
    }
    let (command, data) = (&*message.command, &*message.data);
    let line = ToFlow::Message {
        id,
        command,
        data,
        reply,
    }
    .line();
    match line.len() {
        length if length > super::LINE_MAX => too_large("The message is longer than 1 MiB"),
        _ => Ok(line),
    }
}

impl Shared {
    fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        self.lock().get(id).map(|(channel, _)| channel.clone())
    }

    pub(super) fn refused(&self, channel: &Channel, close: &Close) {
        let (code, problem) = (close.code.as_str(), &*close.message);
        debug!(container = channel.id(), code, problem, "flow closed");
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Arc<Channel>, AbortHandle)>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections, and owns them: they end with this.
async fn accept(shared: Arc<Shared>, channel: Arc<Channel>, listener: UnixListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    // When there would be room for a whole burst.
    let mut rested = Instant::now();
    loop {
        sleep_until(rested.checked_sub(EACH * (BURST - 1)).unwrap_or(rested)).await;
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                rested = rested.max(Instant::now()) + EACH;
                let serving = serve(shared.clone(), channel.clone(), stream);
                connections.spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_DELAY).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests;
