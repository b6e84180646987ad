//! Requests: one object each, read into types that allow what is documented and nothing else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::failure::{ErrorCode, Failure};
use crate::flow::Message;
use crate::json;
use crate::model::ContainerConfig;
use crate::time::Moment;

/// Most bytes of a request's own id.
const REQUEST_ID_MAX: usize = 64;
/// Longer than a stop, or an answer, is waited for by anybody.
pub(super) const SECONDS_MAX: u64 = 300;

/// An event as it came: its name, and its only argument as text.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    pub(super) event: String,
    pub(super) body: Option<&'a RawValue>,
    /// Arguments beyond the first.
    pub(super) more: usize,
}

impl<'de> Deserialize<'de> for Arguments<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Arguments<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event with its argument")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let event = seq.next_element::<String>()?.unwrap_or_default();
                let body = seq.next_element()?;
                let mut more = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    more += 1;
                }
                Ok(Arguments { event, body, more })
            }
        }
        deserializer.deserialize_seq(InOrder)
    }
}

/// What every request may have, read before what is its own, so that also a refusal echoes it.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) request_id: Option<String>,
    pub(super) container_id: Option<String>,
    /// What is wrong with the id of the request.
    pub(super) is_bad: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEnvelope<'a> {
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    container_id: Option<&'a RawValue>,
}

impl Envelope {
    pub(super) fn of(body: &str) -> Self {
        let raw: RawEnvelope<'_> = serde_json::from_str(body).unwrap_or_default();
        let text = |raw: Option<&RawValue>, longest| {
            let text: Cow<'_, str> = serde_json::from_str::<String>(raw?.get()).ok()?.into();
            (text.len() <= longest).then(|| text.into_owned())
        };
        let request_id = text(raw.request_id, REQUEST_ID_MAX);
        let is_null = raw.request_id.is_none_or(|id| id.get() == "null");
        Self {
            is_bad: request_id.is_none() && !is_null,
            request_id,
            container_id: text(raw.container_id, 256),
        }
    }
}

/// Reads a request.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Failure> {
    // An array would be taken for the fields in their order.
    if !body.trim_start().starts_with('{') {
        let message = "A request is one object";
        return Err(Failure::new(ErrorCode::InvalidRequest, message));
    }
    serde_json::from_str(body)
        .map_err(|error| Failure::new(ErrorCode::InvalidRequest, json::problem(&error)))
}

/// Defines a request that has, beside its own fields, the id that the client gave it.
macro_rules! request {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $field: $kind,)*
            #[serde(default, rename = "request_id")]
            _request_id: IgnoredAny,
        }
    };
}

request! {
    /// Names a container.
    OfContainer { container_id: String, }
}
request! {
    /// Names none.
    OfNone {}
}
request! {
    /// Stops, or restarts.
    Stop { container_id: String, #[serde(default = "ten")] grace_seconds: u64, }
}
request! {
    /// Deletes.
    Delete { container_id: String, #[serde(default)] force: bool, }
}
request! {
    /// Updates.
    Update { container_id: String, code_path: String, }
}
request! {
    /// Sends a message to a flow.
    Send {
        container_id: String,
        message: Message,
        #[serde(default)]
        await_reply: bool,
        #[serde(default = "thirty")]
        timeout_seconds: f64,
    }
}
request! {
    /// Reads a log.
    Logs {
        container_id: String,
        #[serde(default = "hundred")]
        tail: u64,
        #[serde(default)]
        since: Option<Moment>,
    }
}
request! {
    /// Asks for what was missed.
    Resume { #[serde(default)] epoch: Option<String>, #[serde(default)] last_seq: LastSeq, }
}
request! {
    /// Creates. What the config says stands beside the id.
    Create {
        image: String,
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        environment: Option<std::collections::BTreeMap<String, String>>,
        #[serde(default)]
        volumes: Option<std::collections::BTreeMap<String, String>>,
        #[serde(default)]
        ports: Option<std::collections::BTreeMap<crate::model::ContainerPort, u16>>,
        #[serde(default)]
        command: Option<Vec<String>>,
        #[serde(default)]
        working_dir: Option<String>,
    }
}

impl From<Create> for ContainerConfig {
    fn from(request: Create) -> Self {
        Self {
            image: request.image,
            name: request.name,
            environment: request.environment.unwrap_or_default(),
            volumes: request.volumes.unwrap_or_default(),
            ports: request.ports.unwrap_or_default(),
            command: request.command,
            working_dir: request.working_dir,
        }
    }
}

/// The last number that a client has of each room.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LastSeq {
    pub(super) all: Option<u64>,
    pub(super) operate: Option<u64>,
}

fn ten() -> u64 {
    10
}

fn thirty() -> f64 {
    30.0
}

fn hundred() -> u64 {
    100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_echoed_also_of_what_is_wrong_otherwise() {
        let envelope = Envelope::of(r#"{"request_id":"r1","container_id":"a","x":[[[]]]}"#);
        assert_eq!(
            (
                envelope.request_id.as_deref(),
                envelope.container_id.as_deref()
            ),
            (Some("r1"), Some("a"))
        );
        assert!(!envelope.is_bad && !Envelope::of(r#"{"request_id":null}"#).is_bad);
        for bad in [
            r#"{"request_id":1}"#.to_owned(),
            format!(r#"{{"request_id":"{}"}}"#, "x".repeat(65)),
        ] {
            let envelope = Envelope::of(&bad);
            assert!(envelope.is_bad && envelope.request_id.is_none());
        }
        assert!(Envelope::of("[").request_id.is_none());
    }

    #[test]
    fn requests_have_the_documented_fields_and_no_others() {
        let stop: Stop = parse(r#"{"container_id":"a","request_id":"r"}"#).unwrap();
        assert_eq!(stop.grace_seconds, 10);
        let send: Send =
            parse(r#"{"container_id":"a","message":{"command":"dump","data":{"a":[1]}}}"#).unwrap();
        assert_eq!(
            (send.message.data.get(), send.await_reply),
            (r#"{"a":[1]}"#, false)
        );
        parse::<OfNone>("{}").unwrap();
        let resume: Resume = parse(r#"{"epoch":"e","last_seq":{"all":40,"operate":6}}"#).unwrap();
        assert_eq!(
            (resume.last_seq.all, resume.last_seq.operate),
            (Some(40), Some(6))
        );
        let create: Create = parse(r#"{"image":"a","environment":null,"request_id":"r"}"#).unwrap();
        assert!(ContainerConfig::from(create).environment.is_empty());
        let refused = |code: Result<(), Failure>| {
            assert_eq!(code.unwrap_err().code, ErrorCode::InvalidRequest)
        };
        for bad in ["[]", "null", "1", "{", r#"{"a":1}"#] {
            refused(parse::<OfNone>(bad).map(drop));
        }
        refused(parse::<Stop>(r#"{"container_id":"a","grace_seconds":-1}"#).map(drop));
        refused(parse::<Delete>(r#"{"container_id":"a","force":"yes"}"#).map(drop));
        refused(parse::<Create>(r#"{"image":"a","privileged":true}"#).map(drop));
        refused(parse::<Send>(r#"{"container_id":"a","message":{"command":"x","y":1}}"#).map(drop));
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\":,a-c0-9\\\\ ]{0,60}") {
            let _ = serde_json::from_str::<Arguments<'_>>(&text);
            let _ = Envelope::of(&text);
            let _ = parse::<Send>(&text);
        }
    }
}
