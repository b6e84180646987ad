//! The access keys that the endpoint knows.

use std::collections::HashMap;

/// An access key with its secret, and the session token of temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) expired: bool,
}

impl Credentials {
    /// Long-lived credentials.
    #[must_use]
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: None,
            expired: false,
        }
    }

    /// Temporary credentials: each request must carry this token.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.session_token = Some(token.to_owned());
        self
    }

    /// Credentials past their time: well signed requests are answered with `ExpiredToken`.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
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
