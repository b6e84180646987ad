//! The members of requests about logs, as they were sent. Nothing is judged here.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::refusal::Refusal;

// How much each list may hold (API Reference, `PutLogEvents`, `CreateLogGroup`,
// `FilterLogEvents`). One element more is read, for the rules to see that there are too many;
// the rest is passed over, lest a body of empty elements takes many times its size.
pub(super) const EVENTS_MAX: usize = 10_000;
pub(super) const TAGS_MAX: usize = 50;
pub(super) const STREAM_NAMES_MAX: usize = 100;

/// The members of all operations together; each looks at its own.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    pub(super) log_group_name: Option<String>,
    pub(super) log_group_identifier: Option<String>,
    pub(super) log_group_identifiers: Option<IgnoredAny>,
    pub(super) log_stream_name: Option<String>,
    pub(super) kms_key_id: Option<String>,
    pub(super) tags: Option<Pairs<TAGS_MAX>>,
    pub(super) tag_keys: Option<List<String, TAGS_MAX>>,
    pub(super) resource_arn: Option<String>,
    pub(super) log_group_class: Option<String>,
    pub(super) deletion_protection_enabled: Option<bool>,
    pub(super) log_group_name_prefix: Option<String>,
    pub(super) log_group_name_pattern: Option<String>,
    pub(super) log_stream_name_prefix: Option<String>,
    pub(super) log_stream_names: Option<List<String, STREAM_NAMES_MAX>>,
    pub(super) order_by: Option<String>,
    pub(super) descending: Option<bool>,
    pub(super) limit: Option<i64>,
    pub(super) next_token: Option<String>,
    pub(super) log_events: Option<List<Object<Event>, EVENTS_MAX>>,
    pub(super) sequence_token: Option<String>,
    pub(super) start_time: Option<i64>,
    pub(super) end_time: Option<i64>,
    pub(super) start_from_head: Option<bool>,
    pub(super) filter_pattern: Option<String>,
    pub(super) retention_in_days: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) timestamp: Option<i64>,
    pub(super) message: Option<String>,
}

impl Input {
    /// Reads a body, which must hold one object and nothing behind it. Bytes that are no UTF-8
    /// are replaced, as the service does it: Docker's `awslogs` driver sends them as they are,
    /// and counts each with the three bytes of U+FFFD (moby, `daemon/logger/awslogs`).
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let body = String::from_utf8_lossy(body);
        // The error names the place and what was expected there.
        let input = serde_json::from_str(&body).map(|Object(input)| input);
        input.map_err(|error| {
            Refusal::unreadable(format!("the body is no JSON of this operation: {error}"))
        })
    }
}

/// What is written as an object. A list of the members without their names, which `serde`
/// would take as well, is not.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Up to `MAX` items, and one more if there are more.
#[derive(Debug)]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut items = Vec::new();
                while items.len() <= MAX {
                    match seq.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(items),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(items)
            }
        }
        deserializer
            .deserialize_seq(Items::<T, MAX>(PhantomData))
            .map(Self)
    }
}

/// Up to `MAX` keys with their values, and one more if there are more.
#[derive(Debug)]
pub(super) struct Pairs<const MAX: usize>(pub(super) Vec<(String, String)>);

impl<'de, const MAX: usize> Deserialize<'de> for Pairs<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for Entries<MAX> {
            type Value = Vec<(String, String)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while pairs.len() <= MAX {
                    match map.next_entry()? {
                        Some(pair) => pairs.push(pair),
                        None => return Ok(pairs),
                    }
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Entries::<MAX>).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn members_are_read_and_unknown_ones_passed_over() {
        let body = br#"{"logGroupName":"g","later":[{"a":1}],"tags":{"a":"b"},"limit":null,
            "logEvents":[{"timestamp":1,"message":"m","later":0}]}"#;
        let input = Input::read(body).unwrap();
        assert_eq!(input.log_group_name.as_deref(), Some("g"));
        assert_eq!(input.tags.unwrap().0, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(input.limit, None);
        let events = input.log_events.unwrap();
        assert_eq!(events[0].0.timestamp, Some(1));
        assert_eq!(events[0].0.message.as_deref(), Some("m"));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let input = Input::read(b"{\"logEvents\":[{\"message\":\"a\xff\xfeb\"}]}").unwrap();
        let events = input.log_events.unwrap();
        assert_eq!(events[0].0.message.as_deref(), Some("a\u{fffd}\u{fffd}b"));
    }

    #[test]
    fn of_too_many_items_one_more_than_allowed_is_kept() {
        let items = vec!["{}"; 500_000].join(",");
        let input = Input::read(format!(r#"{{"logEvents":[{items}]}}"#).as_bytes()).unwrap();
        let events = input.log_events.unwrap().0;
        assert_eq!(events.len(), EVENTS_MAX + 1);
        assert!(events.capacity() < 2 * EVENTS_MAX);
        let tags: Vec<_> = (0..99_999).map(|i| format!(r#""{i}":"""#)).collect();
        let input = Input::read(format!(r#"{{"tags":{{{}}}}}"#, tags.join(",")).as_bytes());
        assert_eq!(input.unwrap().tags.unwrap().0.len(), TAGS_MAX + 1);
    }

    #[test]
    fn what_is_no_input_is_refused() {
        for bad in [
            "",
            "{",
            "[1]",
            "{}{}",
            "null",
            r#"{"limit":"1"}"#,
            r#"{"logGroupName":1}"#,
            r#"{"logEvents":{}}"#,
            r#"{"logEvents":[[1,"m"]]}"#,
            r#"{"logEvents":[{"timestamp":"1"}]}"#,
            r#"{"tags":["a"]}"#,
        ] {
            let refusal = Input::read(bad.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, "SerializationException", "{bad}");
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn no_body_makes_it_panic(body in "(\\{\"log(Events|GroupName)\":)?[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = Input::read(body.as_bytes());
        }

        #[test]
        fn any_message_is_read_as_it_was_written(message in any::<String>(), at in any::<i64>()) {
            let body = serde_json::json!({"logEvents": [{"timestamp": at, "message": message}]});
            let input = Input::read(body.to_string().as_bytes()).unwrap();
            let events = input.log_events.unwrap();
            prop_assert_eq!(events[0].0.timestamp, Some(at));
            prop_assert_eq!(events[0].0.message.as_deref(), Some(message.as_str()));
        }
    }
}
