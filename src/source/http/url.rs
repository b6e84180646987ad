//! URLs that a request can be made to, shown without what may be secret in them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::text::excerpt;

/// An `http` or `https` URL. User name and password are kept apart from it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpUrl(Arc<Parts>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parts {
    uri: Uri,
    url: Url,
    basic_auth: Option<HeaderValue>,
}

/// Why a text is no URL of a web server. The text is not shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseUrlError {
    #[error("the URL is malformed, write http://host:port/path")]
    Malformed { source: url::ParseError },
    #[error("the URL begins with {scheme}:, write http://host:port/path or https://host/path")]
    Scheme { scheme: String },
    #[error(
        "the URL has characters beyond ASCII, percent-encode those of the path and write the host's name as xn--…"
    )]
    NotAscii,
    #[error("the URL has a character that must be percent-encoded")]
    Character { source: http::uri::InvalidUri },
}

impl HttpUrl {
    /// The URL without user name and password.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.0.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.url.scheme() == "https"
    }

    /// Whether scheme, host and port are the same.
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        self.0.url.origin() == other.0.url.origin()
    }

    /// The URL that `location` names when this one redirects to it. The user name and
    /// password go along within the origin, as browsers and curl do it.
    pub(super) fn join(&self, location: &str) -> Result<Self, ParseUrlError> {
        check_ascii(location)?;
        let url = self.0.url.join(location);
        let next = Self::new(url.map_err(|source| ParseUrlError::Malformed { source })?)?;
        if next.basic_auth().is_some() || !next.is_same_origin(self) {
            return Ok(next);
        }
        let mut parts = Arc::unwrap_or_clone(next.0);
        parts.basic_auth = self.basic_auth();
        Ok(Self(parts.into()))
    }

    /// Host, and port unless it is the scheme's own.
    pub(super) fn host_header(&self) -> HeaderValue {
        let authority = self.0.uri.authority().map_or("", |a| a.as_str());
        HeaderValue::from_str(authority).expect("a parsed authority is visible ASCII")
    }

    /// The `Authorization` that the user name and password stand for.
    pub(super) fn basic_auth(&self) -> Option<HeaderValue> {
        self.0.basic_auth.clone()
    }

    fn new(mut url: Url) -> Result<Self, ParseUrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ParseUrlError::Scheme {
                scheme: excerpt(url.scheme()),
            });
        }
        let basic_auth = basic_auth(&url);
        // Neither can fail for a URL with a host, which these schemes always have.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let uri = url.as_str().parse();
        let parts = Parts {
            uri: uri.map_err(|source| ParseUrlError::Character { source })?,
            url,
            basic_auth,
        };
        Ok(Self(parts.into()))
    }
}

/// A URL is ASCII (RFC 3986, 2), only browsers take more. `idna_adapter` is the version that
/// knows no international names, so none may reach it, percent-encoded or not.
fn check_ascii(text: &str) -> Result<(), ParseUrlError> {
    let (_, behind_scheme) = text.split_once("//").unwrap_or_default();
    let authority = behind_scheme.split(['/', '\\', '?', '#']).next();
    let host = authority.unwrap_or_default().rsplit('@').next();
    if text.is_ascii() && !host.unwrap_or_default().contains('%') {
        Ok(())
    } else {
        Err(ParseUrlError::NotAscii)
    }
}

impl FromStr for HttpUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        check_ascii(text)?;
        Self::new(Url::parse(text).map_err(|source| ParseUrlError::Malformed { source })?)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.url.clone();
        shown.set_query(None);
        let query = if self.0.url.query().is_some() {
            "?…"
        } else {
            ""
        };
        write!(f, "{}{query}", excerpt(shown.as_str()))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

fn basic_auth(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut plain: Vec<u8> = percent_decode_str(url.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(url.password().unwrap_or_default()));
    let value = format!("Basic {}", STANDARD.encode(plain));
    let mut value = HeaderValue::try_from(value).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_shown_nor_sent_in_the_target() {
        let url: HttpUrl = "https://me:pa%20ss@example.com:8443/a?token=x"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "https://example.com:8443/a?…");
        assert_eq!(format!("{url:?}"), "HttpUrl(https://example.com:8443/a?…)");
        assert_eq!(url.uri(), "https://example.com:8443/a?token=x");
        assert_eq!(url.basic_auth().unwrap(), "Basic bWU6cGEgc3M=");
        assert_eq!(url.host_header(), "example.com:8443");
    }

    #[test]
    fn redirect_keeps_the_password_within_the_origin_only() {
        let url: HttpUrl = "http://me:pass@127.0.0.1/a/b".parse().unwrap();
        let near = url.join("../c#part").unwrap();
        assert_eq!(near.uri(), "http://127.0.0.1/c");
        assert_eq!(near.basic_auth(), url.basic_auth());
        let other = url.join("http://you@127.0.0.1/").unwrap();
        assert_ne!(other.basic_auth(), url.basic_auth());
        for far in ["https://127.0.0.1/", "http://127.0.0.1:81/", "//localhost/"] {
            assert!(url.join(far).unwrap().basic_auth().is_none(), "{far}");
        }
    }

    #[test]
    fn host_beyond_ascii_is_refused_with_the_way_to_write_it() {
        for text in [
            "http://Bücher.example/",
            "http://A\u{fdcf}",
            "http://me@A%EF%B7%8F/",
        ] {
            let error = text.parse::<HttpUrl>().unwrap_err();
            assert!(error.to_string().contains("xn--"), "{error}");
        }
        let url: HttpUrl = "http://xn--bcher-kva.example/a%20b".parse().unwrap();
        assert_eq!(url.host(), "xn--bcher-kva.example");
        assert!(url.join("//B\u{fc}cher.example/").is_err());
    }

    #[test]
    fn other_texts_are_refused_without_showing_them() {
        for (text, part) in [
            ("http://me:secret@", "malformed"),
            ("http://me:secret@host:99999/", "malformed"),
            ("ftp://me:secret@host/", "begins with ftp:"),
        ] {
            let error = text.parse::<HttpUrl>().unwrap_err();
            let error = crate::telemetry::chain(&error);
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
