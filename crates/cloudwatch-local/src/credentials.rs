//! The access keys that the endpoint knows.

use std::collections::HashMap;
use std::time::SystemTime;

/// An access key with its secret, and the session token of temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    /// When they are past their time.
    pub(crate) end: Option<SystemTime>,
}

impl Credentials {
    /// Long-lived credentials.
    #[must_use]
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: None,
            end: None,
        }
    }

    /// Temporary credentials: each request must carry this token.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// Credentials that have an end: from then on, well signed requests are answered with
    /// `ExpiredToken`.
    #[must_use]
    pub fn expire_at(mut self, end: SystemTime) -> Self {
        self.end = Some(end);
        self
    }

    /// Credentials past their time.
    #[must_use]
    pub fn expired(self) -> Self {
        self.expire_at(SystemTime::UNIX_EPOCH)
    }
}

/// All credentials, by access key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring(HashMap<String, Credentials>);

impl Keyring {
    pub(crate) fn find(&self, access_key: &str) -> Option<&Credentials> {
        self.0.get(access_key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, credentials: Credentials) {
        self.0.insert(credentials.access_key.clone(), credentials);
    }

    pub(crate) fn remove(&mut self, access_key: &str) {
        self.0.remove(access_key);
    }
}
