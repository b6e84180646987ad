//! An event as the API has it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::events::{Event, EventKind};
use crate::timestamp::Timestamp;

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(default)]
    time: i64,
    #[serde(rename = "timeNano", default)]
    time_nano: i64,
}

#[derive(Debug, Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Option<BTreeMap<String, String>>,
}

pub(super) fn parse(json: &[u8]) -> Result<Event, serde_json::Error> {
    let message: Message = serde_json::from_slice(json)?;
    let nanos = match message.time_nano {
        0 => message.time.saturating_mul(1_000_000_000),
        nanos => nanos,
    };
    Ok(Event {
        kind: match message.kind.as_str() {
            "container" => EventKind::Container,
            "image" => EventKind::Image,
            "network" => EventKind::Network,
            "volume" => EventKind::Volume,
            "daemon" => EventKind::Daemon,
            _ => EventKind::Other(message.kind),
        },
        action: message.action,
        id: message.actor.id,
        attributes: message.actor.attributes.unwrap_or_default(),
        time: Timestamp::from_nanos(nanos),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_of_the_engine_is_understood() {
        let json = br#"{"status":"die","id":"f00","from":"a:1","Type":"container","Action":"die",
            "Actor":{"ID":"f00","Attributes":{"exitCode":"137","image":"a:1","name":"web"}},
            "scope":"local","time":1700000000,"timeNano":1700000000123456789}"#;
        let event = parse(json).unwrap();
        assert_eq!(event.kind, EventKind::Container);
        assert_eq!((&*event.action, &*event.id), ("die", "f00"));
        assert_eq!(event.attributes["exitCode"], "137");
        assert_eq!(event.time.nanos(), 1_700_000_000_123_456_789);
    }

    #[test]
    fn what_is_missing_is_empty_and_what_is_new_is_other() {
        let event = parse(br#"{"Type":"config","time":5,"Actor":{"Attributes":null}}"#).unwrap();
        assert_eq!(event.kind, EventKind::Other("config".to_owned()));
        assert_eq!(event.time.nanos(), 5_000_000_000);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[\[\]{}",:a-zA-Z0-9 ]{0,60}"#) {
            let _ = parse(text.as_bytes());
        }
    }
}
