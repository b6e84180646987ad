//! What may be asked of the engine: images, mounts, code, and how each container is fenced in.

use std::net::IpAddr;
use std::path::PathBuf;

use docker_client::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use docker_client::{CreateContainer, PortPublish};

use crate::failure::{ErrorCode, Failure};
use crate::flow::{SOCKET_IN_CONTAINER, SOCKET_MOUNT};
use crate::model::ContainerConfig;

mod path;
mod pattern;

pub use path::{PathError, open_below, resolve_below};
pub use pattern::{ImagePattern, PatternError};

/// The variable that tells a flow where its socket is.
pub const FLOW_SOCKET: &str = "FLOW_SOCKET";
/// Says whose a container is.
pub const INSTANCE_LABEL: &str = "io.flow-manager.instance";
/// Says which folder is the container's.
pub const FOLDER_LABEL: &str = "io.flow-manager.folder";
/// An image says with it where its code is.
pub const CODE_DIR_LABEL: &str = "io.flow-manager.code-dir";

/// Most variables, volumes, ports and words of a command: more is a mistake.
const ENTRIES_MAX: usize = 256;
/// Most bytes of one value. The kernel takes 128 KiB as an argument or variable.
const VALUE_MAX: usize = 128 * 1024 - 1;

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Pull {
    #[default]
    Missing,
    Always,
    Never,
}

/// What clients may ask for, and what each container gets.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Policy {
    pub images: Vec<ImagePattern>,
    pub mount_roots: Vec<PathBuf>,
    pub code_roots: Vec<PathBuf>,
    /// What no mount may hold or be in: the engine's socket, our state.
    pub forbidden: Vec<PathBuf>,
    pub publish_addr: IpAddr,
    pub network: Option<String>,
    pub memory: u64,
    pub pids: u32,
    pub security_opt: Vec<String>,
    pub pull: Pull,
}

/// Whose a container is and where its socket will be.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Placement {
    pub instance: String,
    pub folder: String,
    /// Mounted at [`SOCKET_MOUNT`].
    pub mounted: PathBuf,
}

