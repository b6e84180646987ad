//! How requests reach servers: which go through which proxy, what certificates are trusted, who
//! resolves names. The one place that knows, for the SDK's requests and for those of sources.
//! Nothing here reads the environment.
//!
//! ```
//! use http_proxies::Proxies;
//!
//! let proxies = Proxies::new("", "http://proxy:3128", "", "10.0.0.0/8,.example.com");
//! let of = |url: &str| proxies.of(&url.parse().unwrap()).map(|proxy| proxy.url().to_owned());
//! assert_eq!(of("https://example.org/").as_deref(), Some("http://proxy:3128"));
//! assert_eq!(of("https://www.example.com/"), None);
//! assert_eq!(of("https://10.1.2.3/"), None);
//! ```

use std::fmt;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

mod bypass;
mod config;
mod routes;

use bypass::Bypass;
pub use config::HttpConfig;
pub use routes::{ProxyKind, Route, Routes};

/// The proxies and what goes past them.
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    bypass: Bypass,
}

/// A proxy, and what it takes to be let in there.
#[derive(Clone)]
pub struct Proxy {
    url: String,
    parsed: Intercept,
}

/// Left out: a proxy's URL may hold a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxies {
    /// Proxies for `http`, for `https` and for either of them that is not given, and the
    /// hosts that are asked without one, all as their variables spell them; empty for none.
    #[must_use]
    pub fn new(http: &str, https: &str, all: &str, bypass: &str) -> Self {
        let or_all = |given| Proxy::parse(given).or_else(|| Proxy::parse(all));
        Self {
            http: or_all(http),
            https: or_all(https),
            bypass: Bypass::parse(bypass),
        }
    }

    /// The proxy that requests to a URL go through, if they do.
    #[must_use]
    pub fn of(&self, url: &Uri) -> Option<&Proxy> {
        let proxy = self.of_scheme(url.scheme_str()?)?;
        (!self.bypass.covers(url)).then_some(proxy)
    }

    /// The proxy for a scheme, where nothing goes past it.
    #[must_use]
    pub fn of_scheme(&self, scheme: &str) -> Option<&Proxy> {
        match scheme {
            "http" => self.http.as_ref(),
            "https" => self.https.as_ref(),
            _ => None,
        }
    }
}

impl Proxy {
    /// A host alone stands for `http`. What cannot be one is none, with a warning from the
    /// configuration.
    fn parse(text: &str) -> Option<Self> {
        let any = Uri::from_static("http://any");
        let parsed = Matcher::builder().all(text).build().intercept(&any)?;
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        Some(Self { url, parsed })
    }

    /// Where it is, and how to be let in.
    #[must_use]
    pub fn parsed(&self) -> &Intercept {
        &self.parsed
    }

    /// Its whole URL, with the password if it has one.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is of a kind that is spoken here, HTTP.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self.parsed.uri().scheme_str(), Some("http" | "https"))
    }
}

/// Whether a URL is of this machine.
#[must_use]
pub fn is_loopback(url: &Uri) -> bool {
    bypass::is_loopback(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(proxies: &Proxies) -> [Option<String>; 2] {
        ["http://h/", "https://h/"].map(|url| {
            let proxy = proxies.of(&Uri::from_static(url))?;
            Some(proxy.parsed().uri().authority()?.to_string())
        })
    }

    #[test]
    fn each_scheme_has_its_proxy_and_the_other_serves_the_rest() {
        let some = |place: &str| Some(place.to_owned());
        for (http, https, all, expected) in [
            ("", "", "", [None, None]),
            ("http://a:1", "", "", [some("a:1"), None]),
            ("", "b:2", "", [None, some("b:2")]),
            (
                "a:1",
                "",
                "http://me:secret@c:3",
                [some("a:1"), some("c:3")],
            ),
            ("ftp://a:1", "http://", "c:3", [some("c:3"), some("c:3")]),
        ] {
            let proxies = Proxies::new(http, https, all, "");
            assert_eq!(places(&proxies), expected, "{http} {https} {all}");
            assert!(!format!("{proxies:?}").contains("secret"));
        }
    }

    #[test]
    fn proxy_keeps_its_scheme_and_password() {
        let proxies = Proxies::new("me:secret@a:1", "socks5://b:2", "", "");
        let http = proxies.of_scheme("http").unwrap();
        assert_eq!((http.url(), http.is_http()), ("http://me:secret@a:1", true));
        assert!(!proxies.of_scheme("https").unwrap().is_http());
    }
}
