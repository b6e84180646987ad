//! Watching the engine: what its events say of our containers, and all of it anew where events
//! may be missing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{
    ContainerState as EngineState, DockerApiClient, DockerClientError, Event, EventItem,
    EventOptions, ListOptions,
};
use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::identity::OTHER_ENGINE;
use super::{ContainerManager, Inner};
use crate::model::ContainerHealth;
use crate::policy::INSTANCE_LABEL;

/// Between attempts to reach the engine, doubling.
const DELAY_MIN: Duration = Duration::from_millis(200);
const DELAY_MAX: Duration = Duration::from_secs(5);
/// A cut connection is mended within this time, or the engine counts as away.
const MEND: Duration = Duration::from_secs(1);
/// How often it is looked whether the engine still makes what nobody waits for.
const LATE_EVERY: Duration = Duration::from_millis(250);
/// How often it is looked whether a container lacks its socket, for the disk was full, say.
const SOCKETS_EVERY: Duration = Duration::from_secs(5);
/// Containers that are looked at side by side.
const ASKED_AT_ONCE: usize = 8;

impl ContainerManager {
    /// Watches the engine for ever: connects, lists, follows its events, and again when it
    /// went away.
    pub async fn watch(&self) {
        let mut delay = DELAY_MIN;
        loop {
            let begun = Instant::now();
            let failure = match self.inner.watch_once().await {
                Err(failure) => failure,
                Ok(never) => match never {},
            };
            let was_there = self.inner.engine.is_there();
            self.inner.engine.is_away();
            if was_there {
                self.inner.observer.engine_changed(false);
            }
            let error = diagnostics::chain(&failure);
            if was_there || begun.elapsed() > DELAY_MAX || delay == DELAY_MIN {
                warn!(error, "engine unavailable, retrying");
            }
            delay = if was_there {
                DELAY_MIN
            } else {
                (delay * 2).min(DELAY_MAX)
            };
            sleep(delay).await;
        }
    }
}

enum Never {}

impl Inner {
    async fn watch_once(self: &Arc<Self>) -> Result<Never, DockerClientError> {
        let docker = self.engine.connect().await?;
        let label = format!("{INSTANCE_LABEL}={}", self.store.instance());
        let mut options = EventOptions::default()
            .filter("type", "container")
            .filter("label", &label);
        options.reconnect_for = MEND;
        // Listening comes first, so that nothing falls between the two.
        let mut events = docker.events(options).await?;
        let (id, is_other) = self.identify(&docker).await?;
        let listed = self.list(&docker).await?;
        if is_other && self.knows_none_of(&listed) {
            return Err(DockerClientError::Address {
                address: docker.address().to_owned(),
                reason: OTHER_ENGINE.to_owned(),
            });
        }
        self.take_over(&docker, listed).await?;
        self.remember(id).await;
        // They come before what clients ask for.
        let taken_back = self.take_back();
        self.engine.is_back(docker.clone());
        let _taking_back: JoinSet<()> = taken_back.into_iter().collect();
        self.observer.engine_changed(true);
        info!(api = docker.api_version(), "engine watched");
        let mut look = Instant::now();
        let mut mend = Instant::now() + SOCKETS_EVERY;
        loop {
            let item = tokio::select! {
                item = events.next() => item,
                () = sleep_until(mend) => {
                    self.mend_sockets().await;
                    mend = Instant::now() + SOCKETS_EVERY;
                    continue;
                }
                () = self.has_abandoned.notified() => continue,
                () = sleep_until(look), if self.has_abandoned() => {
                    self.sweep_abandoned().await;
                    look = Instant::now() + LATE_EVERY;
                    continue;
                }
            };
            match item.transpose()? {
                Some(EventItem::Event(event)) => self.happened(&event).await,
                Some(EventItem::Resync) => self.list_anew(&docker).await?,
                None => {
                    let operation = "follow the engine's events".to_owned();
                    return Err(DockerClientError::Timeout {
                        operation,
                        after: MEND,
                    });
                }
            }
        }
    }

    /// Asks for all containers that are ours. Those that are known and not there any more are
    /// gone; what is there and not known is somebody else's, whose image was made of one of
    /// ours.
    async fn list_anew(
        self: &Arc<Self>,
        docker: &DockerApiClient,
    ) -> Result<(), DockerClientError> {
        let listed = self.list(docker).await?;
        self.take_over(docker, listed).await
    }

    /// The ids of the containers that have our label.
    async fn list(&self, docker: &DockerApiClient) -> Result<HashSet<String>, DockerClientError> {
        let label = format!("{INSTANCE_LABEL}={}", self.store.instance());
        let options = ListOptions::new(true).filter("label", &label);
        let listed = docker.list_containers_with(options).await?;
        Ok(listed.into_iter().map(|container| container.id).collect())
    }

    async fn take_over(
        self: &Arc<Self>,
        docker: &DockerApiClient,
        listed: HashSet<String>,
    ) -> Result<(), DockerClientError> {
        let known = self.lock().ids();
        let (kept, gone): (Vec<_>, Vec<_>) = known.into_iter().partition(|id| listed.contains(id));
        for id in gone {
            self.forget(&id).await;
        }
        let asking = kept.into_iter().map(|id| async move {
            let asked = crate::time::Moment::now().0;
            (docker.get_container_info(&id).await, asked, id)
        });
        let mut answers = stream::iter(asking).buffer_unordered(ASKED_AT_ONCE);
        while let Some((info, asked, id)) = answers.next().await {
            match info {
                Ok(info) => {
                    if self
                        .lock()
                        .get(&id)
                        .is_some_and(|entry| entry.name != info.name)
                    {
                        self.lock().rename(&id, &info.name);
                    }
                    self.learn(&id, asked, info.state, info.health.into(), info.started);
                }
                Err(DockerClientError::ContainerNotFound { .. }) => self.forget(&id).await,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes over what an event says. What the engine was asked after it knows it already.
    async fn happened(self: &Arc<Self>, event: &Event) {
        let id = &*event.id;
        let is_news = self
            .lock()
            .get(id)
            .is_some_and(|entry| entry.as_of <= event.time);
        if event.action == "destroy" {
            return self.forget(id).await;
        }
        if event.action == "rename" {
            if let Some(name) = event.attributes.get("name") {
                self.lock().rename(id, name.trim_start_matches('/'));
            }
            return;
        }
        if !is_news {
            // It was started, whatever became of it since.
            if event.action == "start" {
                self.change(id, |entry| entry.starts += 1);
            }
            return;
        }
        let set = |state, change: fn(&mut super::Entry, docker_client::Timestamp)| {
            self.change(id, |entry| {
                entry.as_of = event.time;
                entry.state = state;
                change(entry, event.time);
            });
        };
        match &*event.action {
            "start" => set(EngineState::Running, |entry, time| {
                entry.started = Some(time);
                entry.starts += 1;
                if entry.health != ContainerHealth::None {
                    entry.health = ContainerHealth::Starting;
                }
            }),
            "die" => set(EngineState::Exited, |entry, _| entry.usage = None),
            "pause" => set(EngineState::Paused, |_, _| {}),
            "unpause" => set(EngineState::Running, |_, _| {}),
            action => {
                if let Some(health) = action.strip_prefix("health_status:") {
                    let health = match health.trim() {
                        "healthy" => ContainerHealth::Healthy,
                        "unhealthy" => ContainerHealth::Unhealthy,
                        _ => ContainerHealth::Starting,
                    };
                    self.change(id, |entry| entry.health = health);
                }
            }
        }
    }
}
