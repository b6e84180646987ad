//! The settings, from the environment: all problems in one pass.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use settings::{Brief, Diagnostics, Environment, Reader, ValueError, bytes, switch};
use telemetry::LogConfig;

use crate::policy::{ImagePattern, Policy, Pull};

mod address;
pub mod setting;

pub use address::{AddressError, Network, Origin};

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket that only our own user can open.
    Unix(PathBuf),
}

/// How flow-manager is to be.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Config {
    pub listen: Listen,
    pub state_dir: PathBuf,
    /// `None`: one is made in the folder of the state.
    pub tokens_file: Option<PathBuf>,
    pub origins: Vec<Origin>,
    pub trusted_proxy: Option<Network>,
    pub insecure: bool,
    pub policy: Policy,
    pub docker_host: Option<String>,
    pub metrics_addr: Option<SocketAddr>,
    pub shutdown_grace: Duration,
}

/// The engine's socket where `DOCKER_HOST` does not say another, what is beside it, and where it
/// and its runtime keep what all containers are made of.
const ENGINE_PLACES: [&str; 7] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/docker",
    "/run/containerd",
    "/run/podman",
    "/var/lib/docker",
    "/var/lib/containerd",
];
/// The same of an engine that runs as our own user, by the folder that a variable names.
const ROOTLESS_PLACES: [(&str, &str); 7] = [
    ("XDG_RUNTIME_DIR", "docker.sock"),
    ("XDG_RUNTIME_DIR", "docker"),
    ("XDG_RUNTIME_DIR", "podman"),
    ("XDG_DATA_HOME", "docker"),
    ("HOME", ".docker/run"),
    ("HOME", ".docker/desktop"),
    ("HOME", ".local/share/docker"),
];
/// The engine takes no less.
const MEMORY_MIN: u64 = 6 << 20;
const MEMORY_MAX: u64 = 1 << 40;

/// Reads what is logged, as far as it can be read: the rest is told with it.
#[must_use]
pub fn log_config(environment: &Environment) -> LogConfig {
    let mut reader = Reader::new(environment);
    LogConfig::read(&mut reader, setting::LOG_LEVEL, setting::LOG_FORMAT).unwrap_or_default()
}

