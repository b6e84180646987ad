//! What each request does.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::Deserialize;

use super::answers::{
    Containers, Event, Id, IdAndStatus, Lines, OneContainer, Resumed, Sent, Status,
};
use super::request::{
    Create, Delete, Logs, OfContainer, OfNone, Resume, SECONDS_MAX, Send, Stop, Update, parse,
};
use super::{Answer, Answering, Outcome, SocketIoEventHandler};
use crate::auth::Role;
use crate::clients::Client;
use crate::containers::LOG_TAIL_MAX;
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerInfo, ContainerStatus};
use crate::system_log::{Direction, SystemLogger};

/// Reads a request, if the role of the client allows it, and begins it.
fn begin<'a, T, F>(client: &Client, needs: Role, body: &'a str, work: F) -> Answering
where
    T: Deserialize<'a>,
    F: FnOnce(T) -> Result<Answering, Failure>,
{
    let begun = match client.role >= needs {
        true => parse(body).and_then(work),
        false => {
            let message = format!(
                "The role {} does not allow it, {} does",
                client.role.as_str(),
                needs.as_str()
            );
            Err(Failure::new(ErrorCode::Forbidden, message))
        }
    };
    begun.unwrap_or_else(|failure| std::future::ready(Err(failure)).boxed())
}

/// The answer of an operation that ends with a status.
fn with_status(
    event: &'static str,
    operation: &'static str,
    status: Result<ContainerStatus, Failure>,
) -> Outcome {
    let status = status?;
    let container_id = status.id.clone();
    SystemLogger.log_container_operation(operation, &container_id, status.state.as_str());
    Ok(Answer::new(
        event,
        IdAndStatus {
            container_id,
            status,
        },
    ))
}

/// Seconds that a client gives.
fn seconds(seconds: f64) -> Result<Duration, Failure> {
    match seconds > 0.0 && seconds <= SECONDS_MAX as f64 {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => {
            let message = format!("Seconds are more than 0 and {SECONDS_MAX} at most");
            Err(Failure::new(ErrorCode::InvalidValue, message))
        }
    }
}

fn grace(seconds: u64) -> Result<Duration, Failure> {
    match seconds {
        0..=SECONDS_MAX => Ok(Duration::from_secs(seconds)),
        _ => {
            let message = format!("grace_seconds is {SECONDS_MAX} at most");
            Err(Failure::new(ErrorCode::InvalidValue, message))
        }
    }
}

impl SocketIoEventHandler {
    /// Begins a request by the name of its event.
    pub(super) fn handle(&self, client: &Arc<Client>, event: &str, body: &str) -> Answering {
        match event {
            "create_container" => self.handle_create_container(client, body),
            "start_container" => self.handle_start_container(client, body),
            "stop_container" => self.handle_stop_container(client, body),
            "restart_container" => self.handle_restart_container(client, body),
            "pause_container" => self.handle_pause_container(client, body),
            "unpause_container" => self.handle_unpause_container(client, body),
            "update_container" => self.handle_update_container(client, body),
            "delete_container" => self.handle_delete_container(client, body),
            "send_message" => self.handle_send_message(client, body),
            "get_status" => self.handle_get_status(client, body),
            "list_containers" => self.handle_list_containers(client, body),
            "get_logs" => self.handle_get_logs(client, body),
            "subscribe_logs" => self.handle_subscribe_logs(client, body),
            "unsubscribe_logs" => self.handle_unsubscribe_logs(client, body),
            "resume" => self.handle_resume(client, body),
            _ => {
                let message = "No request has this name";
                std::future::ready(Err(Failure::new(ErrorCode::UnknownEvent, message))).boxed()
            }
        }
    }

