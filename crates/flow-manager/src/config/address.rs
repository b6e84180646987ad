//! Networks and origins.

use std::net::IpAddr;
use std::str::FromStr;

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AddressError {
    #[error("no address, write 127.0.0.1:7070, [::1]:7070 or unix:/path")]
    Listen,
    #[error("no path of a socket, write unix:/path with 99 characters at most")]
    Socket,
    #[error("no network, write 10.0.0.0/8 or fd00::/8")]
    Network,
    #[error("no origin, write https://host or http://host:port without a path")]
    Origin,
}

/// A network: all addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').ok_or(AddressError::Network)?;
        let address: IpAddr = address.parse().map_err(|_| AddressError::Network)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = settings::digits(bits).filter(|bits| *bits <= most);
        let bits = bits
            .and_then(|bits| u8::try_from(bits).ok())
            .ok_or(AddressError::Network)?;
        Ok(Self { address, bits })
    }
}

impl Network {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let rest = width - u32::from(self.bits);
            rest >= 128 || (a ^ b) >> rest == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// The origin of a page: scheme, host and port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
}

impl FromStr for Origin {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        match host {
            Some(host) if !host.is_empty() && host.len() <= 255 && host.bytes().all(allowed) => {
                Ok(Self { text })
            }
            _ => Err(AddressError::Origin),
        }
    }
}

impl Origin {
    /// As a browser sends it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, and its port if that is not the scheme's own: what the browser then sends as
    /// `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn network_contains_what_begins_like_it() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "a/8",
            "::/129",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn origin_is_a_scheme_and_a_host() {
        let origin: Origin = "HTTPS://Flows.Example:8443".parse().unwrap();
        assert_eq!(
            (origin.as_str(), origin.host()),
            ("https://flows.example:8443", "flows.example:8443")
        );
        for bad in [
            "",
            "*",
            "null",
            "flows.example",
            "https://",
            "https://a/",
            "https://me@a",
            "ftp://a",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn no_text_panics(text in "[0-9a-f:./]{0,20}", address in any::<[u8; 16]>()) {
            if let Ok(network) = text.parse::<Network>() {
                let _ = network.contains(address.into());
            }
            let _ = text.parse::<Origin>();
        }
    }
}