impl Config {
    /// Reads the settings. Nothing is looked up on the disk.
    #[must_use]
    pub fn read(environment: &Environment) -> (Option<Self>, Diagnostics) {
        let mut reader = Reader::new(environment);
        let mut config = read(&mut reader);
        if let Some(config) = &mut config {
            config.policy.forbidden.extend(rootless(environment));
        }
        reader.unknown_variables("FLOW_", setting::ALL);
        let findings = reader.findings;
        (config.filter(|_| findings.problems.is_empty()), findings)
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Config> {
    let listen = reader.parse(setting::LISTEN, listen);
    let state_dir = reader.parse(setting::STATE_DIR, absolute);
    let tokens_file = optional(reader, setting::TOKENS_FILE, absolute);
    let origins = list(reader, setting::ALLOWED_ORIGINS, str::parse::<Origin>);
    let trusted_proxy = optional(reader, setting::TRUSTED_PROXY, str::parse::<Network>);
    let insecure = reader.parse(setting::INSECURE, switch);
    let docker_host = optional(reader, setting::DOCKER_HOST, docker_host);
    let metrics_addr = optional(reader, setting::METRICS_ADDR, socket_address);
    let most = Duration::from_secs(300);
    let shutdown_grace = reader.duration(setting::SHUTDOWN_GRACE, Duration::from_secs(1), most);
    LogConfig::read(reader, setting::LOG_LEVEL, setting::LOG_FORMAT);
    let policy = policy(reader);
    if let (Some(Listen::Tcp(address)), Some(proxy), Some(false)) =
        (&listen, &trusted_proxy, insecure)
        && !address.ip().is_loopback()
        && proxy.is_none()
    {
        let message = format!(
            "{address} can be reached by others, who would send their tokens in the clear: set TRUSTED_PROXY to the \
             network of a proxy that speaks TLS, or INSECURE=1 if that is meant"
        );
        reader.findings.problem(setting::LISTEN.name, message);
    }
    let (listen, state_dir, tokens_file, docker_host) =
        (listen?, state_dir?, tokens_file?, docker_host?);
    let mut policy = policy?;
    policy.forbidden = forbidden(
        &listen,
        &state_dir,
        tokens_file.as_deref(),
        docker_host.as_deref(),
    );
    Some(Config {
        listen,
        state_dir,
        tokens_file,
        origins: origins?,
        trusted_proxy: trusted_proxy?,
        insecure: insecure?,
        policy,
        docker_host,
        metrics_addr: metrics_addr?,
        shutdown_grace: shutdown_grace?,
    })
}

fn policy(reader: &mut Reader<'_>) -> Option<Policy> {
    let images = list(reader, setting::IMAGES, str::parse::<ImagePattern>);
    let mount_roots = list(reader, setting::MOUNT_ROOTS, root);
    let code_roots = list(reader, setting::CODE_ROOTS, root);
    let publish_addr = reader.parse(setting::PUBLISH_ADDR, |text| {
        text.parse::<IpAddr>()
            .map_err(|_| "no IP address, write 127.0.0.1 or 0.0.0.0")
    });
    let network = optional(reader, setting::FLOW_NETWORK, network);
    let memory = reader.parse(setting::FLOW_MEMORY, |text| {
        bytes(text, MEMORY_MIN, MEMORY_MAX)
    });
    let pids = reader.count(setting::FLOW_PIDS, 1, 1 << 22);
    let security_opt = list(reader, setting::FLOW_SECURITY_OPT, security_option);
    let pull = reader.parse(setting::PULL, |text| match text {
        "missing" => Ok(Pull::Missing),
        "always" => Ok(Pull::Always),
        "never" => Ok(Pull::Never),
        _ => Err(ValueError::Choice {
            known: &["missing", "always", "never"],
        }),
    });
    Some(Policy {
        images: images?,
        mount_roots: mount_roots?,
        code_roots: code_roots?,
        forbidden: Vec::new(),
        publish_addr: publish_addr?,
        network: network?,
        memory: memory?,
        pids: u32::try_from(pids?).ok()?,
        security_opt: security_opt?,
        pull: pull?,
    })
}

/// What no container may have: what gives the host away, and what is ours.
fn forbidden(
    listen: &Listen,
    state_dir: &Path,
    tokens: Option<&Path>,
    docker_host: Option<&str>,
) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = ENGINE_PLACES.iter().map(PathBuf::from).collect();
    places.push(state_dir.to_owned());
    places.extend(tokens.map(Path::to_owned));
    places.extend(
        docker_host
            .and_then(|host| host.strip_prefix("unix://"))
            .map(PathBuf::from),
    );
    if let Listen::Unix(path) = listen {
        places.push(path.clone());
    }
    places
}

/// What a rootless engine has, whose socket is found without `DOCKER_HOST`.
fn rootless(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    ROOTLESS_PLACES.iter().filter_map(|(variable, below)| {
        let folder = Path::new(environment.variable(variable)?);
        folder.is_absolute().then(|| folder.join(below))
    })
}

/// A setting that may be left out.
fn optional<T, E: std::fmt::Display>(
    reader: &mut Reader<'_>,
    setting: settings::Setting,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    match reader.text(setting).is_empty() {
        true => Some(None),
        false => reader.parse(setting, parse).map(Some),
    }
}

/// Entries parted by commas; each that is wrong is told.
fn list<T, E: std::fmt::Display>(
    reader: &mut Reader<'_>,
    setting: settings::Setting,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Vec<T>> {
    let text = reader.text(setting);
    let entries = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let mut values = Some(Vec::new());
    for entry in entries {
        match parse(entry) {
            Ok(value) => {
                if let Some(values) = &mut values {
                    values.push(value);
                }
            }
            Err(error) => {
                reader.findings.refused(setting.name, entry, error);
                values = None;
            }
        }
    }
    values
}

fn listen(text: &str) -> Result<Listen, AddressError> {
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') && path.len() < 100 => Ok(Listen::Unix(path.into())),
        Some(_) => Err(AddressError::Socket),
        None => socket_address(text).map(Listen::Tcp),
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, AddressError> {
    text.parse().map_err(|_| AddressError::Listen)
}

fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    match text.starts_with('/') && !text.contains('\0') {
        true => Ok(text.into()),
        false => Err("no absolute path"),
    }
}

fn root(text: &str) -> Result<PathBuf, &'static str> {
    let path = absolute(text)?;
    let has_dots = text.split('/').any(|part| part == "." || part == "..");
    match path.parent().is_some() && !has_dots {
        true => Ok(path.components().collect()),
        false => Err("a folder below the root is meant, without . and .."),
    }
}

fn network(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    match text {
        "host" => Err("the host's network would make every service of the host a flow's neighbour"),
        _ if text.len() <= 255 && text.bytes().all(allowed) => Ok(text.to_owned()),
        _ => Err("no name of a network"),
    }
}

fn security_option(text: &str) -> Result<String, &'static str> {
    match text {
        "seccomp=unconfined" | "apparmor=unconfined" => Err("that takes a fence away"),
        _ if text.bytes().all(|byte| byte.is_ascii_graphic()) && text.contains('=') => {
            Ok(text.to_owned())
        }
        _ => Err("write name=value, as docker run --security-opt has it"),
    }
}

fn docker_host(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(text.to_owned()),
        _ => Err(
            "write unix:///path: the sockets of the flows are files, so the engine must be on this host",
        ),
    }
}

/// The settings as `check` shows them. None of them holds a secret.
#[must_use]
pub fn overview(config: &Config) -> Vec<(&'static str, String)> {
    let paths = |paths: &[PathBuf]| match paths {
        [] => "none".to_owned(),
        paths => paths
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let listen = match &config.listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    };
    let tokens = config
        .tokens_file
        .clone()
        .unwrap_or_else(|| config.state_dir.join(TOKENS));
    vec![
        ("listens on", listen),
        ("state", config.state_dir.display().to_string()),
        ("tokens", tokens.display().to_string()),
        (
            "engine",
            config
                .docker_host
                .clone()
                .unwrap_or_else(|| "the local one".to_owned()),
        ),
        ("mounts below", paths(&config.policy.mount_roots)),
        ("code below", paths(&config.policy.code_roots)),
        ("publishes on", config.policy.publish_addr.to_string()),
        (
            "memory of a flow",
            format!("{} MiB", config.policy.memory >> 20),
        ),
        ("processes of a flow", config.policy.pids.to_string()),
        ("shutdown grace", Brief(config.shutdown_grace).to_string()),
    ]
}

/// The file of the token that is made at the first start, in the folder of the state.
pub const TOKENS: &str = "tokens";

#[cfg(test)]
mod tests;
