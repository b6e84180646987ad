//! Manages containers ("flows") over Socket.IO, and talks to each through a Unix socket.
//!
//! Each part can be used alone: [`containers`] makes and watches the containers, [`flow`] is
//! the socket of the programs in them.

pub mod activity;
pub mod auth;
pub mod cli;
pub mod clients;
pub mod config;
pub mod containers;
pub mod failure;
pub mod flow;
pub mod hub;
pub mod json;
pub mod metrics;
pub mod model;
pub mod policy;
mod rooms;
pub mod server;
mod sessions;
pub mod socketio;
pub mod system_log;
pub mod time;
