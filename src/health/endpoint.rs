//! Where the health endpoint listens, and where it is asked.

use std::fmt;
use std::io;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::HealthAddr;

/// Where the health endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthEndpoint {
    /// An abstract socket of Linux, by its name.
    Local(String),
    /// A host and port.
    Http(String),
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PlaceError {
    #[error("HEALTH_ADDR=off: nothing to ask, set it to auto or HOST:PORT")]
    Off,
    #[error(
        "HEALTH_ADDR=auto needs the abstract sockets of Linux, set HEALTH_ADDR=127.0.0.1:8080 or another HOST:PORT"
    )]
    NotLinux,
    #[error(
        "HEALTH_ADDR=auto needs /proc/self/ns/mnt, set HEALTH_ADDR=127.0.0.1:8080 or another HOST:PORT"
    )]
    MountNamespace { source: io::Error },
}

impl HealthEndpoint {
    /// The place that the setting names, which for `auto` depends on the container.
    pub fn of(addr: &HealthAddr) -> Result<Self, PlaceError> {
        match addr {
            HealthAddr::Off => Err(PlaceError::Off),
            HealthAddr::Http(addr) => Ok(Self::Http(addr.clone())),
            HealthAddr::Auto if cfg!(target_os = "linux") => {
                // A link to `mnt:[4026531841]`, which no other namespace that exists shares.
                let namespace = std::fs::read_link("/proc/self/ns/mnt")
                    .map_err(|source| PlaceError::MountNamespace { source })?;
                Ok(Self::Local(format!("cw-publisher/{}", namespace.display())))
            }
            HealthAddr::Auto => Err(PlaceError::NotLinux),
        }
    }

    pub(super) async fn listen(&self) -> io::Result<Listener> {
        Ok(match self {
            Self::Local(name) => Listener::Local(UnixListener::bind(format!("\0{name}"))?),
            Self::Http(addr) => Listener::Http(TcpListener::bind(addr).await?),
        })
    }

    /// Connects, and tells of a local socket whose it is: abstract names are free for
    /// all, so whoever comes first has it.
    pub(super) async fn connect(&self) -> io::Result<(Box<dyn Stream>, Option<Owner>)> {
        Ok(match self {
            Self::Local(name) => {
                let stream = UnixStream::connect(format!("\0{name}")).await?;
                let owner = Owner(stream.peer_cred()?.uid());
                (Box::new(stream), Some(owner))
            }
            Self::Http(addr) => (Box::new(TcpStream::connect(reachable(addr)).await?), None),
        })
    }
}

impl fmt::Display for HealthEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As ss(8) shows abstract names.
            Self::Local(name) => write!(f, "@{name}"),
            Self::Http(addr) => f.write_str(addr),
        }
    }
}

/// The user who listens on a local socket, as the kernel has it since `listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// Who runs this process.
    pub(super) fn current() -> Self {
        Self(rustix::process::geteuid().as_raw())
    }

    fn is_root(self) -> bool {
        self.0 == 0
    }

    /// Whether what this user says counts for `asker`: of their own processes, and of
    /// root, who could be anybody. Root asks for whom it pleases, as with
    /// `docker exec -u root`, and cannot know who is meant.
    pub(super) fn counts_for(self, asker: Self) -> bool {
        self == asker || self.is_root() || asker.is_root()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who listens on all addresses is reached at the loopback one.
fn reachable(addr: &str) -> String {
    match addr.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => addr.to_owned(),
    }
}

/// What takes connections.
pub(super) enum Listener {
    Local(UnixListener),
    Http(TcpListener),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Local(listener) => Box::new(listener.accept().await?.0),
            Self::Http(listener) => Box::new(listener.accept().await?.0),
        })
    }

    /// Where it listens, with the port that the system picked for port 0.
    pub(super) fn place(&self, asked: &HealthEndpoint) -> HealthEndpoint {
        match self {
            Self::Local(_) => asked.clone(),
            Self::Http(listener) => match listener.local_addr() {
                Ok(addr) => HealthEndpoint::Http(addr.to_string()),
                Err(_) => asked.clone(),
            },
        }
    }
}

/// A connection of either kind.
pub(super) trait Stream:
    tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin
{
}

impl Stream for UnixStream {}
impl Stream for TcpStream {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_at_the_loopback_one() {
        assert_eq!(reachable("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80"), "[::1]:80");
        assert_eq!(reachable("localhost:80"), "localhost:80");
    }

    #[test]
    fn own_processes_and_those_of_root_count_and_for_root_all_do() {
        for (owner, asker, counts) in [
            (65532, 65532, true),
            (65532, 1000, false),
            (0, 1000, true),
            (65532, 0, true),
            (0, 0, true),
        ] {
            assert_eq!(
                Owner(owner).counts_for(Owner(asker)),
                counts,
                "{owner} {asker}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn auto_is_a_name_of_this_mount_namespace() {
        let HealthEndpoint::Local(name) = HealthEndpoint::of(&HealthAddr::Auto).unwrap() else {
            panic!("not local");
        };
        assert!(name.starts_with("cw-publisher/mnt:["), "{name}");
        // sun_path of unix(7) holds 108 bytes, the first of which is 0 here.
        assert!(name.len() <= 107, "{name}");
    }
}
