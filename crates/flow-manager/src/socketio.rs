//! Requests of clients over Socket.IO, and what they are told.

use std::fmt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::auth::{RateLimit, Role, Tokens};
use crate::clients::{Client, Packet, Requests};
use crate::containers::ContainerManager;
use crate::failure::{ErrorBody, ErrorCode, Failure};
use crate::flow::SocketCommunicationHandler;
use crate::hub::Hub;
use crate::json::raw;
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::system_log::SystemLogger;
use crate::time::Moment;

mod answers;
mod handlers;
mod incoming;
mod logs;
mod request;

pub use answers::Answer;
use incoming::{Incoming, SocketTransport};
use logs::LogFollowers;
use request::{Arguments, Envelope};

/// Most clients; each costs a connection, and a queue if it is slow.
const CLIENTS_MAX: usize = 4096;
/// Most bytes of a packet: a message of 1 MiB, with its escapes.
const PACKET_MAX: usize = 2 * 1024 * 1024;
/// Packets in the library's own queue, beside ours; their bytes are counted by the session. An answer to a client
/// that polls has so many, a burst and a ping at most: 16 is what python-engineio takes.
const LIBRARY_QUEUE: usize = 10;
/// How long a client may take from its connection to its token.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Where a client comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer {
    /// Its address; none on a Unix socket.
    pub address: Option<IpAddr>,
    /// Only our own user can connect here, so no token is needed.
    pub is_owner: bool,
    /// The number of its session; 0 for what is not of one.
    pub(crate) session: u64,
}

/// Answers the requests of clients.
#[derive(Clone)]
pub struct SocketIoEventHandler {
    inner: Arc<Inner>,
}

/// A client among those who are told. It ends with the library's connection, which is told of
/// no end if the answer to CONNECT could not be sent.
struct Membership {
    handler: SocketIoEventHandler,
    client: Arc<Client>,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.handler.left(&self.client);
    }
}

struct Inner {
    containers: ContainerManager,
    sockets: SocketCommunicationHandler,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    tokens: RwLock<Tokens>,
    wrong_tokens: RateLimit,
    requests: Requests,
    sessions: Arc<Sessions>,
    followers: LogFollowers,
    /// How many clients were let in.
    admitted: AtomicU64,
}

/// What a request comes to: the event, which is the acknowledgement too.
pub type Outcome = Result<Answer, Failure>;
/// An answer to come.
pub type Answering = BoxFuture<'static, Outcome>;

impl fmt::Debug for SocketIoEventHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoEventHandler")
            .finish_non_exhaustive()
    }
}

impl SocketIoEventHandler {
    /// Nobody is connected yet.
    pub fn new(
        containers: ContainerManager,
        sockets: SocketCommunicationHandler,
        hub: Arc<Hub>,
        metrics: Arc<Metrics>,
        tokens: Tokens,
    ) -> Self {
        let inner = Inner {
            followers: LogFollowers::new(containers.clone(), hub.clone()),
            containers,
            sockets,
            hub,
            metrics,
            tokens: RwLock::new(tokens),
            wrong_tokens: RateLimit::default(),
            requests: Requests::default(),
            sessions: Arc::default(),
            admitted: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Takes other tokens, and disconnects who came in with one that is none of them; how many
    /// those are. Clients with a token of the same role and name are not told apart.
    pub fn set_tokens(&self, tokens: Tokens) -> usize {
        let withdrawn = {
            let mut known = self
                .inner
                .tokens
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let withdrawn = known.withdrawn_by(&tokens);
            *known = tokens;
            withdrawn
        };
        self.inner.hub.disconnect(&withdrawn)
    }

    /// The layer that speaks Socket.IO, with the namespace `/`.
    #[must_use]
    pub fn layer(&self) -> (SocketIoLayer, SocketIo) {
        let (layer, io) = SocketIo::builder()
            .max_payload(PACKET_MAX as u64)
            .ws_max_message_size(PACKET_MAX)
            .ws_max_frame_size(PACKET_MAX)
            .max_buffer_size(LIBRARY_QUEUE)
            .connect_timeout(CONNECT_WITHIN)
            .build_layer();
        let (admits, greets) = (self.clone(), self.clone());
        // Handlers are registered before CONNECT is answered: a client may ask at once.
        let admit = async move |socket: SocketRef, auth: TryData<Auth>| admits.admit(&socket, auth);
        let greet = async move |transport: SocketTransport| greets.greet(transport).await;
        io.ns("/", greet.with(admit));
        (layer, io)
    }

    /// Lets a client in, or says with a code why not.
    fn admit(&self, socket: &SocketRef, TryData(auth): TryData<Auth>) -> Result<(), ErrorCode> {
        let peer = socket
            .req_parts()
            .extensions
            .get::<Peer>()
            .copied()
            .unwrap_or_default();
        let token = auth.ok().and_then(|auth| auth.token);
        let admitted = self.check_token(peer, token.as_deref(), Instant::now());
        let (role, name) = admitted.inspect_err(|code| {
            self.inner.metrics.refused_client();
            debug!(code = code.as_str(), address = ?peer.address, "client refused");
        })?;
        let number = self.inner.admitted.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client::new(number, name, role));
        // Before CONNECT is answered: what is told from then on reaches the client.
        if !self.inner.hub.join(client.clone(), CLIENTS_MAX) {
            return Err(ErrorCode::TooManyClients);
        }
        let membership = Membership {
            handler: self.clone(),
            client: client.clone(),
        };
        socket.extensions.insert(Arc::new(membership));
        let (handler, asks) = (self.clone(), client.clone());
        // All names come to one place, so that what is not known is answered, too. This
        // closure runs where the packet is read: the order of packets is the order of calls.
        socket.on_fallback(move |incoming: Incoming| handler.received(asks, incoming));
        let handler = self.clone();
        socket.on_disconnect(async move |_: SocketRef| handler.left(&client));
        Ok(())
    }

    /// The sessions in which nobody has said who it is.
    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.inner.sessions
    }

