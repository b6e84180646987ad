//! Whom a request believes to be speaking to. A web page whose owner lets his own name point
//! at this machine would otherwise read, in a visitor's browser, what the endpoint holds
//! (DNS rebinding); the `Host` that the browser sends gives such a name away.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::http::request::Parts;
use hyper::http::uri::Authority;

use crate::refusal::Refusal;

/// The longest `Host` that is shown to whoever looks at the refusals.
const SHOWN_MAX: usize = 100;
const LOCALHOST: &str = "localhost";

/// The name or the address of a machine, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

/// A text that is no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host, write for example cloudwatch, without a port")]
pub struct ParseHostError(String);

impl FromStr for Host {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, ParseHostError> {
        if let Ok(address) = text.parse() {
            return Ok(Self(Form::Address(address)));
        }
        match Self::split(text) {
            Some((host, "")) => Ok(host),
            _ => Err(ParseHostError(text.to_owned())),
        }
    }
}

impl Host {
    /// The host of an authority, and what stands behind it: nothing, or a port.
    fn split(text: &str) -> Option<(Self, &str)> {
        let authority: Authority = text.parse().ok()?;
        let host = authority.host();
        let rest = text.strip_prefix(host)?;
        let port = rest.strip_prefix(':');
        if host.is_empty() || !(rest.is_empty() || port?.parse::<u16>().is_ok()) {
            return None;
        }
        let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let form = match address.unwrap_or(host).parse() {
            Ok(address) => Form::Address(address),
            Err(_) => Form::Name(host.to_ascii_lowercase()),
        };
        Some((Self(form), rest))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(Form::Address(address))
    }
}

/// The hosts under which the endpoint answers, beside `localhost`, the addresses of loopback
/// and the address that a connection came in by.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Vec<Host>);

impl Hosts {
    pub(crate) fn new(hosts: Vec<Host>) -> Self {
        Self(hosts)
    }

    /// Refuses a request that is meant for somebody else. Ports do not matter: a container's
    /// is another one outside of it.
    pub(crate) fn check(&self, head: &Parts, own: IpAddr) -> Result<(), Refusal> {
        let mut named = head.headers.get_all("host").iter();
        let host = named.next().and_then(|host| host.to_str().ok());
        let known = |text: &str| Host::split(text).is_some_and(|(host, _)| self.knows(&host, own));
        // A request to a proxy has the host in its first line as well.
        let target = head.uri.authority().map(Authority::as_str);
        if named.next().is_none() && host.is_some_and(known) && target.is_none_or(known) {
            return Ok(());
        }
        let shown: String = host.unwrap_or_default().chars().take(SHOWN_MAX).collect();
        Err(Refusal::new(
            421,
            "MisdirectedRequest",
            format!(
                "The host {shown:?} is not this endpoint. \
                 If it is reached by that name, start it with --allow-host and the name."
            ),
        ))
    }

    fn knows(&self, host: &Host, own: IpAddr) -> bool {
        let always = match &host.0 {
            Form::Address(address) => address.is_loopback() || *address == own.to_canonical(),
            Form::Name(name) => name == LOCALHOST,
        };
        always || self.0.contains(host)
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn is_taken(uri: &str, host: &str) -> bool {
        let more = ["cloudwatch", "FD00::1", "0.0.0.0"].map(|host| host.parse().unwrap());
        let request = Request::builder().uri(uri).header("host", host);
        let (head, ()) = request.body(()).unwrap().into_parts();
        let own = "::ffff:192.0.2.7".parse().unwrap();
        Hosts::new(more.to_vec()).check(&head, own).is_ok()
    }

    #[test]
    fn own_hosts_are_known_with_any_port_or_none() {
        for host in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1",
            "127.0.0.1:32768",
            "[::1]",
            "[::1]:4580",
            "192.0.2.7:4580",
            "cloudwatch",
            "CLOUDWATCH:4580",
            "[fd00:0::1]",
            "0.0.0.0:4580",
        ] {
            assert!(is_taken("/", host), "{host}");
        }
    }

    #[test]
    fn everything_else_is_somebody_else() {
        for host in [
            "",
            ":4580",
            "evil.example",
            "evil.example:4580",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example@127.0.0.1",
            "127.0.0.1@evil.example",
            "127.0.0.1:evil",
            "127.0.0.1:99999",
            "localhost:",
            "localhost/evil",
            "localhost localhost",
            "192.0.2.8",
            "[::2]",
            "::1",
            "xlocalhost",
        ] {
            assert!(!is_taken("/", host), "{host}");
        }
    }

    #[test]
    fn first_line_must_not_name_another() {
        assert!(is_taken("http://localhost:1/series", "localhost"));
        assert!(!is_taken("http://evil.example/series", "localhost"));
        assert!(!is_taken("http://localhost/series", "evil.example"));
    }

    #[test]
    fn host_is_needed_once_and_shown_in_part() {
        let own = IpAddr::from([127, 0, 0, 1]);
        for hosts in [
            vec![],
            vec!["localhost".to_owned(); 2],
            vec!["e".repeat(9_999)],
        ] {
            let mut request = Request::builder();
            for host in &hosts {
                request = request.header("host", host);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let refusal = Hosts::default().check(&head, own).unwrap_err();
            assert_eq!(refusal.status, 421);
            assert!(refusal.message.len() < 300, "{refusal:?}");
        }
    }

    #[test]
    fn host_with_a_port_is_none() {
        for text in ["cloudwatch:4580", "", "a b", "http://cloudwatch", "[::1]:1"] {
            let error = text.parse::<Host>().unwrap_err();
            assert!(error.to_string().contains("write for example"), "{error}");
        }
    }
}