    /// `create_container`.
    pub fn handle_create_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Admin, body, |request: Create| {
            let creating = self.inner.containers.create_container(request.into());
            let hub = self.inner.hub.clone();
            Ok(async move {
                let container = creating.await?;
                SystemLogger.log_container_operation(
                    "create_container",
                    &container.id,
                    &container.image,
                );
                if let Some(activity) = hub.activity() {
                    activity.log_container_created(&container.id, &container.name);
                }
                Ok(Answer::new("container_created", OneContainer { container }))
            }
            .boxed())
        })
    }

    /// `start_container`.
    pub fn handle_start_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: OfContainer| {
            let starting = self.inner.containers.start_container(&request.container_id);
            Ok(
                async move { with_status("container_started", "start_container", starting.await) }
                    .boxed(),
            )
        })
    }

    /// `stop_container`.
    pub fn handle_stop_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: Stop| {
            let grace = grace(request.grace_seconds)?;
            let stopping = self
                .inner
                .containers
                .stop_container(&request.container_id, grace);
            Ok(
                async move { with_status("container_stopped", "stop_container", stopping.await) }
                    .boxed(),
            )
        })
    }

    /// `restart_container`.
    pub fn handle_restart_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: Stop| {
            let grace = grace(request.grace_seconds)?;
            let restarting = self
                .inner
                .containers
                .restart_container(&request.container_id, grace);
            Ok(async move { with_status("container_restarted", "restart_container", restarting.await) }.boxed())
        })
    }

    /// `pause_container`.
    pub fn handle_pause_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: OfContainer| {
            let pausing = self.inner.containers.pause_container(&request.container_id);
            Ok(
                async move { with_status("container_paused", "pause_container", pausing.await) }
                    .boxed(),
            )
        })
    }

    /// `unpause_container`.
    pub fn handle_unpause_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: OfContainer| {
            let unpausing = self
                .inner
                .containers
                .unpause_container(&request.container_id);
            Ok(async move { with_status("container_unpaused", "unpause_container", unpausing.await) }.boxed())
        })
    }

    /// `update_container`.
    pub fn handle_update_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Admin, body, |request: Update| {
            let updating = self
                .inner
                .containers
                .update_container(&request.container_id, &request.code_path);
            Ok(
                async move { with_status("container_updated", "update_container", updating.await) }
                    .boxed(),
            )
        })
    }

    /// `delete_container`.
    pub fn handle_delete_container(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Admin, body, |request: Delete| {
            let deleting = self
                .inner
                .containers
                .delete_container(&request.container_id, request.force);
            Ok(async move {
                let container_id = deleting.await?;
                SystemLogger.log_container_operation("delete_container", &container_id, "");
                Ok(Answer::new("container_deleted", Id { container_id }))
            }
            .boxed())
        })
    }

    /// `send_message`. The message takes its place among those to the flow at once.
    pub fn handle_send_message(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: Send| {
            let patience = seconds(request.timeout_seconds)?;
            let container_id = self.inner.containers.resolve(&request.container_id)?;
            let message = &request.message;
            let sending =
                self.inner
                    .sockets
                    .begin_message(&container_id, message, request.await_reply)?;
            SystemLogger.log_communication(&container_id, Direction::ToFlow, message.data.get());
            if let Some(activity) = self.inner.hub.activity() {
                activity.log_container_message(&container_id, &message.command);
            }
            Ok(async move {
                let sent = sending.finish(patience).await?;
                let (message_id, reply) = (sent.message_id, sent.reply);
                Ok(Answer::new(
                    "message_sent",
                    Sent {
                        container_id,
                        message_id,
                        reply,
                    },
                ))
            }
            .boxed())
        })
    }

    /// `get_status`.
    pub fn handle_get_status(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Read, body, |request: OfContainer| {
            let containers = self.inner.containers.clone();
            Ok(async move {
                let status = containers
                    .get_container_status(&request.container_id)
                    .await?;
                Ok(Answer::new("container_status", Status { status }))
            }
            .boxed())
        })
    }

    /// `list_containers`.
    pub fn handle_list_containers(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Read, body, |_: OfNone| {
            let mut containers = self.inner.containers.list_containers()?;
            if client.role < Role::Admin {
                containers = containers.into_iter().map(ContainerInfo::masked).collect();
            }
            let answer = Answer::new("container_list", Containers { containers });
            Ok(std::future::ready(Ok(answer)).boxed())
        })
    }

    /// `get_logs`.
    pub fn handle_get_logs(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: Logs| {
            if request.tail > LOG_TAIL_MAX {
                let message = format!("tail is {LOG_TAIL_MAX} at most");
                return Err(Failure::new(ErrorCode::InvalidValue, message));
            }
            let containers = self.inner.containers.clone();
            Ok(async move {
                let since = request.since.map(|since| since.0);
                let log = containers
                    .get_container_logs(&request.container_id, request.tail, since)
                    .await?;
                let (container_id, lines, truncated) = (log.container_id, log.lines, log.truncated);
                Ok(Answer::new(
                    "container_logs",
                    Lines {
                        container_id,
                        lines,
                        truncated,
                    },
                ))
            }
            .boxed())
        })
    }

    /// `subscribe_logs`: lines that come from now on.
    pub fn handle_subscribe_logs(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: OfContainer| {
            let (handler, client) = (self.clone(), client.clone());
            Ok(async move {
                let inner = &handler.inner;
                let container_id = inner.containers.resolve(&request.container_id)?;
                // It is opened also where others follow already: a log that cannot be read is
                // told to each.
                let log = inner
                    .containers
                    .follow_container_logs(&container_id)
                    .await?;
                inner.followers.follow(&container_id, client.number, log);
                Ok(Answer::new("logs_subscribed", Id { container_id }))
            }
            .boxed())
        })
    }

    /// `unsubscribe_logs`.
    pub fn handle_unsubscribe_logs(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Operate, body, |request: OfContainer| {
            let container_id = self.inner.containers.resolve(&request.container_id)?;
            self.inner.followers.unfollow(&container_id, client.number);
            let answer = Answer::new("logs_unsubscribed", Id { container_id });
            Ok(std::future::ready(Ok(answer)).boxed())
        })
    }

    /// `resume`: what was told since the client was here last.
    pub fn handle_resume(&self, client: &Arc<Client>, body: &str) -> Answering {
        begin(client, Role::Read, body, |request: Resume| {
            let hub = &self.inner.hub;
            let epoch = request.epoch.unwrap_or_default();
            let missed = hub.missed(
                &epoch,
                client.role,
                request.last_seq.all,
                request.last_seq.operate,
            );
            let events = missed.events.into_iter().map(|told| Event {
                event: told.event,
                data: told.data,
            });
            let resumed = Resumed {
                epoch: hub.epoch().to_owned(),
                complete: missed.complete,
                events: events.collect(),
            };
            Ok(std::future::ready(Ok(Answer::new("resumed", resumed))).boxed())
        })
    }
}