impl Policy {
    /// Checks what can be checked without the disk.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidValue`] and [`ErrorCode::ImageNotAllowed`].
    pub fn check(&self, config: &ContainerConfig) -> Result<(), Failure> {
        let invalid = |message: String| Err(Failure::new(ErrorCode::InvalidValue, message));
        if !self
            .images
            .iter()
            .any(|pattern| pattern.matches(&config.image))
        {
            let image = diagnostics::redacted_prefix(&config.image);
            let message = format!("The image {image} is not allowed");
            return Err(Failure::new(ErrorCode::ImageNotAllowed, message));
        }
        if let Some(name) = &config.name
            && !is_name(name)
        {
            return invalid(
                "name: 2 to 128 letters, digits, `_`, `.` and `-`, a letter or digit first"
                    .to_owned(),
            );
        }
        for (name, value) in &config.environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return invalid(
                    "environment: a name is empty or holds `=` or a zero byte".to_owned(),
                );
            }
            if name == FLOW_SOCKET {
                return invalid(format!("environment: {FLOW_SOCKET} is set by flow-manager"));
            }
        }
        let command = config.command.iter().flatten();
        if command.clone().any(|word| word.contains('\0')) {
            return invalid("command: a word holds a zero byte".to_owned());
        }
        if config.command.as_ref().is_some_and(Vec::is_empty) {
            return invalid("command: it is empty; leave it out for the image's own".to_owned());
        }
        let counts = [
            config.environment.len(),
            config.volumes.len(),
            config.ports.len(),
            command.clone().count(),
        ];
        if counts.into_iter().any(|count| count > ENTRIES_MAX) {
            return invalid(format!(
                "more than {ENTRIES_MAX} variables, volumes, ports or words"
            ));
        }
        let values = config
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.len());
        if values
            .chain(command.map(String::len))
            .any(|length| length > VALUE_MAX)
        {
            return invalid(format!("a value has more than {VALUE_MAX} bytes"));
        }
        if config
            .working_dir
            .as_ref()
            .is_some_and(|dir| !is_inside_path(dir))
        {
            return invalid("working_dir: write an absolute path without `..`".to_owned());
        }
        Ok(())
    }

    /// The mounts of a container, each found on the disk as it is now.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::MountNotAllowed`] and [`ErrorCode::InvalidValue`].
    pub fn mounts(&self, config: &ContainerConfig) -> Result<Vec<Mount>, Failure> {
        let mounts = config.volumes.iter().map(|(source, target)| {
            let (target, read_only) = target_and_mode(target);
            if !is_inside_path(target) || overlaps_socket(target) {
                let message =
                    "volumes: write an absolute path in the container, not over /run/flow";
                return Err(Failure::new(ErrorCode::InvalidValue, message));
            }
            let found = resolve_below(source, &self.mount_roots, &self.forbidden);
            let refused = |error: PathError| {
                let message = format!("{}: {error}", diagnostics::redacted_prefix(source));
                Failure::new(ErrorCode::MountNotAllowed, message).because(error)
            };
            let found = found.map_err(refused)?;
            Ok(bind(found.display().to_string(), target, read_only))
        });
        mounts.collect()
    }

    /// The container as the engine is asked for it.
    #[must_use]
    pub fn request(
        &self,
        config: &ContainerConfig,
        mut mounts: Vec<Mount>,
        placement: &Placement,
    ) -> CreateContainer {
        mounts.push(bind(
            placement.mounted.display().to_string(),
            SOCKET_MOUNT,
            true,
        ));
        let mut container = CreateContainer::new(&config.image);
        container.name.clone_from(&config.name);
        container.cmd.clone_from(&config.command);
        container.workdir.clone_from(&config.working_dir);
        let given = config.environment.clone().into_iter();
        let socket = (FLOW_SOCKET.to_owned(), SOCKET_IN_CONTAINER.to_owned());
        container.env = given.chain([socket]).collect();
        container
            .labels
            .insert(INSTANCE_LABEL.to_owned(), placement.instance.clone());
        container
            .labels
            .insert(FOLDER_LABEL.to_owned(), placement.folder.clone());
        let publish = |(port, host_port): (&crate::model::ContainerPort, &u16)| PortPublish {
            container_port: port.number,
            protocol: port.protocol.to_owned(),
            host_ip: self.publish_addr.to_string(),
            host_port: *host_port,
        };
        container.ports = config.ports.iter().map(publish).collect();
        container.network.clone_from(&self.network);
        container.memory = Some(self.memory);
        container.pids_limit = Some(self.pids);
        let rotation = [("max-size", "10m"), ("max-file", "3")];
        let rotation = rotation.map(|(name, value)| (name.to_owned(), value.to_owned()));
        container.log = Some(("json-file".to_owned(), rotation.into_iter().collect()));
        let mut security = vec!["no-new-privileges".to_owned()];
        security.extend(self.security_opt.iter().cloned());
        container.body = ContainerCreateBody {
            host_config: Some(HostConfig {
                mounts: Some(mounts),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(security),
                // Swap would let it have twice the memory.
                memory_swap: i64::try_from(self.memory).ok(),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        container
    }
}

/// The path in the container of a volume, and whether it is read-only there.
pub(crate) fn target_and_mode(target: &str) -> (&str, bool) {
    match target.strip_suffix(":ro") {
        Some(target) => (target, true),
        None => (target.strip_suffix(":rw").unwrap_or(target), false),
    }
}

fn bind(source: String, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// Docker's grammar of names, with a bound.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (2..=128).contains(&name.len())
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && name.bytes().all(inner)
}

/// A path in a container that is what it looks like.
fn is_inside_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= 4096
        && !path.contains('\0')
        && !path.split('/').any(|part| part == ".." || part == ".")
}

/// The root, `/run` and all in `/run/flow` would hide the socket.
fn overlaps_socket(target: &str) -> bool {
    let parts = |path: &str| {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let (target, socket) = (parts(target), parts(SOCKET_MOUNT));
    target.starts_with(&socket) || socket.starts_with(&target)
}

#[cfg(test)]
mod tests;
