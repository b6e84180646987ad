//! Manages containers ("flows") over Socket.IO, and talks to each through a Unix socket.
//!
//! [`flow`] is the socket of the flows and can be used alone.

pub mod failure;
pub mod flow;
pub mod json;
pub mod model;
pub mod time;
