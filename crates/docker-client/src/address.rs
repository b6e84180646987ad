//! Where the engine is.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::DockerClientError;

/// The variables that say where the engine is, as the `docker` command reads them.
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";
const DOCKER_TLS_VERIFY: &str = "DOCKER_TLS_VERIFY";
const DOCKER_CERT_PATH: &str = "DOCKER_CERT_PATH";

/// The socket of an engine that runs as root.
const SYSTEM_SOCKET: &str = "/var/run/docker.sock";
/// The registered ports of the engine, without and with TLS.
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// What reads a variable of the environment.
pub(crate) type Environment<'a> = &'a (dyn Fn(&str) -> Option<OsString> + Sync);

/// The place of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EngineAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and port.
    Tcp {
        /// A name or address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
        /// How to speak TLS; `None` for plain HTTP.
        tls: Option<Certificates>,
    },
}

/// Where the certificates for TLS are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// Holds `ca.pem`, `cert.pem` and `key.pem`, each if it is there; without `ca.pem` the
    /// system's authorities hold.
    pub(crate) folder: Option<PathBuf>,
}

impl EngineAddress {
    /// What the environment says, else the local socket that there is: the system's, a rootless
    /// engine's, Docker Desktop's.
    pub(crate) fn from_environment(env: Environment<'_>) -> Result<Self, DockerClientError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        match set(DOCKER_HOST) {
            Some(url) => Self::parse(&url.to_string_lossy(), env),
            None => Ok(Self::Unix(local_socket(env, &|path| path.exists()))),
        }
    }

    /// `url` as `DOCKER_HOST` would have it.
    pub(crate) fn parse(url: &str, env: Environment<'_>) -> Result<Self, DockerClientError> {
        let refused = |reason: &str| DockerClientError::Address {
            address: url.to_owned(),
            reason: reason.to_owned(),
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(refused("write unix:///path or tcp://host:port"));
        };
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(refused("the socket's path must be absolute")),
            "tcp" | "http" | "https" => {
                let tls =
                    scheme == "https" || (scheme == "tcp" && set(DOCKER_TLS_VERIFY).is_some());
                if tls && !cfg!(feature = "tls") {
                    return Err(refused("TLS is not built in: build with the feature `tls`"));
                }
                let default = if tls { TLS_PORT } else { PORT };
                let (host, port) =
                    host_and_port(rest.trim_end_matches('/'), default).map_err(refused)?;
                let folder = set(DOCKER_CERT_PATH)
                    .map(PathBuf::from)
                    .or_else(|| set("HOME").map(|home| Path::new(&home).join(".docker")));
                Ok(Self::Tcp {
                    host,
                    port,
                    tls: tls.then_some(Certificates { folder }),
                })
            }
            "ssh" => Err(refused(
                "ssh:// is not supported: forward the socket, `ssh -L`",
            )),
            _ => Err(refused("the scheme is neither unix nor tcp")),
        }
    }

    /// What stands in the `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "docker".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { .. } => write!(f, "tcp://{}", self.authority()),
        }
    }
}

/// The first local socket that is there, else the system's, for the message.
fn local_socket(env: Environment<'_>, exists: &dyn Fn(&Path) -> bool) -> PathBuf {
    let below = |name: &str, path: &str| {
        env(name)
            .filter(|folder| !folder.is_empty())
            .map(|folder| Path::new(&folder).join(path))
    };
    let system = PathBuf::from(SYSTEM_SOCKET);
    [
        Some(system.clone()),
        below("XDG_RUNTIME_DIR", "docker.sock"),
        below("HOME", ".docker/run/docker.sock"),
        below("HOME", ".docker/desktop/docker.sock"),
    ]
    .into_iter()
    .flatten()
    .find(|path| exists(path))
    .unwrap_or(system)
}

fn host_and_port(text: &str, default: u16) -> Result<(String, u16), &'static str> {
    const PORT_RULE: &str = "the port must be a number from 1 to 65535";
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
        (host, port.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(allowed) {
        return Err("the host is missing or has characters that no host has");
    }
    let port = match port {
        None => default,
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(PORT_RULE)?,
    };
    Ok((host.to_owned(), port))
}

/// The process's own environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the shared client stands for the process, as `docker` does"
)]
pub(crate) fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + Sync {
        move |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        }
    }

    fn parse(url: &str) -> Result<String, String> {
        EngineAddress::parse(url, &env(&[]))
            .map(|address| address.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_understood_as_docker_has_them() {
        assert_eq!(parse("unix:///run/d.sock").unwrap(), "unix:///run/d.sock");
        assert_eq!(parse("tcp://engine").unwrap(), "tcp://engine:2375");
        assert_eq!(
            parse("tcp://10.0.0.1:4243/").unwrap(),
            "tcp://10.0.0.1:4243"
        );
        assert_eq!(parse("http://[::1]:99").unwrap(), "tcp://[::1]:99");
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        for (url, reason) in [
            ("/run/docker.sock", "write unix:///path"),
            ("unix://run/docker.sock", "must be absolute"),
            ("tcp://:2375", "host is missing"),
            ("tcp://a b", "characters"),
            ("tcp://a:0", "1 to 65535"),
            ("tcp://a:99999", "1 to 65535"),
            ("tcp://[::1", "not closed"),
            ("ssh://a", "ssh -L"),
            ("npipe:////./pipe/docker", "neither unix nor tcp"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(reason) && error.contains(url), "{error}");
        }
    }

    #[test]
    fn an_empty_docker_host_is_none() {
        let address = EngineAddress::from_environment(&env(&[("DOCKER_HOST", "")])).unwrap();
        assert!(matches!(address, EngineAddress::Unix(_)));
    }

    #[test]
    fn the_rootless_socket_serves_where_the_system_has_none() {
        let env = env(&[("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/home/a")]);
        let socket = |there: &'static str| local_socket(&env, &|path| path == Path::new(there));
        for there in [
            "/var/run/docker.sock",
            "/run/user/7/docker.sock",
            "/home/a/.docker/run/docker.sock",
        ] {
            assert_eq!(socket(there), Path::new(there));
        }
        assert_eq!(socket("/nowhere"), Path::new("/var/run/docker.sock"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_that_is_asked_for_and_not_built_in_is_refused() {
        let env = env(&[("DOCKER_TLS_VERIFY", "1")]);
        let error = EngineAddress::parse("tcp://a", &env).unwrap_err();
        assert!(error.to_string().contains("feature `tls`"));
        assert!(EngineAddress::parse("unix:///a", &env).is_ok());
    }
}
