//! Names, checked against Docker's grammar before they go into a path: unchecked,
//! `a/../../images/create?x=` would reach another endpoint.

use crate::error::{DockerClientError, NameKind};

/// Docker sets no limit for containers; its limit for image names serves for all.
const LONGEST: usize = 255;
const LONGEST_TAG: usize = 128;

/// A container's name, id, or prefix of an id; without the slash that the API puts before names.
pub(crate) fn container(name: &str) -> Result<&str, DockerClientError> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    restricted(bare).map_err(|reason| refused(NameKind::Container, name, reason))?;
    Ok(bare)
}

/// A name that a container shall have.
pub(crate) fn new_container(name: &str) -> Result<&str, DockerClientError> {
    let bare = container(name)?;
    match bare.len() {
        1 => Err(refused(
            NameKind::Container,
            name,
            "a new name has two characters or more",
        )),
        _ => Ok(bare),
    }
}

/// A network's name or id.
pub(crate) fn network(name: &str) -> Result<&str, DockerClientError> {
    restricted(name).map_err(|reason| refused(NameKind::Network, name, reason))?;
    Ok(name)
}

/// A volume's name.
pub(crate) fn volume(name: &str) -> Result<&str, DockerClientError> {
    restricted(name).map_err(|reason| refused(NameKind::Volume, name, reason))?;
    Ok(name)
}

/// An image's reference or id.
pub(crate) fn image(name: &str) -> Result<&str, DockerClientError> {
    Reference::parse(name).map(|_| name)
}

/// Docker's `RestrictedNameChars`.
fn restricted(name: &str) -> Result<(), &'static str> {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    match name.as_bytes() {
        [] => Err("it is empty"),
        bytes if bytes.len() > LONGEST => Err("it is longer than 255 bytes"),
        [first, ..] if !first.is_ascii_alphanumeric() => {
            Err("it must begin with a letter or digit")
        }
        bytes if !bytes.iter().all(|b| inside(*b)) => {
            Err("only letters, digits, `_`, `.` and `-` are allowed")
        }
        _ => Ok(()),
    }
}

/// An image's reference, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The registry's host, and port if there is one.
    pub(crate) domain: Option<&'a str>,
    /// With the registry: what stands before tag and digest.
    pub(crate) name: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// `[domain/]path[:tag][@digest]`, or an id.
    pub(crate) fn parse(text: &'a str) -> Result<Self, DockerClientError> {
        Self::parts(text).map_err(|reason| refused(NameKind::Image, text, reason))
    }

    fn parts(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > 2 * LONGEST + LONGEST_TAG {
            return Err("it is too long");
        }
        if is_digest(text) {
            return Ok(Self {
                domain: None,
                name: text,
                tag: None,
                digest: None,
            });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest)),
            Some(_) => return Err("what follows `@` is no digest, `sha256:` and 64 hex digits"),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A port's colon has a slash behind it.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err("the tag has letters, digits, `_`, `.` and `-`, 128 at most");
        }
        if name.is_empty() || name.len() > LONGEST {
            return Err("it is empty or longer than 255 bytes");
        }
        let (domain, path) = match name.split_once('/') {
            Some((domain, path)) if is_domain(domain) => (Some(domain), path),
            _ => (None, name),
        };
        if !path.split('/').all(is_component) {
            return Err(
                "its path has lower-case letters and digits, parted by `.`, `_`, `__`, `-` or `/`",
            );
        }
        Ok(Self {
            domain,
            name,
            tag,
            digest,
        })
    }
}

/// What stands before the first slash is a registry if no path could look so.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let told = text.contains(['.', ':'])
        || text == "localhost"
        || text.bytes().any(|b| b.is_ascii_uppercase());
    told && host.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    word(*first)
        && word(*last)
        && bytes.split(|b| word(*b)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-')
        })
}

fn is_tag(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= LONGEST_TAG
        && text.bytes().next().is_some_and(inside)
        && text.bytes().all(|b| inside(b) || b == b'.' || b == b'-')
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        matches!(algorithm, "sha256" | "sha512")
            && hex.len() == if algorithm == "sha256" { 64 } else { 128 }
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn refused(kind: NameKind, name: &str, reason: &'static str) -> DockerClientError {
    DockerClientError::InvalidName {
        kind,
        name: name.chars().take(LONGEST).collect(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ESCAPE: &str = "a/../../images/create?x=";

    #[test]
    fn names_and_ids_pass() {
        for name in ["web", "a", "0", "my_app.1-b", "f00dfeed", "/web"] {
            assert_eq!(container(name).unwrap(), name.trim_start_matches('/'));
        }
        assert!(network("my-net_1").is_ok() && volume("data.1").is_ok());
    }

    #[test]
    fn a_new_name_of_one_character_is_refused() {
        assert!(new_container("a").is_err());
        assert_eq!(new_container("/ab").unwrap(), "ab");
    }

    #[test]
    fn what_would_reach_another_endpoint_is_refused() {
        for name in [
            "", "/", "//a", "..", ".a", "-a", "a/b", "a b", "a?x", "a#b", "a%2fb", "ä", "a\n",
            ESCAPE,
        ] {
            assert!(container(name).is_err() && network(name).is_err() && volume(name).is_err());
        }
        for name in [
            "", "..", "a/..", "a//b", "/a", "a/", "a?x", "a#b", "a b", "a%2f", ESCAPE,
        ] {
            assert!(image(name).is_err(), "{name}");
        }
        assert!(container(&"a".repeat(256)).is_err());
    }

    #[test]
    fn references_have_their_parts() {
        let hex = "0123456789abcdef".repeat(4);
        let digest = format!("sha256:{hex}");
        let full = format!("localhost:5000/a/b_c:1.0@{digest}");
        let parts = Reference::parse(&full).unwrap();
        assert_eq!(parts.domain, Some("localhost:5000"));
        assert_eq!(parts.name, "localhost:5000/a/b_c");
        assert_eq!((parts.tag, parts.digest), (Some("1.0"), Some(&*digest)));
        let parts = Reference::parse("library/alpine").unwrap();
        assert_eq!((parts.domain, parts.tag), (None, None));
        assert_eq!(
            Reference::parse("ghcr.io/a/b").unwrap().domain,
            Some("ghcr.io")
        );
        for name in [&*digest, &hex[..12], "alpine", "a__b/c---d", "a.b-c:T_1"] {
            assert!(image(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn references_against_the_grammar_are_refused() {
        for name in [
            "Alpine",
            "a:",
            "a:-b",
            "a@sha256:00",
            "a___b",
            "a.-b",
            "-a",
            "a:b:c",
            "a..b/c",
            "h.:x/a",
        ] {
            assert!(image(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_in_its_place_in_a_path(name in ".{0,40}") {
            for checked in [container(&name), network(&name), volume(&name), image(&name)].into_iter().flatten() {
                prop_assert!(!checked.contains("..") || !checked.contains('/') || image(&name).is_ok());
                prop_assert!(checked.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
                prop_assert!(checked.bytes().all(|b| b.is_ascii_graphic() && !b"?#%\\".contains(&b)));
            }
        }
    }
}
