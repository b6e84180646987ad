//! What a failure means: the answer of the engine, or none.

use std::error::Error;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as BollardError;

use crate::address::EngineAddress;
use crate::engine::call::{Call, Object};
use crate::error::{Cause, DockerClientError};
use crate::transport::AnswerTooLong;
use crate::version;

/// The engine's own words are cut here.
const LONGEST_MESSAGE: usize = 8 * 1024;

/// Tells what failures mean for one engine.
pub(crate) struct Failures {
    place: EngineAddress,
    address: String,
}

impl Failures {
    pub(crate) fn new(place: EngineAddress) -> Self {
        let address = place.to_string();
        Self { place, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// An error of bollard's.
    pub(crate) async fn of_bollard(
        &self,
        call: Call<'_>,
        error: BollardError,
        deadline: Duration,
    ) -> DockerClientError {
        let operation = || call.to_string();
        match error {
            BollardError::DockerResponseServerError {
                status_code,
                message,
            } => self.of_answer(call, status_code, &message),
            BollardError::DockerStreamError { error } => self.of_answer(call, 200, &error),
            BollardError::DockerContainerWaitError { error, .. } => {
                self.of_answer(call, 200, &error)
            }
            BollardError::HyperLegacyError { err } => self.of_transport(call, Box::new(err)).await,
            BollardError::HyperResponseError { err } => {
                self.of_transport(call, Box::new(err)).await
            }
            BollardError::IOError { err } => self.of_transport(call, Box::new(err)).await,
            BollardError::RequestTimeoutError => DockerClientError::Timeout {
                operation: operation(),
                after: deadline,
            },
            error => DockerClientError::Decode {
                operation: operation(),
                source: Box::new(error),
            },
        }
    }

    /// A connection that could not be opened or that broke.
    pub(crate) async fn of_transport(&self, call: Call<'_>, error: Cause) -> DockerClientError {
        if cause::<AnswerTooLong>(&*error).is_some() {
            return DockerClientError::Decode {
                operation: call.to_string(),
                source: error,
            };
        }
        let denied = cause::<io::Error>(&*error)
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        match &self.place {
            EngineAddress::Unix(path) if denied => DockerClientError::PermissionDenied {
                address: self.address.clone(),
                group: group_of(path).await,
                source: error,
            },
            _ => DockerClientError::EngineUnavailable {
                operation: call.to_string(),
                address: self.address.clone(),
                source: error,
            },
        }
    }

    /// A refusal of the engine.
    pub(crate) fn of_answer(
        &self,
        call: Call<'_>,
        status: u16,
        message: &str,
    ) -> DockerClientError {
        let message = shortened(message.trim());
        let words = message.to_ascii_lowercase();
        match status {
            400 if words.contains("client version") => self.version_refused(&words),
            404 if words.contains("no such exec") => {
                // The container ended meanwhile, and the engine forgot its commands.
                DockerClientError::Conflict {
                    operation: call.to_string(),
                    message,
                }
            }
            404 => not_found(call.object, &words).unwrap_or_else(|| DockerClientError::Engine {
                operation: call.to_string(),
                status,
                message,
            }),
            409 | 500 if words.contains("is not running") => match call.object {
                Object::Container(name) | Object::Path(name, _) => DockerClientError::NotRunning {
                    name: name.to_owned(),
                },
                _ => DockerClientError::Conflict {
                    operation: call.to_string(),
                    message,
                },
            },
            409 => DockerClientError::Conflict {
                operation: call.to_string(),
                message,
            },
            _ => DockerClientError::Engine {
                operation: call.to_string(),
                status,
                message,
            },
        }
    }

    fn version_refused(&self, words: &str) -> DockerClientError {
        let too_new = words.contains("too new");
        DockerClientError::ApiVersion {
            address: self.address.clone(),
            engine: if too_new {
                "an older one"
            } else {
                "a newer one"
            }
            .to_owned(),
            client: version::supported(),
            older: if too_new { "engine" } else { "client" },
        }
    }
}

/// What is missing: the engine's words know best, for a call may name several objects.
fn not_found(object: Object<'_>, words: &str) -> Option<DockerClientError> {
    if words.contains("page not found") {
        // No such endpoint: whatever answers here, it knows nothing of the object.
        return None;
    }
    Some(match object {
        Object::Engine => return None,
        Object::Path(name, path) if !words.contains("no such container") => {
            DockerClientError::PathNotFound {
                name: name.to_owned(),
                path: path.to_owned(),
            }
        }
        Object::Container(name) | Object::Path(name, _) => DockerClientError::ContainerNotFound {
            name: name.to_owned(),
        },
        Object::Image(image) => DockerClientError::ImageNotFound {
            image: image.to_owned(),
        },
        Object::Network(network) => DockerClientError::NetworkNotFound {
            network: network.to_owned(),
        },
        Object::Volume(volume) => DockerClientError::VolumeNotFound {
            volume: volume.to_owned(),
        },
    })
}

/// The engine's words in the body of a refusal.
pub(crate) fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let end = (0..=LONGEST_MESSAGE)
        .rev()
        .find(|end| message.is_char_boundary(*end));
    format!("{}…", &message[..end.unwrap_or(0)])
}

/// The first cause of this type.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            // What wraps another error inside itself does not show it as its source.
            return Some(found);
        }
        if let Some(inner) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && let Some(found) = inner.downcast_ref::<E>()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The name of the group that the socket belongs to.
async fn group_of(socket: &Path) -> Option<String> {
    let group = tokio::fs::metadata(socket).await.ok()?.gid();
    let groups = tokio::fs::read_to_string("/etc/group").await.ok()?;
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(group)).then(|| name.to_owned())
    });
    name.filter(|name| name != "root")
}

#[cfg(test)]
mod tests;
