//! Who may come in before any token is asked for: from where, for which host, from which page.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{Config, Listen, Network, Origin};
use crate::socketio::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the configuration allows.
#[derive(Clone, Debug)]
pub struct Guard {
    /// `None` on a Unix socket.
    address: Option<SocketAddr>,
    origins: Vec<Origin>,
    proxy: Option<Network>,
    insecure: bool,
}

/// A request that may come in.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Who sent it, behind the proxy.
    pub(super) peer: Peer,
    /// Another origin than our own, which is allowed.
    pub(super) origin: Option<HeaderValue>,
}

impl Guard {
    /// As configured; `address` is where it listens, with the port that the system chose.
    #[must_use]
    pub fn new(config: &Config, address: Option<SocketAddr>) -> Self {
        Self {
            address,
            origins: config.origins.clone(),
            proxy: config.trusted_proxy,
            insecure: config.insecure || matches!(config.listen, Listen::Unix(_)),
        }
    }

    /// Lets a request in, or says why not.
    pub(super) fn admit(
        &self,
        mut peer: Peer,
        headers: &HeaderMap,
    ) -> Result<Admitted, &'static str> {
        if let (Some(address), Some(proxy)) = (peer.address, self.proxy)
            && proxy.contains(address)
        {
            if one(headers, &FORWARDED_PROTO)? != Some("https") {
                return Err("the proxy does not say that the client uses https\n");
            }
            // The last entry is the proxy's own, the others are the client's words.
            if let Some(forwarded) = headers.get_all(FORWARDED_FOR).iter().next_back() {
                let text = forwarded.to_str().unwrap_or_default();
                let client = text.rsplit(',').next().and_then(client_address);
                peer.address = Some(client.ok_or("the proxy does not say who the client is\n")?);
            }
        } else if !self.insecure
            && !self
                .address
                .is_some_and(|address| address.ip().is_loopback())
        {
            return Err("only a trusted proxy may connect\n");
        }
        let host = one(headers, &header::HOST)?
            .unwrap_or_default()
            .to_ascii_lowercase();
        if !self.allows_host(&host) {
            return Err("the host is not allowed, see ALLOWED_ORIGINS\n");
        }
        let origin = match one(headers, &header::ORIGIN)? {
            None => None,
            Some(origin) => {
                let origin = origin.to_ascii_lowercase();
                let is_own = origin.split_once("://").is_some_and(|(_, of)| of == host);
                if !is_own
                    && !self
                        .origins
                        .iter()
                        .any(|allowed| allowed.as_str() == origin)
                {
                    return Err("the origin is not allowed, see ALLOWED_ORIGINS\n");
                }
                match is_own {
                    true => None,
                    false => headers.get(header::ORIGIN).cloned(),
                }
            }
        };
        Ok(Admitted { peer, origin })
    }

    /// A name that leads here. Any other may be one that a page of somebody else's had resolved
    /// to our address.
    fn allows_host(&self, host: &str) -> bool {
        if self.origins.iter().any(|origin| origin.host() == host) {
            return true;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, settings::digits(port)),
            _ => (host, Some(80)),
        };
        let Some(address) = self.address else {
            // What a client calls a Unix socket is its own affair.
            return true;
        };
        let is_port = port == Some(u64::from(address.port()));
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = |address: IpAddr| address.is_loopback();
        let is_address = name.parse::<IpAddr>().is_ok_and(|named| {
            let unspecified = address.ip().is_unspecified();
            named == address.ip()
                || (is_loopback(named) && (is_loopback(address.ip()) || unspecified))
        });
        is_port && (is_address || name == "localhost")
    }
}

/// An address as proxies write it: some with a port, and then IPv6 in brackets.
fn client_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

/// A header that must not be there twice: who reads the first and who reads the last would see
/// two requests.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err("a header is there twice\n"),
        (Some(value), None) => value
            .to_str()
            .map(Some)
            .map_err(|_| "a header is no text\n"),
        (None, _) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_client_is_read_as_proxies_write_it() {
        for (text, address) in [
            (" 192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("unknown", None),
            ("", None),
        ] {
            let address = address.map(|text| text.parse().unwrap());
            assert_eq!(client_address(text), address, "{text:?}");
        }
    }

    fn guard(listen: &str, origins: &[&str], proxy: Option<&str>, insecure: bool) -> Guard {
        Guard {
            address: Some(listen.parse().unwrap()),
            origins: origins
                .iter()
                .map(|origin| origin.parse().unwrap())
                .collect(),
            proxy: proxy.map(|network| network.parse().unwrap()),
            insecure,
        }
    }

    fn admit(
        guard: &Guard,
        peer: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Admitted, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let address = Some(peer.parse().unwrap());
        guard.admit(
            Peer {
                address,
                is_owner: false,
                session: 0,
            },
            &map,
        )
    }

    #[test]
    fn host_and_origin_must_be_ours_or_allowed() {
        let guard = guard("127.0.0.1:7070", &["https://flows.example"], None, false);
        let ok = |headers: &[(&'static str, &str)]| admit(&guard, "127.0.0.1", headers).is_ok();
        for host in [
            "127.0.0.1:7070",
            "localhost:7070",
            "LOCALHOST:7070",
            "flows.example",
        ] {
            assert!(ok(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7070",
            "127.0.0.1",
            "127.0.0.1:80",
            "192.0.2.1:7070",
            "localhost.evil:7070",
            "",
        ] {
            assert!(!ok(&[("host", host)]), "{host}");
        }
        let host = ("host", "localhost:7070");
        for origin in [
            "http://localhost:7070",
            "https://flows.example",
            "HTTPS://FLOWS.EXAMPLE",
        ] {
            assert!(ok(&[host, ("origin", origin)]), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "https://flows.example.evil",
            "https://flows.example:444",
            "http://localhost",
            "http://localhost:7071",
        ] {
            assert!(!ok(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(!ok(&[host, ("host", "evil.example")]));
        assert!(!ok(&[
            host,
            ("origin", "http://localhost:7070"),
            ("origin", "http://evil.example")
        ]));
        let other = admit(
            &guard,
            "127.0.0.1",
            &[host, ("origin", "https://flows.example")],
        )
        .unwrap();
        assert_eq!(other.origin.unwrap(), "https://flows.example");
    }

    #[test]
    fn only_the_proxy_comes_in_from_elsewhere_and_only_for_https() {
        let guard = guard(
            "0.0.0.0:7070",
            &["https://flows.example"],
            Some("10.0.0.0/8"),
            false,
        );
        let host = ("host", "flows.example");
        let https = ("x-forwarded-proto", "https");
        assert!(admit(&guard, "192.0.2.1", &[host, https]).is_err());
        assert!(admit(&guard, "10.0.0.1", &[host]).is_err());
        assert!(admit(&guard, "10.0.0.1", &[host, ("x-forwarded-proto", "http")]).is_err());
        let forwarded = ("x-forwarded-for", "127.0.0.1, 198.51.100.7");
        let admitted = admit(&guard, "10.0.0.1", &[host, https, forwarded]).unwrap();
        assert_eq!(admitted.peer.address, Some("198.51.100.7".parse().unwrap()));
        let open = self::guard("0.0.0.0:7070", &[], None, true);
        assert!(admit(&open, "192.0.2.1", &[("host", "127.0.0.1:7070")]).is_ok());
        assert!(admit(&open, "192.0.2.1", &[("host", "evil.example:7070")]).is_err());
    }
}
