//! The socket between flow-manager and the program in a container, protocol version 1: a line of
//! JSON for each frame. flow-manager listens, the flow connects.

mod channel;
mod connection;
mod folder;
pub mod frame;
mod handler;
mod line;
mod link;
mod session;

pub use folder::{FlowFolder, FolderError, SOCKET_IN_CONTAINER, SOCKET_MOUNT};
pub use frame::{FlowError, FlowEvent, Message, Reply};
pub use handler::{FlowObserver, FlowTimes, SendingMessage, SocketCommunicationHandler};
pub use line::{LINE_MAX, LineError, LineReader};