    /// A session was refused: too many are open.
    pub(crate) fn refused_session(&self) {
        self.inner.metrics.refused_client();
    }

    /// The role and the name of who gives a token, who is no stranger from then on.
    fn check_token(
        &self,
        peer: Peer,
        token: Option<&str>,
        now: Instant,
    ) -> Result<(Role, String), ErrorCode> {
        let known = self.find_token(peer, token, now)?;
        self.inner.sessions.knows(peer.session);
        Ok(known)
    }

    fn find_token(
        &self,
        peer: Peer,
        token: Option<&str>,
        now: Instant,
    ) -> Result<(Role, String), ErrorCode> {
        let inner = &self.inner;
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return match peer.is_owner {
                true => Ok((Role::Admin, "owner".to_owned())),
                false => Err(ErrorCode::MissingToken),
            };
        };
        let tokens = inner
            .tokens
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match tokens.find(token) {
            // Also from an address that gave wrong ones: it may be that of others, too, who
            // must not be able to lock anybody out.
            Some((role, name)) => Ok((role, name.to_owned())),
            None if !inner.wrong_tokens.allows(peer.address, now) => Err(ErrorCode::RateLimited),
            None => {
                inner.wrong_tokens.count(peer.address, now);
                Err(ErrorCode::InvalidToken)
            }
        }
    }

    /// Sends to a client what there is to send, until it is gone.
    async fn greet(&self, transport: SocketTransport) {
        let socket = transport.socket();
        let Some(membership) = socket.extensions.get::<Arc<Membership>>() else {
            return;
        };
        let client = &membership.client;
        info!(
            client = client.number,
            name = client.name,
            role = client.role.as_str(),
            "client connected"
        );
        client.forward(&transport).await;
        // It may be ended from this side, before the library tells of its end.
        self.left(client);
    }

    fn left(&self, client: &Client) {
        self.inner.followers.left(client.number);
        if client.close() {
            debug!(client = client.number, "client left");
        }
    }

    /// Begins what a client asks for, and answers it when it is done. What takes a place in an
    /// order takes it here, and not when the future is polled.
    fn received(&self, client: Arc<Client>, incoming: Incoming) -> BoxFuture<'static, ()> {
        let Incoming { packet, ack } = incoming;
        let parsed = packet.as_deref().map(serde_json::from_str::<Arguments<'_>>);
        let (event, body, is_one) = match &parsed {
            Some(Ok(arguments)) => {
                let body = arguments.body.map_or("{}", RawValue::get);
                (&*arguments.event, body, arguments.more == 0)
            }
            _ => ("", "", false),
        };
        SystemLogger.log_socket_event(event, client.number, body);
        let envelope = Envelope::of(body);
        let refuse = |code, message: &str| -> Answering {
            std::future::ready(Err(Failure::new(code, message))).boxed()
        };
        let under_way = self.inner.requests.begin(&client);
        let answering = if client.is_over() {
            // It is about to be disconnected: nothing of its is begun any more.
            refuse(ErrorCode::Forbidden, "The client is being disconnected")
        } else if under_way.is_none() {
            refuse(
                ErrorCode::TooManyRequests,
                "Too many requests are under way",
            )
        } else if !is_one {
            refuse(
                ErrorCode::InvalidRequest,
                "A request is one object, without binary data",
            )
        } else if envelope.is_bad {
            refuse(
                ErrorCode::InvalidRequest,
                "request_id is a text of 64 bytes at most",
            )
        } else {
            let begun =
                std::panic::catch_unwind(AssertUnwindSafe(|| self.handle(&client, event, body)));
            begun.unwrap_or_else(|_| std::future::ready(Err(broken())).boxed())
        };
        let (handler, operation) = (self.clone(), diagnostics::redacted_prefix(event));
        async move {
            let outcome = AssertUnwindSafe(answering).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err(broken()));
            handler.answer(&client, &operation, &envelope, ack, outcome);
            drop(under_way);
        }
        .boxed()
    }

    /// Tells a client what came of its request: by an event, and by the acknowledgement if it
    /// wants one. Both are the same object.
    fn answer(
        &self,
        client: &Client,
        operation: &str,
        envelope: &Envelope,
        ack: Option<i64>,
        outcome: Outcome,
    ) {
        let request_id = envelope.request_id.as_deref();
        self.inner
            .metrics
            .request(outcome.as_ref().err().map(|failure| failure.code));
        let (event, data) = match outcome {
            Ok(answer) => answer.told(request_id),
            Err(failure) => {
                if failure.code.is_fault() {
                    SystemLogger.log_error(&failure, operation);
                }
                let container = envelope.container_id.as_deref();
                (
                    "error",
                    raw(&ErrorBody::new(
                        &failure,
                        operation,
                        request_id,
                        container,
                        Moment::now(),
                    )),
                )
            }
        };
        let data: Arc<RawValue> = data.into();
        client.push(Packet::Event(event, data.clone()));
        if let Some(ack) = ack {
            client.push(Packet::Ack(ack, data));
        }
    }

    /// Disconnects everybody, for the end.
    pub fn shut_down(&self) {
        self.inner.followers.stop_all();
        self.inner.hub.disconnect_all();
    }
}

/// What a client says of itself.
#[derive(serde::Deserialize)]
struct Auth {
    #[serde(default)]
    token: Option<String>,
}

fn broken() -> Failure {
    Failure::new(
        ErrorCode::Internal,
        "Something in flow-manager broke; its log says what",
    )
}
