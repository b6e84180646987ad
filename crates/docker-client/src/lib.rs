//! A typed client of the Docker Engine API.
//!
//! `bollard` has the API's models and ordinary calls; this crate adds what its users keep
//! writing themselves: errors that name the object and say what to do, exit codes that are
//! always there, logs that are followed without gaps, hangs or repeats, names that are checked
//! before they go into a path.
//!
//! ```no_run
//! # async fn example() -> Result<(), docker_client::DockerClientError> {
//! let docker = docker_client::get_docker_client().await?;
//! if docker.container_is_running("web").await? {
//!     let date = docker.exec_command("web", docker_client::Exec::new(["date"])).await?;
//!     println!("{}: {}", date.exit_code, date.stdout_text());
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod archive;
mod client;
mod container;
mod create;
mod engine;
mod error;
mod events;
mod exec;
mod image;
mod info;
mod lifecycle;
mod list;
mod logs;
mod name;
mod network;
mod outage;
mod stats;
#[cfg(test)]
mod testing;
mod timestamp;
mod transport;
mod version;
mod volume;
mod wait;

/// The models of the API, for what this crate has no types of its own for.
pub use bollard::models;

pub use archive::{ArchiveLimits, ArchiveStream};
pub use client::{DockerApiClient, get_docker_client};
pub use container::Container;
pub use create::{CreateContainer, PortPublish};
pub use error::{Cause, DockerClientError, NameKind};
pub use events::{Event, EventItem, EventKind, EventOptions, EventStream};
pub use exec::{Exec, ExecItem, ExecResult, ExecStream};
pub use image::{BuildOptions, ImageProgress, ImageSummary, ProgressStream};
pub use info::{ContainerInfo, ContainerState, Health, MountInfo, NetworkInfo, PortInfo};
pub use list::{ContainerSummary, ListOptions};
pub use logs::{
    ContainerLogs, LogCursor, LogGap, LogItem, LogLine, LogOptions, LogPosition, LogStream,
    ParseCursorError, Source,
};
pub use network::{NetworkDetails, NetworkSummary};
pub use stats::{ContainerStats, StatsStream};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use version::EngineVersion;
pub use volume::VolumeInfo;
pub use wait::ContainerExit;
