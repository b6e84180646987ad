//! The engine's events: typed, in order, none twice.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::events::subscription::Subscription;
use crate::timestamp::Timestamp;

mod message;
mod seen;
mod subscription;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// The engine itself.
    Daemon,
    /// Something else, by the engine's word.
    Other(String),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What it happened to.
    pub kind: EventKind,
    /// What happened: `start`, `die`, `health_status: healthy`, …
    pub action: String,
    /// The object's id (a volume's name).
    pub id: String,
    /// The object's labels and more: `name`, `image`, `exitCode`, `signal`, …
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub time: Timestamp,
}

/// What a stream of events yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventItem {
    /// An event.
    Event(Event),
    /// Events may be missing here: the connection was lost, and the engine does not know any more
    /// what it told before. List again.
    Resync,
}

/// Which events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventOptions {
    /// Begin with those of this instant, as far as the engine has them (the last 256).
    pub since: Option<Timestamp>,
    /// Docker's filters: `type`, `event`, `container`, `label`, …
    pub filters: BTreeMap<String, Vec<String>>,
    /// How long an engine that does not answer is tried again; default 10 minutes.
    pub reconnect_for: Duration,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self {
            since: None,
            filters: BTreeMap::new(),
            reconnect_for: Duration::from_secs(600),
        }
    }
}

impl EventOptions {
    /// Adds a filter: `("type", "container")`, `("label", "app=web")`, …
    #[must_use]
    pub fn filter(mut self, key: &str, value: &str) -> Self {
        self.filters
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
        self
    }
}

/// Events as they happen; does not end by itself. An error is the last item.
pub struct EventStream {
    items: BoxStream<'static, Result<EventItem, DockerClientError>>,
}

impl Stream for EventStream {
    type Item = Result<EventItem, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().items.poll_next_unpin(cx)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

impl DockerApiClient {
    /// The engine's events as they happen, each once. After a cut connection the engine replays
    /// what it still has; if that is not all (it keeps 256, and none over its own restart),
    /// [`EventItem::Resync`] says so: list again.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::Engine`] with status 400 for a filter that the engine does not know;
    /// [`DockerClientError::EngineUnavailable`] when the engine stayed away for
    /// `reconnect_for`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::{EventItem, EventOptions};
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let options = EventOptions::default().filter("type", "container");
    /// let mut events = docker.events(options).await?;
    /// while let Some(item) = events.next().await {
    ///     match item? {
    ///         EventItem::Event(event) => println!("{} {}", event.action, event.id),
    ///         EventItem::Resync => println!("{:?}", docker.list_containers(true).await?),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn events(&self, options: EventOptions) -> Result<EventStream, DockerClientError> {
        let subscription = Subscription::open(self.clone(), options).await?;
        let items = stream::unfold(Some(subscription), |subscription| async move {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(item) => Some((Ok(item), Some(subscription))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(EventStream {
            items: items.boxed(),
        })
    }
}
