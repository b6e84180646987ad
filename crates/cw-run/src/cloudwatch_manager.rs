//! Groups, streams and events: one request after another, each with what it takes to succeed.

use docker_client::{ContainerInfo, Source};
use retry_policy::RequestError;

use crate::batch::size;
use crate::event::Event;
use crate::failure::RunError;
use crate::job::{Destination, GroupSettings, Job};
use crate::template::Subject;
use crate::verdict::{Operation, Verdict, verdict};

mod sdk;
mod service;

pub use sdk::CloudWatchLogs;
pub use service::{LogsService, PutRefused, Rejected};

/// A refusal, with what was asked.
#[derive(Debug)]
pub struct Refused {
    /// What was asked.
    pub operation: Operation,
    /// What came back.
    pub failure: RequestError,
}

impl Refused {
    /// What to do now.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict(self.operation, &self.failure)
    }
}

/// A stream of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    /// The group.
    pub group: String,
    /// The stream.
    pub stream: String,
}

/// Where the lines of one container go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Standard output, and standard error if it has no stream of its own.
    pub stdout: StreamName,
    /// Standard error.
    pub stderr: StreamName,
}

impl Streams {
    /// The names for a container that is taken up on this day.
    #[must_use]
    pub fn of(destination: &Destination, info: &ContainerInfo, date: &str) -> Self {
        let subject = Subject {
            name: info.name.clone(),
            id: info.id.clone(),
            image: info.image.clone(),
            labels: info.labels.clone(),
            date: date.to_owned(),
        };
        let group = destination.group.name_of(&subject);
        let stream = |template: &crate::Template| StreamName {
            group: group.clone(),
            stream: template.name_of(&subject),
        };
        Self {
            stdout: stream(&destination.stream),
            stderr: stream(
                destination
                    .stderr_stream
                    .as_ref()
                    .unwrap_or(&destination.stream),
            ),
        }
    }

    /// The stream of one of a container's streams.
    #[must_use]
    pub fn of_source(&self, source: Source) -> &StreamName {
        match source {
            Source::Stdout => &self.stdout,
            Source::Stderr => &self.stderr,
        }
    }

    /// Each once.
    #[must_use]
    pub fn all(&self) -> Vec<&StreamName> {
        match self.stdout == self.stderr {
            true => vec![&self.stdout],
            false => vec![&self.stdout, &self.stderr],
        }
    }
}

/// Creates a group; one that is there is a success. Retention is a request of its own: see
/// [`LogsService::put_retention`].
///
/// # Errors
///
/// What the service said.
pub async fn create_cloudwatch_log_group(
    client: &impl LogsService,
    group: &str,
    settings: &GroupSettings,
) -> Result<(), Refused> {
    let created = client.create_group(group, settings).await;
    settled(Operation::CreateGroup, created)
}

/// Creates a stream; one that is there is a success.
///
/// # Errors
///
/// What the service said; [`Verdict::Missing`] if there is no such group.
pub async fn create_cloudwatch_log_stream(
    client: &impl LogsService,
    group: &str,
    stream: &str,
) -> Result<(), Refused> {
    let created = client.create_stream(group, stream).await;
    settled(Operation::CreateStream, created)
}

fn settled(operation: Operation, result: Result<(), RequestError>) -> Result<(), Refused> {
    match result {
        Ok(()) => Ok(()),
        Err(failure) => {
            let refused = Refused { operation, failure };
            match refused.verdict() {
                Verdict::Done => Ok(()),
                _ => Err(refused),
            }
        }
    }
}

/// Sends events, which must be one batch. The token that older services ask for is managed here:
/// if the service expects another one the events are sent once more with that. Events that it has
/// already are a success.
///
/// # Errors
///
/// What the service said.
pub async fn put_logs_to_cloudwatch(
    client: &impl LogsService,
    name: &StreamName,
    logs: &[Event],
) -> Result<Rejected, Refused> {
    debug_assert!(logs.iter().map(size).sum::<usize>() <= crate::batch::BYTES_MAX);
    let operation = Operation::PutEvents;
    let PutRefused {
        failure,
        expected_token,
    } = match client.put_events(name, logs, None).await {
        Ok(rejected) => return Ok(rejected),
        Err(refused) => refused,
    };
    match (verdict(operation, &failure), expected_token) {
        (Verdict::Done, _) => Ok(Rejected::default()),
        (Verdict::Token, Some(token)) => match client.put_events(name, logs, Some(&token)).await {
            Ok(rejected) => Ok(rejected),
            Err(PutRefused { failure, .. }) => match verdict(operation, &failure) {
                Verdict::Done => Ok(Rejected::default()),
                _ => Err(Refused { operation, failure }),
            },
        },
        _ => Err(Refused { operation, failure }),
    }
}

/// Where the lines of this container go. With `--no-create` it is found out whether group and
/// stream are there, as far as the service says so at once; else they are created by who sends
/// first, so that the container waits for nothing.
///
/// # Errors
///
/// [`RunError::NoStream`].
pub async fn setup_cloudwatch_logging(
    client: &impl LogsService,
    container: &ContainerInfo,
    args: &Job,
    date: &str,
) -> Result<Streams, RunError> {
    let streams = Streams::of(&args.destination, container, date);
    if args.group.no_create {
        for name in streams.all() {
            let is_there = match client.stream_exists(name).await {
                Ok(is_there) => is_there,
                Err(failure) => verdict(Operation::DescribeStreams, &failure) != Verdict::Missing,
            };
            if !is_there {
                let StreamName { group, stream } = name.clone();
                return Err(RunError::NoStream { group, stream });
            }
        }
    }
    Ok(streams)
}

#[cfg(test)]
mod tests;
