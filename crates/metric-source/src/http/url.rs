//! URLs that a request can be made to, shown without what may be secret in them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diagnostics::redacted_prefix;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

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
    #[error(
        "the URL does not begin with http:// or https://, write http://host:port/path or https://host/path"
    )]
    Scheme,
    #[error("the URL has a character that must be percent-encoded")]
    Character { source: http::uri::InvalidUri },
}

impl HttpUrl {
    /// The URL without user name and password.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0.uri
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
        let url = self.0.url.join(location);
        let next = Self::new(url.map_err(|source| ParseUrlError::Malformed { source })?)?;
        if next.basic_auth().is_some() || !next.is_same_origin(self) {
            return Ok(next);
        }
        let mut parts = Arc::unwrap_or_clone(next.0);
        parts.basic_auth = self.basic_auth();
        Ok(Self(parts.into()))
    }

    /// The `Authorization` that the user name and password stand for.
    pub(super) fn basic_auth(&self) -> Option<HeaderValue> {
        self.0.basic_auth.clone()
    }

    fn new(mut url: Url) -> Result<Self, ParseUrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ParseUrlError::Scheme);
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

impl FromStr for HttpUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        Self::new(Url::parse(text).map_err(|source| ParseUrlError::Malformed { source })?)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.url.clone();
        shown.set_query(None);
        // A user name is cut off by a '/' in the password, and then that is a path.
        let mut more = "";
        if shown.path().contains('@') {
            shown.set_path("");
            more = "…";
        } else if self.0.url.query().is_some() {
            more = "?…";
        }
        write!(f, "{}{more}", redacted_prefix(shown.as_str()))
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
    use proptest::prelude::*;
    use test_support::cases;

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
    fn international_name_is_asked_for_in_its_ascii_form() {
        for text in [
            "http://B\u{fc}cher.example/%C3%A4",
            "http://me@b%C3%BCcher.example/\u{e4}",
            "http://xn--bcher-kva.example/\u{e4}",
        ] {
            let url: HttpUrl = text.parse().unwrap();
            assert_eq!(url.uri(), "http://xn--bcher-kva.example/%C3%A4");
        }
        let near: HttpUrl = "http://me:pass@b\u{fc}cher.example/".parse().unwrap();
        let same = near.join("//xn--bcher-kva.example/a").unwrap();
        assert_eq!(same.basic_auth(), near.basic_auth());
        assert!("http://\u{ad}/".parse::<HttpUrl>().is_err());
    }

    #[test]
    fn other_texts_are_refused_without_showing_them() {
        for (text, part) in [
            ("http://me:secret@", "malformed"),
            ("http://me:secret@host:99999/", "malformed"),
            ("ftp://me:secret@host/", "does not begin with http://"),
        ] {
            let error = text.parse::<HttpUrl>().unwrap_err();
            let error = diagnostics::chain(&error);
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn any_text_is_read_or_refused(
            start in prop::sample::select(vec!["", "http://", "https://", "http:/", "HTTP://"]),
            text in prop_oneof![any::<String>(), "[a-z0-9.:/@?#%\\[\\]\\\\ -]{0,40}"],
            place in prop_oneof![any::<String>(), "[a-z0-9.:/@?#%\\[\\]\\\\ -]{0,40}"],
        ) {
            let Ok(url) = format!("{start}{text}").parse::<HttpUrl>() else { return Ok(()) };
            prop_assert!(url.uri().host().is_some_and(|host| !host.is_empty()));
            let again: HttpUrl = url.uri().to_string().parse().unwrap();
            prop_assert_eq!(again.uri(), url.uri());
            if let Ok(next) = url.join(&place) {
                prop_assert!(next.basic_auth().is_none()
                    || next.is_same_origin(&url)
                    || place.contains('@'));
            }
        }

        #[test]
        fn parts_that_are_written_are_those_that_are_read(
            user in "[a-z]{0,4}",
            password in "[A-Z%:]{0,6}",
            host in "[a-z][a-z0-9.-]{0,8}[a-z]",
            port in prop::option::of(1_u16..),
            path in "(/[a-z0-9._-]{1,4}){0,3}",
            query in prop::option::of("[A-Z=&]{0,6}"),
        ) {
            let secret = password.replace('%', "%25").replace(':', "%3A");
            let port_text = port.map(|port| format!(":{port}")).unwrap_or_default();
            let query_text = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            let user_info = if user.is_empty() && password.is_empty() {
                String::new()
            } else {
                format!("{user}:{secret}@")
            };
            let text = format!("http://{user_info}{host}{port_text}{path}{query_text}");
            let Ok(url) = text.parse::<HttpUrl>() else { return Ok(()) };
            prop_assert_eq!(url.uri().host(), Some(&*host));
            prop_assert_eq!(url.uri().port_u16(), port.filter(|port| *port != 80));
            prop_assert_eq!(url.uri().query(), query.as_deref());
            let basic = url.basic_auth().map(|basic| basic.to_str().unwrap().to_owned());
            let plain = format!("{user}:{password}");
            let expected = format!("Basic {}", STANDARD.encode(plain));
            prop_assert_eq!(basic, (!user_info.is_empty()).then_some(expected));
            // Only what is secret is in upper case.
            let shown = format!("{url} {url:?}").replace("HttpUrl", "");
            prop_assert!(!shown.contains(|c: char| c.is_ascii_uppercase()), "{}", shown);
        }
    }
}
