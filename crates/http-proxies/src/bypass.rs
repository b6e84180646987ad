//! What goes past the proxies: `NO_PROXY`, as curl and Go read it.
//!
//! Nobody has specified that variable. This follows Go's `httpproxy` and curl's
//! `CURLOPT_NOPROXY`; where they differ, whatever one of them takes for an exception is one:
//!
//! - a leading dot is passed over, as curl does (Go takes the domain itself from such an entry);
//! - blanks part entries too, and a dot at the end of a name is passed over, as curl does;
//! - an entry may have a port or begin with `*.`, as Go takes it;
//! - loopback addresses are no exception by themselves (to Go they are): an `AWS_ENDPOINT_URL`
//!   on this machine may well be meant for a proxy on this machine.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

/// The hosts that are asked without a proxy.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypass {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    hosts: Hosts,
    /// Any if there is none.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    All,
    Network { first: IpAddr, prefix: u32 },
    Domain { name: String, itself: bool },
}

impl Bypass {
    /// What is no entry covers nothing.
    pub(super) fn parse(text: &str) -> Self {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let entries = words.filter_map(Entry::parse).collect();
        Self { entries }
    }

    pub(super) fn covers(&self, url: &Uri) -> bool {
        let Some(host) = host(url) else {
            return false;
        };
        let scheme_port = if url.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = url.port_u16().unwrap_or(scheme_port);
        if let Host::Address(address) = host
            && is_link_local(address)
        {
            return true;
        }
        self.entries
            .iter()
            .any(|entry| entry.port.is_none_or(|own| own == port) && entry.hosts.contain(&host))
    }
}

pub(super) fn is_loopback(url: &Uri) -> bool {
    match host(url) {
        Some(Host::Address(address)) => address.is_loopback(),
        Some(Host::Name(name)) => name == "localhost",
        None => false,
    }
}

enum Host {
    Address(IpAddr),
    /// In lower case, without a dot at the end.
    Name(String),
}

fn host(url: &Uri) -> Option<Host> {
    let host = url.host()?;
    Some(match address(host) {
        Some(address) => Host::Address(address),
        None => Host::Name(name(host)),
    })
}

fn name(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase()
}

/// An address, in brackets or not. One of IPv4 is itself in IPv6's clothes.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(text).parse().ok()?;
    Some(address.to_canonical())
}

/// Addresses that lead no further than the network card, where the metadata and the
/// credentials of EC2, ECS and EKS are told. A proxy asked for them would tell its own.
fn is_link_local(address: IpAddr) -> bool {
    /// What AWS tells over IPv6: fd00:ec2::254 (EC2), fd00:ec2::23 (EKS).
    const EC2: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0));
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(own) => own.is_unicast_link_local() || in_network(address, EC2, 32),
    }
}

impl Entry {
    fn parse(word: &str) -> Option<Self> {
        if word == "*" {
            let hosts = Hosts::All;
            return Some(Self { hosts, port: None });
        }
        if let Some((first, prefix)) = word.split_once('/') {
            let hosts = network(first, prefix)?;
            return Some(Self { hosts, port: None });
        }
        let (host, port) = match word.rsplit_once(':') {
            // The colons of an address without brackets are its own.
            _ if address(word).is_some() => (word, None),
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (word, None),
        };
        let hosts = match address(host) {
            Some(first) => Hosts::Network {
                first,
                prefix: bits(first),
            },
            None => domain(host)?,
        };
        Some(Self { hosts, port })
    }
}

fn network(first: &str, prefix: &str) -> Option<Hosts> {
    let first = address(first)?;
    let prefix = prefix
        .parse()
        .ok()
        .filter(|prefix| *prefix <= bits(first))?;
    Some(Hosts::Network { first, prefix })
}

fn domain(text: &str) -> Option<Hosts> {
    let (text, itself) = match text.strip_prefix("*.") {
        Some(rest) => (rest, false),
        None => (text.strip_prefix('.').unwrap_or(text), true),
    };
    let name = name(text);
    (!name.is_empty()).then_some(Hosts::Domain { name, itself })
}

impl Hosts {
    fn contain(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Network { first, prefix }, Host::Address(address)) => {
                in_network(*address, *first, *prefix)
            }
            (Self::Domain { name, itself }, Host::Name(host)) => {
                match host.strip_suffix(name.as_str()) {
                    Some("") => *itself,
                    Some(rest) => rest.ends_with('.'),
                    None => false,
                }
            }
            _ => false,
        }
    }
}

fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

