//! Why a request failed: a code to act on, and words for people.

use std::error::Error;
use std::fmt;

use docker_client::DockerClientError;
use serde::Serialize;

use crate::time::Moment;

/// The groups of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ErrorType {
    DockerApiError,
    SocketCommunicationError,
    ValidationError,
    SystemError,
    AuthorizationError,
}

macro_rules! codes {
    ($($group:ident: $($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+)+) => {
        /// What went wrong. The README has each with its cause and its cure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($($(#[doc = $doc])+ $name,)+)+
        }

        impl ErrorCode {
            /// All of them, in the order of the README.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// As it is told.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)+)+
                }
            }

            /// The group that it is in.
            #[must_use]
            pub fn error_type(self) -> ErrorType {
                match self {
                    $($(Self::$name)|+ => ErrorType::$group,)+
                }
            }
        }
    };
}

codes! {
    DockerApiError:
        /// None of ours has this name or id.
        ContainerNotFound = "container_not_found",
        /// Another container has the name.
        NameTaken = "name_taken",
        /// The engine has no such image, and could not pull it.
        ImageNotFound = "image_not_found",
        /// The container's state forbids it.
        InvalidState = "invalid_state",
        /// It runs, and `force` was not given.
        ContainerRunning = "container_running",
        /// A port of the host is taken.
        PortTaken = "port_taken",
        /// The program in the container cannot be started.
        CommandNotFound = "command_not_found",
        /// Its log cannot be read.
        LogsUnavailable = "logs_unavailable",
        /// The image does not say where its code is.
        NoCodeDir = "no_code_dir",
        /// Its code cannot be replaced.
        NotUpdatable = "not_updatable",
        /// The flow did not come up with the new code.
        UpdateFailed = "update_failed",
        /// There are as many containers as there may be.
        TooManyContainers = "too_many_containers",
        /// The engine cannot be reached.
        EngineUnavailable = "engine_unavailable",
        /// The engine did not answer in time.
        EngineTimeout = "engine_timeout",
        /// The engine refused for another reason.
        EngineError = "engine_error",
    SocketCommunicationError:
        /// No flow is connected.
        FlowNotConnected = "flow_not_connected",
        /// Too much waits to be written to it.
        FlowBusy = "flow_busy",
        /// It did not reply in time.
        FlowTimeout = "flow_timeout",
        /// The connection was lost.
        FlowDisconnected = "flow_disconnected",
        /// The socket cannot be set up.
        SocketUnavailable = "socket_unavailable",
    ValidationError:
        /// No event of this name is known.
        UnknownEvent = "unknown_event",
        /// The request is not one object with the documented fields.
        InvalidRequest = "invalid_request",
        /// A value of it is not allowed.
        InvalidValue = "invalid_value",
        /// The message is too long or nests too deep.
        MessageTooLarge = "message_too_large",
        /// The image is not one of `IMAGES`.
        ImageNotAllowed = "image_not_allowed",
        /// The mount is not below one of `MOUNT_ROOTS`.
        MountNotAllowed = "mount_not_allowed",
        /// The code is not below one of `CODE_ROOTS`.
        CodePathNotAllowed = "code_path_not_allowed",
    SystemError:
        /// Something in flow-manager broke.
        Internal = "internal",
        /// Too many requests of the client are under way.
        TooManyRequests = "too_many_requests",
        /// Too many operations wait for the container.
        ContainerBusy = "container_busy",
        /// What must be written to the disk cannot be.
        StateNotWritten = "state_not_written",
        /// flow-manager is stopping.
        ShuttingDown = "shutting_down",
    AuthorizationError:
        /// There is no token.
        MissingToken = "missing_token",
        /// The token is none of those known.
        InvalidToken = "invalid_token",
        /// Too many wrong tokens came from this address.
        RateLimited = "rate_limited",
        /// Too many clients are connected.
        TooManyClients = "too_many_clients",
        /// The role does not allow it.
        Forbidden = "forbidden",
}

impl ErrorCode {
    /// Whether something failed that who runs the program may have to mend. The others are the
    /// client's own, and an engine that is away is logged once.
    #[must_use]
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Self::ImageNotFound
                | Self::PortTaken
                | Self::CommandNotFound
                | Self::LogsUnavailable
                | Self::UpdateFailed
                | Self::EngineTimeout
                | Self::EngineError
                | Self::SocketUnavailable
                | Self::TooManyContainers
                | Self::Internal
                | Self::StateNotWritten
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why something failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What to act on.
    pub code: ErrorCode,
    /// What to tell people.
    pub message: String,
    /// Whether what was begun was undone; `None` where nothing had to be.
    pub rolled_back: Option<bool>,
    /// The cause, for the log.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure without a cause of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            rolled_back: None,
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// No container of ours is called so.
    #[must_use]
    pub fn no_container(name: &str) -> Self {
        let name = diagnostics::redacted_prefix(name);
        Self::new(ErrorCode::ContainerNotFound, format!("No container {name}"))
    }
}

