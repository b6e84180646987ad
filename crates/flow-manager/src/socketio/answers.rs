//! The answers to requests, without the id that the client gave them.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::flow::Reply;
use crate::json::raw;
use crate::model::{ContainerInfo, ContainerStatus, LogText};

/// Makes the answer for the id that the client gave its request.
type Body = dyn Fn(Option<&str>) -> Box<RawValue> + Send;

/// The answer to a request, without the id that the client gave it.
pub struct Answer {
    event: &'static str,
    body: Box<Body>,
}

impl Answer {
    pub(super) fn new<T: Serialize + Send + 'static>(event: &'static str, body: T) -> Self {
        #[derive(Serialize)]
        struct Echoed<'a, T> {
            request_id: Option<&'a str>,
            #[serde(flatten)]
            body: &'a T,
        }
        let body = move |request_id: Option<&str>| {
            raw(&Echoed {
                request_id,
                body: &body,
            })
        };
        Self {
            event,
            body: Box::new(body),
        }
    }

    /// The event, and its data with that id.
    pub(super) fn told(self, request_id: Option<&str>) -> (&'static str, Box<RawValue>) {
        (self.event, (self.body)(request_id))
    }
}

#[derive(Serialize)]
pub(super) struct OneContainer {
    pub(super) container: ContainerInfo,
}

#[derive(Serialize)]
pub(super) struct Containers {
    pub(super) containers: Vec<ContainerInfo>,
}

#[derive(Serialize)]
pub(super) struct Id {
    pub(super) container_id: String,
}

#[derive(Serialize)]
pub(super) struct IdAndStatus {
    pub(super) container_id: String,
    pub(super) status: ContainerStatus,
}

#[derive(Serialize)]
pub(super) struct Status {
    pub(super) status: ContainerStatus,
}

#[derive(Serialize)]
pub(super) struct Sent {
    pub(super) container_id: String,
    pub(super) message_id: String,
    pub(super) reply: Option<Reply>,
}

#[derive(Serialize)]
pub(super) struct Lines {
    pub(super) container_id: String,
    pub(super) lines: Vec<LogText>,
    pub(super) truncated: bool,
}

#[derive(Serialize)]
pub(super) struct Resumed {
    pub(super) epoch: String,
    pub(super) complete: bool,
    pub(super) events: Vec<Event>,
}

#[derive(Serialize)]
pub(super) struct Event {
    pub(super) event: &'static str,
    #[serde(serialize_with = "as_it_is")]
    pub(super) data: Arc<RawValue>,
}

fn as_it_is<S: Serializer>(data: &Arc<RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
    data.serialize(serializer)
}
