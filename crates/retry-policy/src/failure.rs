//! Why one attempt did not deliver.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why one attempt did not deliver.
#[derive(Debug)]
pub struct RequestError {
    /// What happened, as far as the verdict depends on it.
    pub kind: RequestErrorKind,
    /// The cause in the client below.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// What happened to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// The service did not answer: name resolution, connection, TLS, time-out, or an
    /// answer that cannot be read.
    NoResponse,
    /// There are no credentials to sign the request with.
    NoCredentials,
    /// There should be credentials, but whoever gives them did not.
    CredentialsUnavailable,
    /// The service answered with an error.
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The service's error code, empty if the answer had none.
        code: String,
        /// The service's own words.
        message: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RequestErrorKind::NoResponse => f.write_str("the service did not answer"),
            RequestErrorKind::NoCredentials => {
                f.write_str("no credentials to sign the request with")
            }
            RequestErrorKind::CredentialsUnavailable => {
                f.write_str("the credentials are unavailable")
            }
            RequestErrorKind::Rejected {
                status,
                code,
                message,
                ..
            } => {
                write!(f, "the service answered {status}")?;
                for part in [code, message].into_iter().filter(|part| !part.is_empty()) {
                    write!(f, " {part}")?;
                }
                Ok(())
            }
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<RequestErrorKind> for RequestError {
    fn from(kind: RequestErrorKind) -> Self {
        Self { kind, source: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> RequestError {
        RequestError {
            kind: RequestErrorKind::Rejected {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
                retry_after: None,
            },
            source: None,
        }
    }

    #[test]
    fn failure_says_what_the_service_said_and_no_more() {
        let throttled = refused(400, "Throttling", "Rate exceeded");
        assert_eq!(
            throttled.to_string(),
            "the service answered 400 Throttling Rate exceeded"
        );
        let by_a_proxy = refused(503, "", "");
        assert_eq!(by_a_proxy.to_string(), "the service answered 503");
    }

    #[test]
    fn failure_leads_to_its_cause() {
        let failure = RequestError {
            kind: RequestErrorKind::NoResponse,
            source: Some("refused".into()),
        };
        assert_eq!(failure.to_string(), "the service did not answer");
        assert_eq!(failure.source().unwrap().to_string(), "refused");
    }
}