impl From<DockerClientError> for Failure {
    /// What the engine said goes to the client: who may ask may know, and it says what to do.
    fn from(error: DockerClientError) -> Self {
        use DockerClientError as Docker;
        let code = match &error {
            Docker::ContainerNotFound { .. } => ErrorCode::ContainerNotFound,
            Docker::ImageNotFound { .. } | Docker::Credentials { .. } => ErrorCode::ImageNotFound,
            Docker::InvalidName { .. } | Docker::InvalidArgument { .. } => ErrorCode::InvalidValue,
            Docker::ContainerCommand { .. } => ErrorCode::CommandNotFound,
            Docker::NotRunning { .. } => ErrorCode::InvalidState,
            Docker::Conflict { message, .. } if message.contains("already in use") => {
                ErrorCode::NameTaken
            }
            Docker::Conflict { .. } => ErrorCode::InvalidState,
            Docker::LogsUnavailable { .. } => ErrorCode::LogsUnavailable,
            Docker::EngineUnavailable { .. }
            | Docker::PermissionDenied { .. }
            | Docker::ApiVersion { .. }
            | Docker::Address { .. } => ErrorCode::EngineUnavailable,
            Docker::Timeout { .. } => ErrorCode::EngineTimeout,
            Docker::Engine { message, .. } if is_port_taken(message) => ErrorCode::PortTaken,
            Docker::Engine { status: 400, .. } => ErrorCode::InvalidValue,
            _ => ErrorCode::EngineError,
        };
        Self::new(code, error.to_string()).because(error)
    }
}

fn is_port_taken(message: &str) -> bool {
    ["port is already allocated", "address already in use"]
        .iter()
        .any(|words| message.contains(words))
}

/// What a client is told of a failure.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    request_id: Option<&'a str>,
    error: bool,
    error_type: ErrorType,
    message: String,
    details: Details<'a>,
    timestamp: Moment,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    container_id: Option<&'a str>,
    operation: &'a str,
    code: ErrorCode,
    rolled_back: Option<bool>,
}

impl<'a> ErrorBody<'a> {
    /// The failure of one request.
    #[must_use]
    pub fn new(
        failure: &Failure,
        operation: &'a str,
        request_id: Option<&'a str>,
        container_id: Option<&'a str>,
        timestamp: Moment,
    ) -> Self {
        Self {
            request_id,
            error: true,
            error_type: failure.code.error_type(),
            message: diagnostics::one_line(&failure.message),
            details: Details {
                container_id,
                operation,
                code: failure.code,
                rolled_back: failure.rolled_back,
            },
            timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn error_is_told_as_documented() {
        let failure = Failure::no_container("a");
        let time = "2026-11-21T10:00:00Z".parse().unwrap();
        let body = ErrorBody::new(&failure, "start_container", Some("r1"), Some("a"), time);
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({"request_id": "r1", "error": true, "error_type": "docker_api_error",
                "message": "No container a",
                "details": {"container_id": "a", "operation": "start_container",
                    "code": "container_not_found", "rolled_back": null},
                "timestamp": "2026-11-21T10:00:00.000Z"})
        );
    }

    #[test]
    fn codes_differ_and_each_stands_in_the_readme() {
        let readme = include_str!("../README.md");
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} is there twice");
            assert!(
                readme.contains(&format!("| `{code}` |")),
                "{code} is not told"
            );
        }
    }

    #[test]
    fn refusals_of_the_engine_have_codes_of_their_own() {
        let engine = |status, message: &str| DockerClientError::Engine {
            operation: "start container \"a\"".to_owned(),
            status,
            message: message.to_owned(),
        };
        let taken = engine(
            500,
            "Bind for 127.0.0.1:80 failed: port is already allocated",
        );
        for (error, code) in [
            (taken, ErrorCode::PortTaken),
            (
                engine(500, "no space left on device"),
                ErrorCode::EngineError,
            ),
            (engine(400, "invalid mount"), ErrorCode::InvalidValue),
        ] {
            assert_eq!(Failure::from(error).code, code);
        }
    }
}
