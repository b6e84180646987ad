//! Between the library and us: a packet as text, and packets that go out.

use std::convert::Infallible;
use std::sync::Arc;

use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::AckSender;
use socketioxide::handler::{FromConnectParts, FromMessage, FromMessageParts, Value};
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError, TransportType};

use crate::clients::{Packet, Sent, Transport};
use crate::sessions::{Passage, Session};

/// A packet as it came.
#[derive(Debug)]
pub(super) struct Incoming {
    /// `["event",{…}]`; none for one with binary attachments.
    pub(super) packet: Option<String>,
    /// What the acknowledgement is for, if one is wanted.
    pub(super) ack: Option<i64>,
}

impl<A: Adapter> FromMessage<A> for Incoming {
    type Error = Infallible;

    /// Nothing is refused here: what the library refuses it answers with silence.
    fn from_message(_: Arc<Socket<A>>, value: Value, ack: Option<i64>) -> Result<Self, Infallible> {
        let packet = match value {
            Value::Str(text, None) => Some(text.as_str().to_owned()),
            _ => None,
        };
        Ok(Self { packet, ack })
    }
}

/// A client's socket.
#[derive(Clone)]
pub(super) struct SocketTransport {
    socket: Arc<Socket>,
    passage: Arc<Passage>,
}

impl FromConnectParts<LocalAdapter> for SocketTransport {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<Socket>, _: &Option<Value>) -> Result<Self, Infallible> {
        let session = socket.req_parts().extensions.get::<Arc<Session>>();
        Ok(Self {
            passage: session
                .map(|session| session.passage.clone())
                .unwrap_or_default(),
            socket: socket.clone(),
        })
    }
}

impl SocketTransport {
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// An acknowledgement is sent by what is consumed by it, also in vain, so it is made anew
    /// for each attempt.
    fn acknowledgement(&self, id: i64) -> AckSender {
        let mut nothing = Value::Str("[]".into(), None);
        match AckSender::from_message_parts(&self.socket, &mut nothing, &Some(id)) {
            Ok(sender) => sender,
            Err(never) => match never {},
        }
    }
}

impl Transport for SocketTransport {
    fn send(&self, packet: &Packet) -> Sent {
        if !self.socket.connected() {
            return Sent::Closed;
        }
        let (Packet::Event(_, data) | Packet::Ack(_, data)) = packet;
        let bytes = data.get().len();
        if !self.passage.take(bytes) {
            return Sent::Full;
        }
        let sent = match packet {
            Packet::Event(event, data) => self.socket.emit(event, &**data),
            Packet::Ack(id, data) => self.acknowledgement(*id).send(&**data),
        };
        match sent {
            Ok(()) => Sent::Taken,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                self.passage.give_back(bytes);
                Sent::Full
            }
            Err(_) => Sent::Closed,
        }
    }

    fn is_polling(&self) -> bool {
        self.socket.transport_type() == TransportType::Polling
    }

    fn end(&self) -> Sent {
        match self.socket.clone().disconnect() {
            Ok(()) => Sent::Taken,
            Err(SocketError::InternalChannelFull) => Sent::Full,
            Err(_) => Sent::Closed,
        }
    }
}
