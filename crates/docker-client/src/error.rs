//! What can go wrong, one variant for each failure that callers tell apart.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Any failure of this crate. `Display` names the object and what to do, and never prints the
/// source: walk [`Error::source`] for the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DockerClientError {
    /// No container has this name, id or unique prefix of an id.
    #[error("no container {name:?}: `docker ps -a` lists those that exist")]
    ContainerNotFound {
        /// As the caller gave it.
        name: String,
    },
    /// The engine could not start the command: there is no such program, it may not be
    /// executed, or the working directory or user does not exist. A program that ran and ended with 126 or
    /// 127 is no error but an `ExecResult`.
    #[error("run {command:?} in container {name:?}: exit code {exit_code}: {}", .output.trim_end())]
    ContainerCommand {
        /// The container, as the caller gave it.
        name: String,
        /// The program and its arguments.
        command: Vec<String>,
        /// 126 (may not be executed) or 127 (not found), as a shell has them.
        exit_code: i64,
        /// What the engine said.
        output: String,
    },
    /// No image has this name or id on the engine, or the registry does not show it to us.
    #[error("no image {image:?}: pull it first, or check the name and the registry's credentials")]
    ImageNotFound {
        /// As the caller gave it.
        image: String,
    },
    /// No network has this name or id.
    #[error("no network {network:?}: `docker network ls` lists those that exist")]
    NetworkNotFound {
        /// As the caller gave it.
        network: String,
    },
    /// No volume has this name.
    #[error("no volume {volume:?}: `docker volume ls` lists those that exist")]
    VolumeNotFound {
        /// As the caller gave it.
        volume: String,
    },
    /// A path inside a container does not exist.
    #[error("no file {path:?} in container {name:?}")]
    PathNotFound {
        /// The container, as the caller gave it.
        name: String,
        /// The path inside it.
        path: String,
    },
    /// A name that breaks Docker's grammar. Nothing was sent.
    #[error("bad {kind} name {name:?}: {reason}")]
    InvalidName {
        /// What the name is of.
        kind: NameKind,
        /// As the caller gave it.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// An argument that cannot be sent. Nothing was sent.
    #[error("bad {argument}: {reason}")]
    InvalidArgument {
        /// Which argument.
        argument: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The object's state, or another with the same name, forbids it.
    #[error("{operation}: conflict: {message}")]
    Conflict {
        /// What was tried, with its object.
        operation: String,
        /// The engine's words.
        message: String,
    },
    /// The operation needs a running container.
    #[error("container {name:?} is not running: start it first")]
    NotRunning {
        /// As the caller gave it.
        name: String,
    },
    /// The engine cannot be reached or went away in the middle.
    #[error(
        "{operation}: no answer from the Docker engine at {address}: is it running, and is DOCKER_HOST right?"
    )]
    EngineUnavailable {
        /// What was tried, with its object.
        operation: String,
        /// Where the engine should be.
        address: String,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// The socket may not be opened by this user.
    #[error("permission denied on {address}: {}", join_group(.group.as_deref()))]
    PermissionDenied {
        /// The socket.
        address: String,
        /// The group that may open it, if the socket tells.
        group: Option<String>,
        /// The kernel's answer.
        #[source]
        source: Cause,
    },
    /// Engine and client have no API version in common.
    #[error(
        "the engine at {address} speaks API {engine}, this client {client}: upgrade the {older}"
    )]
    ApiVersion {
        /// Where the engine is.
        address: String,
        /// The versions that the engine speaks, as `1.12 to 1.41`.
        engine: String,
        /// The versions that this client speaks.
        client: String,
        /// `engine` or `client`: which of them is too old.
        older: &'static str,
    },
    /// The address is no address of an engine.
    #[error("bad engine address {address:?}: {reason}")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer in time.
    #[error("{operation}: no answer within {}", seconds(.after))]
    Timeout {
        /// What was tried, with its object.
        operation: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The command did not end in time.
    #[error("run {command:?} in container {name:?}: not ended within {}, {}", seconds(.after), killed_or_not(*.killed, *.pid))]
    ExecTimeout {
        /// The container, as the caller gave it.
        name: String,
        /// The program and its arguments.
        command: Vec<String>,
        /// The time-out.
        after: Duration,
        /// Whether the command is known to be gone. `false` where the container has no shell or
        /// the command changed its user.
        killed: bool,
        /// The command's process id on the engine's host, 0 if it never started.
        pid: i64,
    },
    /// The container's logging driver keeps nothing that can be read.
    #[error(
        "container {name:?} has the logging driver {driver:?}, whose logs cannot be read: create it with json-file or local"
    )]
    LogsUnavailable {
        /// As the caller gave it.
        name: String,
        /// The logging driver.
        driver: String,
    },
    /// More came than the caller's limit allows.
    #[error("{what}: more than {limit} bytes")]
    TooLarge {
        /// What was read.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The answer is not what the API promises.
    #[error("{operation}: the engine's answer cannot be understood")]
    Decode {
        /// What was tried, with its object.
        operation: String,
        /// What is wrong with the answer.
        #[source]
        source: Cause,
    },
    /// Any other refusal of the engine.
    #[error("{operation}: the engine answered {status}: {message}")]
    Engine {
        /// What was tried, with its object.
        operation: String,
        /// The HTTP status; 200 for a failure that was told in the middle of an answer.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// An archive's entry that would leave the target, or is of a kind that is not taken.
    #[error("archive entry {entry:?}: {reason}")]
    ArchiveEntry {
        /// The entry's path.
        entry: String,
        /// Why it was refused.
        reason: &'static str,
    },
    /// A local file cannot be read or written.
    #[error("{operation} {}", .path.display())]
    LocalFile {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The registry's credentials cannot be had.
    #[error("credentials for registry {registry:?}: {reason}")]
    Credentials {
        /// The registry's host.
        registry: String,
        /// What is wrong; never contains a secret.
        reason: String,
    },
}

/// The cause of a failure.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameKind {
    /// A container's name or id.
    Container,
    /// An image's reference or id.
    Image,
    /// A network's name or id.
    Network,
    /// A volume's name.
    Volume,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::Volume => "volume",
        })
    }
}

impl DockerClientError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::EngineUnavailable { .. } | Self::Timeout { .. } => true,
            Self::Engine { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

fn join_group(group: Option<&str>) -> String {
    match group {
        Some(group) => {
            format!("join the group {group} (`usermod -aG {group} USER`, then log in anew)")
        }
        None => "run as a user who may open it".to_owned(),
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn killed_or_not(killed: bool, pid: i64) -> String {
    match killed {
        true => "killed".to_owned(),
        false => format!("still running with pid {pid} on the engine's host"),
    }
}