fn in_network(address: IpAddr, first: IpAddr, prefix: u32) -> bool {
    let differ = match (address, first) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()),
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differ.checked_shr(bits(first) - prefix).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `NO_PROXY` says, a URL, and whether that is asked without a proxy.
    const TABLE: &[(&str, &str, bool)] = &[
        // Nothing is an exception by itself.
        ("", "http://example.com/", false),
        (" , ,", "http://example.com/", false),
        ("", "http://127.0.0.1/", false),
        ("", "http://localhost/", false),
        // Everything; for addresses too.
        ("*", "http://example.com/", true),
        ("*", "https://192.0.2.1:8443/", true),
        ("*", "http://[2001:db8::1]/", true),
        ("a.test,*", "http://192.0.2.1/", true),
        // Names, and what is below them.
        ("example.com", "http://example.com/", true),
        ("example.com", "http://www.example.com/", true),
        ("example.com", "http://a.b.example.com/", true),
        ("example.com", "http://notexample.com/", false),
        ("example.com", "http://example.com.evil.test/", false),
        ("example.com", "http://example.org/", false),
        ("com", "http://example.com/", true),
        ("localhost", "http://localhost:4580/", true),
        (".example.com", "http://www.example.com/", true),
        (".example.com", "http://example.com/", true),
        (".example.com", "http://notexample.com/", false),
        ("*.example.com", "http://www.example.com/", true),
        ("*.example.com", "http://a.b.example.com/", true),
        ("*.example.com", "http://example.com/", false),
        ("*.example.com", "http://notexample.com/", false),
        ("ex*ple.com", "http://example.com/", false),
        // Case and dots at the end make no difference.
        ("EXAMPLE.com", "http://www.Example.COM/", true),
        ("example.com.", "http://example.com/", true),
        ("example.com", "http://example.com./", true),
        // Ports, given or those of the scheme.
        ("example.com:8080", "http://example.com:8080/", true),
        ("example.com:8080", "http://www.example.com:8080/", true),
        ("example.com:8080", "http://example.com/", false),
        ("example.com:80", "http://example.com/", true),
        ("example.com:443", "https://example.com/", true),
        ("example.com:443", "http://example.com/", false),
        ("*.example.com:80", "http://www.example.com/", true),
        ("example.com:", "http://example.com/", false),
        ("example.com:http", "http://example.com/", false),
        (":80", "http://example.com/", false),
        // Addresses.
        ("192.0.2.1", "http://192.0.2.1/", true),
        ("192.0.2.1", "http://192.0.2.1:9100/", true),
        ("192.0.2.1", "http://192.0.2.10/", false),
        ("192.0.2.1:9100", "http://192.0.2.1:9100/", true),
        ("192.0.2.1:9100", "http://192.0.2.1/", false),
        ("2.1", "http://192.0.2.1/", false),
        ("::1", "http://[::1]:8080/", true),
        ("[::1]", "http://[::1]:8080/", true),
        ("[::1]:8080", "http://[::1]:8080/", true),
        ("[::1]:8080", "http://[::1]/", false),
        ("2001:db8::1", "http://[2001:DB8:0::1]/", true),
        ("::ffff:192.0.2.1", "http://192.0.2.1/", true),
        ("192.0.2.1", "http://[::ffff:192.0.2.1]/", true),
        // Networks.
        ("192.0.2.0/24", "http://192.0.2.77/", true),
        ("192.0.2.0/24", "http://192.0.3.77/", false),
        ("192.0.2.9/31", "http://192.0.2.8/", true),
        ("192.0.2.9/31", "http://192.0.2.10/", false),
        ("0.0.0.0/0", "http://192.0.2.1/", true),
        ("0.0.0.0/0", "http://[2001:db8::1]/", false),
        ("0.0.0.0/0", "http://example.com/", false),
        ("192.0.2.1/32", "http://192.0.2.1/", true),
        ("192.0.2.1/33", "http://192.0.2.1/", false),
        ("192.0.2.1/x", "http://192.0.2.1/", false),
        ("2001:db8::/32", "http://[2001:db8:1::1]/", true),
        ("2001:db8::/32", "http://[2001:db9::1]/", false),
        ("::/0", "http://[2001:db8::1]/", true),
        // Lists.
        ("a.test,b.test", "http://b.test/", true),
        (" a.test , b.test ", "http://b.test/", true),
        ("a.test b.test", "http://b.test/", true),
        ("a.test\tb.test,\n", "http://b.test/", true),
        // Link-local addresses, where credentials are told.
        ("", "http://169.254.169.254/latest/api/token", true),
        ("", "http://169.254.170.2/v2/credentials", true),
        ("", "http://169.254.170.23/v1/credentials", true),
        ("", "http://[fd00:ec2::254]/latest/api/token", true),
        ("", "http://[fd00:ec2::23]/v1/credentials", true),
        ("", "http://[fe80::1]/", true),
        ("", "http://[::ffff:169.254.169.254]/", true),
        ("", "http://169.253.169.254/", false),
        ("", "http://[fd00:ec3::254]/", false),
    ];

    #[test]
    fn exceptions_are_those_of_curl_and_go() {
        for &(text, url, expected) in TABLE {
            let covers = Bypass::parse(text).covers(&Uri::from_static(url));
            assert_eq!(covers, expected, "{text:?} {url}");
        }
    }

    #[test]
    fn loopback_is_this_machine_by_address_and_by_name() {
        for (url, expected) in [
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:80/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://LocalHost./", true),
            ("http://localhost.test/", false),
            ("http://192.0.2.1/", false),
        ] {
            assert_eq!(is_loopback(&Uri::from_static(url)), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), word in "[*.:/\\[\\]0-9a-f ,]{0,40}") {
            for url in ["http://example.com/", "http://192.0.2.1/", "http://[2001:db8::1]/"] {
                let url = Uri::from_static(url);
                let _ = Bypass::parse(&text).covers(&url);
                let _ = Bypass::parse(&word).covers(&url);
            }
        }

        #[test]
        fn network_holds_what_shares_its_first_bits(one: u32, other: u32, prefix in 0..=32u32) {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            let [one, other] = [one, other].map(std::net::Ipv4Addr::from_bits);
            let expected = one.to_bits() & mask == other.to_bits() & mask;
            prop_assert_eq!(in_network(one.into(), other.into(), prefix), expected);
        }
    }
}
