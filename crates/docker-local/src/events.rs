//! The engine's events: what is kept of them, and who is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::container::Container;
use crate::filters::Filters;
use crate::output::seconds;
use crate::request::ReceivedRequest;
use crate::state::SharedState;

/// The engine replays so many events at most, and none from before it was started.
const REPLAYED: usize = 256;

#[derive(Clone, Debug)]
struct Event {
    nanos: i64,
    body: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: VecDeque<Event>,
    /// How many are no longer kept.
    gone: usize,
}

impl Events {
    pub(crate) fn push(&mut self, nanos: i64, mut body: Value) {
        body["time"] = (nanos / 1_000_000_000).into();
        body["timeNano"] = nanos.into();
        body["scope"] = "local".into();
        self.kept.push_back(Event { nanos, body });
        if self.kept.len() > REPLAYED {
            self.kept.pop_front();
            self.gone += 1;
        }
    }

    pub(crate) fn container(&mut self, nanos: i64, container: &Container, action: &str) {
        let mut attributes = json!({"image": container.image, "name": container.name});
        for (name, value) in &container.labels {
            attributes[name] = value.clone().into();
        }
        if action == "die" {
            attributes["exitCode"] = container.exit_code.to_string().into();
        }
        let id = container.id.as_deref().unwrap_or_default();
        let body = json!({
            "status": action, "id": id, "from": container.image,
            "Type": "container", "Action": action,
            "Actor": {"ID": id, "Attributes": attributes},
        });
        self.push(nanos, body);
    }

    /// An engine that was started anew knows none.
    pub(crate) fn forget(&mut self) {
        self.gone += self.kept.len();
        self.kept.clear();
    }

    fn next(&self) -> usize {
        self.gone + self.kept.len()
    }
}

struct Subscriber {
    state: Arc<SharedState>,
    filters: Filters,
    next: usize,
    since: i64,
    until: i64,
    ends: Option<Instant>,
}

/// The events of a request, a line of JSON each.
pub(crate) fn subscribe(
    state: &Arc<SharedState>,
    request: &ReceivedRequest,
    filters: Filters,
) -> impl stream::Stream<Item = Bytes> + Send + use<> {
    let time = |name| request.query(name).and_then(seconds);
    let (since, until) = (time("since"), time("until"));
    let now = state.now();
    let inner = state.lock();
    // Without `since` and `until` only what is to come.
    let replays = since.is_some() || until.is_some();
    let next = if replays {
        inner.events.gone
    } else {
        inner.events.next()
    };
    drop(inner);
    let left = until.map(|until| Duration::from_nanos((until - now).try_into().unwrap_or(0)));
    let subscriber = Subscriber {
        state: state.clone(),
        filters,
        next,
        since: since.unwrap_or(i64::MIN),
        until: until.unwrap_or(i64::MAX),
        ends: left.map(|left| Instant::now() + left),
    };
    stream::unfold(subscriber, |mut subscriber| async {
        let bytes = subscriber.next().await?;
        Some((bytes, subscriber))
    })
}

impl Subscriber {
    async fn next(&mut self) -> Option<Bytes> {
        let mut changes = self.state.changes();
        loop {
            if let Some(bytes) = self.take() {
                return Some(bytes);
            }
            match self.ends {
                Some(end) => tokio::select! {
                    changed = changes.changed() => changed.ok()?,
                    () = sleep_until(end) => return self.take(),
                },
                None => changes.changed().await.ok()?,
            }
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let inner = self.state.lock();
        self.next = self.next.max(inner.events.gone);
        while let Some(event) = inner.events.kept.get(self.next - inner.events.gone) {
            self.next += 1;
            let wanted = event.nanos >= self.since && event.nanos <= self.until;
            if wanted && matches(&self.filters, &event.body) {
                return Some(Bytes::from(format!("{}\n", event.body)));
            }
        }
        None
    }
}

fn matches(filters: &Filters, event: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, action) = (text(&event["Type"]), text(&event["Action"]));
    let actor = &event["Actor"];
    let id = text(&actor["ID"]);
    let attribute = |name: &str| actor["Attributes"][name].as_str();
    let is = |wanted: &str, name| wanted == id || Some(wanted) == attribute(name);
    filters.any("type", |wanted| wanted == kind)
        && filters.any("event", |wanted| action.split(':').next() == Some(wanted))
        && filters.any("container", |wanted| {
            kind == "container" && is(wanted, "name")
        })
        && filters.any("image", |wanted| is(wanted, "image"))
        && filters.labels(attribute)
}
