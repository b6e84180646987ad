//! The versions of the API, and which one to speak.

use std::fmt;

use http::HeaderMap;
use serde::Deserialize;

use crate::error::{Cause, DockerClientError};

/// The oldest version that this crate is written for: Docker 19.03.
const OLDEST: ApiVersion = ApiVersion::one(40);
/// The newest: the one that bollard's models are made from.
const NEWEST: ApiVersion = ApiVersion::one(53);

/// A version of the API. All have been 1.x since the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion {
    major: u32,
    minor: u32,
}

impl ApiVersion {
    pub(crate) const fn one(minor: u32) -> Self {
        Self { major: 1, minor }
    }

    pub(crate) fn minor(self) -> u32 {
        self.minor
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The versions that this client speaks.
pub(crate) fn supported() -> String {
    format!("{OLDEST} to {NEWEST}")
}

/// The version to speak with an engine whose newest, which stands above every answer, we know.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<ApiVersion> {
    let newest = ApiVersion::parse(headers.get("api-version")?.to_str().ok()?)?;
    (OLDEST..=NEWEST).contains(&newest).then_some(newest)
}

/// What the engine says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// The engine's release, as `20.10.24`.
    pub version: String,
    /// The newest API version that it speaks.
    pub api_version: String,
    /// The oldest API version that it speaks.
    pub min_api_version: String,
    /// The version that this client uses with it.
    pub negotiated: String,
    /// The engine's operating system, as `linux`.
    pub os: String,
    /// The engine's processor architecture, as `amd64`.
    pub architecture: String,
}

/// The answer to `GET /version`.
#[derive(Debug)]
pub(crate) struct Answer {
    fields: Fields,
    newest: ApiVersion,
    oldest: ApiVersion,
}

#[derive(Debug, Deserialize)]
struct Fields {
    #[serde(rename = "Version", default)]
    version: String,
    #[serde(rename = "ApiVersion")]
    api: String,
    #[serde(rename = "MinAPIVersion", default)]
    min_api: String,
    #[serde(rename = "Os", default)]
    os: String,
    #[serde(rename = "Arch", default)]
    arch: String,
}

impl Answer {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Cause> {
        let fields: Fields = serde_json::from_slice(json)?;
        let newest = ApiVersion::parse(&fields.api).ok_or("its ApiVersion is no version")?;
        // Engines before 1.25 do not say it.
        let oldest = ApiVersion::parse(&fields.min_api).unwrap_or(ApiVersion::one(0));
        Ok(Self {
            fields,
            newest,
            oldest,
        })
    }

    /// The newest version in common.
    pub(crate) fn negotiate(&self, address: &str) -> Result<ApiVersion, DockerClientError> {
        let older = match () {
            () if self.newest < OLDEST => "engine",
            () if self.oldest > NEWEST => "client",
            () => return Ok(self.newest.min(NEWEST)),
        };
        Err(DockerClientError::ApiVersion {
            address: address.to_owned(),
            engine: format!("{} to {}", self.oldest, self.newest),
            client: supported(),
            older,
        })
    }

    pub(crate) fn with(self, negotiated: ApiVersion) -> EngineVersion {
        EngineVersion {
            version: self.fields.version,
            api_version: self.newest.to_string(),
            min_api_version: self.oldest.to_string(),
            negotiated: negotiated.to_string(),
            os: self.fields.os,
            architecture: self.fields.arch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(oldest: &str, newest: &str) -> Result<String, String> {
        let json = format!(r#"{{"ApiVersion":"{newest}","MinAPIVersion":"{oldest}"}}"#);
        let answer = Answer::parse(json.as_bytes()).unwrap();
        answer
            .negotiate("unix:///s")
            .map(|version| version.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_newest_version_in_common_is_spoken() {
        assert_eq!(negotiate("1.12", "1.41").unwrap(), "1.41");
        assert_eq!(negotiate("1.44", "1.99").unwrap(), "1.53");
        assert_eq!(negotiate("1.53", "1.60").unwrap(), "1.53");
        assert_eq!(negotiate("", "1.40").unwrap(), "1.40");
    }

    #[test]
    fn who_is_too_old_is_told() {
        let error = negotiate("1.12", "1.39").unwrap_err();
        assert!(
            error.contains("1.12 to 1.39") && error.contains("upgrade the engine"),
            "{error}"
        );
        let error = negotiate("1.54", "1.60").unwrap_err();
        assert!(
            error.contains("1.40 to 1.53") && error.contains("upgrade the client"),
            "{error}"
        );
        assert!(
            negotiate("2.0", "2.1")
                .unwrap_err()
                .contains("upgrade the client")
        );
    }

    #[test]
    fn an_answer_that_is_no_version_is_an_error() {
        for json in [&b""[..], b"{}", b"[]", br#"{"ApiVersion":"x"}"#, b"\xff"] {
            assert!(Answer::parse(json).is_err());
        }
    }
}
