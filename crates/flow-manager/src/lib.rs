//! Manages containers ("flows") over Socket.IO, and talks to each through a Unix socket.
//!
//! Each part can be used alone: [`containers`] makes and watches the containers, [`flow`] is
//! the socket of the programs in them.

pub mod containers;
pub mod failure;
pub mod flow;
pub mod json;
pub mod model;
pub mod policy;
pub mod time;
