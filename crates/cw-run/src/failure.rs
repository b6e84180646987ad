//! Why a run failed, and the one place that says so.

use std::io::Write;

use diagnostics::{chain, one_line};
use docker_client::DockerClientError;
use retry_policy::RequestError;

use crate::checkpoint::CheckpointError;
use crate::verdict::Operation;

/// The exit codes that are ours.
pub mod exit {
    /// Not everything could be shipped in time.
    pub const UNSHIPPED: u8 = 124;
    /// This program failed.
    pub const FAILED: u8 = 125;
    /// Wrong arguments.
    pub const USAGE: u8 = 2;
    /// Wrong configuration; `EX_CONFIG` of sysexits.h.
    pub const CONFIGURATION: u8 = 78;
    /// A signal came before the container ran: 128 and SIGTERM's number.
    pub const STOPPED: u8 = 143;
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The engine refused or was not there.
    #[error("{action}")]
    Docker {
        /// What was tried.
        action: &'static str,
        /// What the engine said.
        #[source]
        source: Box<DockerClientError>,
    },
    /// The container's program could not be started.
    #[error("start the container")]
    Start {
        /// The shell that was to run, if there was one.
        shell: Option<String>,
        /// What the engine said.
        #[source]
        source: Box<DockerClientError>,
    },
    /// The engine keeps no log that could be read.
    #[error(
        "container {name:?} has the logging driver none, which keeps nothing that could be shipped"
    )]
    NoLog {
        /// The container.
        name: String,
    },
    /// There are no credentials.
    #[error("find credentials for AWS")]
    Credentials {
        /// Why not.
        #[source]
        source: Box<RequestError>,
    },
    /// The connection to AWS cannot be set up.
    #[error("connect to AWS: {reason}")]
    Connection {
        /// Why not.
        reason: String,
    },
    /// Group or stream are missing and not to be created.
    #[error("there is no log stream {stream:?} in group {group:?}, and --no-create is given")]
    NoStream {
        /// The group.
        group: String,
        /// The stream.
        stream: String,
    },
    /// The service refused.
    #[error("{} for {group:?}", .operation.name())]
    Service {
        /// What was asked.
        operation: Operation,
        /// The group.
        group: String,
        /// What it said.
        #[source]
        source: Box<RequestError>,
    },
    /// The checkpoint.
    #[error("use the checkpoint")]
    Checkpoint {
        /// Why not.
        #[source]
        source: CheckpointError,
    },
    /// The container of the checkpoint is gone.
    #[error("container {id} of the checkpoint is gone before all its lines were shipped")]
    ContainerGone {
        /// Its id.
        id: String,
    },
    /// A signal came first.
    #[error("stopped before the container ran")]
    Stopped,
    /// A second signal came.
    #[error(
        "ended by a second signal, what runs is left running and its last lines are not shipped"
    )]
    Abandoned,
    /// An error of this program's own.
    #[error("this program panicked, what runs is left running; the panic's message stands above")]
    Panicked,
    /// The process itself could not be set up.
    #[error("set up the process")]
    Process {
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl RunError {
    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Start { source, .. } => match **source {
                DockerClientError::ContainerCommand { exit_code, .. } => {
                    u8::try_from(exit_code).unwrap_or(exit::FAILED)
                }
                _ => exit::FAILED,
            },
            Self::Credentials { .. } | Self::Connection { .. } | Self::NoStream { .. } => {
                exit::CONFIGURATION
            }
            Self::Checkpoint { source } if source.is_configuration() => exit::CONFIGURATION,
            Self::Stopped | Self::Abandoned => exit::STOPPED,
            _ => exit::FAILED,
        }
    }

    /// What somebody can do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Start { shell: Some(shell), source } if is_command(source) => {
                format!("the image has no {shell}: write --shell sh, or -- and the words of the program")
            }
            Self::Start { source, .. } => match **source {
                DockerClientError::ContainerCommand { .. } => "look at the image's programs, or at --entrypoint and the words behind --".to_owned(),
                _ => return docker_hint(source),
            },
            Self::NoLog { .. } => "set the engine's log-driver, or the container's, to json-file or local".to_owned(),
            Self::Credentials { .. } => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role".to_owned(),
            Self::NoStream { .. } => "create it, or leave out --no-create".to_owned(),
            Self::Service { operation, .. } => format!("the policy needs logs:{}", operation.name()),
            Self::Checkpoint { source } => source.hint().to_owned(),
            Self::ContainerGone { .. } => "remove the checkpoint's file to run a new one".to_owned(),
            Self::Docker { source, .. } => return docker_hint(source),
            Self::Panicked => "report it; a run with --checkpoint is taken up by the next".to_owned(),
            Self::Connection { .. } | Self::Stopped | Self::Abandoned | Self::Process { .. } => return None,
        })
    }
}

fn is_command(error: &DockerClientError) -> bool {
    matches!(
        error,
        DockerClientError::ContainerCommand { exit_code: 127, .. }
    )
}

/// Most of its messages say what to do.
fn docker_hint(error: &DockerClientError) -> Option<String> {
    match error {
        DockerClientError::ImageNotFound { .. } => {
            Some("look at the image's name, or at --pull".to_owned())
        }
        DockerClientError::Conflict { .. } => {
            Some("remove the other container, or give this one another --name".to_owned())
        }
        _ => None,
    }
}

/// Says what went wrong, in one line of text: what, the chain of causes, and a hint. Gives the
/// exit code.
pub fn handle_error(error: &RunError, output: &mut impl Write) -> u8 {
    let hint = error
        .hint()
        .map_or(String::new(), |hint| format!(" ({hint})"));
    // Nothing is left to do if that fails.
    let _ = writeln!(
        output,
        "cw-run: {}",
        one_line(&format!("{}{hint}", chain(error)))
    );
    error.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &RunError) -> (u8, String) {
        let mut output = Vec::new();
        let code = handle_error(error, &mut output);
        (code, String::from_utf8(output).unwrap())
    }

    fn not_started(exit_code: i64, shell: Option<&str>) -> RunError {
        RunError::Start {
            shell: shell.map(str::to_owned),
            source: Box::new(DockerClientError::ContainerCommand {
                name: "web".to_owned(),
                command: vec!["bash".to_owned()],
                exit_code,
                output: "exec: not\nfound".to_owned(),
            }),
        }
    }

    #[test]
    fn missing_shell_says_what_to_write() {
        let (code, text) = told(&not_started(127, Some("bash")));
        assert_eq!(code, 127);
        assert!(
            text.contains("--shell sh") && text.contains("has no bash"),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert_eq!(told(&not_started(126, None)).0, 126);
    }

    #[test]
    fn line_has_the_chain_of_causes() {
        let image = "nope".to_owned();
        let error = RunError::Docker {
            action: "pull the image",
            source: Box::new(DockerClientError::ImageNotFound { image }),
        };
        let (code, text) = told(&error);
        assert_eq!(code, 125);
        assert!(
            text.starts_with("cw-run: pull the image: no image \"nope\""),
            "{text}"
        );
    }
}
