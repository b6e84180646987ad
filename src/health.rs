//! The health of the running process: what is known of it, the server that tells it
//! and the question of `healthcheck`.
//!
//! Both ends speak HTTP, on a port or on a local socket. On Linux that socket is an
//! abstract one, which needs neither port nor file system and no rights. Abstract names
//! belong to a network namespace, which the containers of a pod share and which host
//! networking shares with the whole machine, so the name is that of the mount namespace:
//! each container has its own, and whatever is started in the container finds it out too.
//! Anybody in the network namespace may ask, so nothing that is told is a secret. Anybody
//! may also take the name first, so what is told counts only if the asker's own user tells
//! it, or root (SO_PEERCRED); root believes whoever has the name.

mod answer;
mod ask;
mod brief;
mod endpoint;
mod report;
mod server;
mod status;

pub use ask::{AskError, ask};
pub use brief::brief;
pub use endpoint::{HealthEndpoint, Owner, PlaceError};
pub use report::{Condition, Report};
pub use server::Server;
pub use status::Status;
