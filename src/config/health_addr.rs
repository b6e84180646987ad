//! `HEALTH_ADDR`: where the health of the process is told.

use std::net::Ipv6Addr;

use diagnostics::given;
use settings::{Environment, Place, Problem, digits};

use super::setting::HEALTH_ADDR;

/// Why a text is no address of the health, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddrError {
    #[error("no address, write HOST:PORT, for example 0.0.0.0:8080, or auto or off")]
    Address,
    #[error(
        "any free port, where healthcheck could not find it, name one, for example 127.0.0.1:8080"
    )]
    AnyPort,
}

/// Where the health of the process is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthAddr {
    /// On a private local socket that needs neither port nor file system.
    Auto,
    /// Over HTTP, on this host and port.
    Http(String),
    /// Nowhere.
    Off,
}

impl HealthAddr {
    /// Reads this one setting: who only asks for the health needs no other.
    pub fn read(environment: &Environment) -> Result<Self, Problem> {
        let text = environment.get(HEALTH_ADDR).unwrap_or(HEALTH_ADDR.default);
        Self::parse(text).map_err(|error| Problem {
            place: Place::Setting(HEALTH_ADDR.name.to_owned()),
            message: format!("{}{error}", given(text)),
        })
    }

    pub(super) fn parse(text: &str) -> Result<Self, AddrError> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            _ => {
                let (host, port) = text.rsplit_once(':').ok_or(AddrError::Address)?;
                let port = digits(port).and_then(|port| u16::try_from(port).ok());
                let port = port.ok_or(AddrError::Address)?;
                let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                let is_ipv6 = host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'))
                    .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
                if !is_ipv6 && (host.is_empty() || !host.chars().all(is_name)) {
                    return Err(AddrError::Address);
                }
                if port == 0 {
                    return Err(AddrError::AnyPort);
                }
                Ok(Self::Http(text.to_owned()))
            }
        }
    }
}
