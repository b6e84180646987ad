//! What a browser or a script sees of logs, as JSON over plain GET.
//!
//! `/logs`: groups and streams. `/logs/events?group=G&stream=S&filter=P&after=N&limit=N&latest=1`:
//! events in the order they arrived in, of one stream or of all of a group, those that match a
//! filter pattern, from behind the number `after` on, or the latest.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::pattern::Pattern;
use super::received::ReceivedEvent;
use super::store::LogStore;

pub(crate) const GROUPS_PAGE: &str = "/logs";
pub(crate) const EVENTS_PAGE: &str = "/logs/events";

/// Events of an answer, unless it is asked for fewer.
const LIMIT_MAX: usize = 10_000;
/// Bytes of the texts of an answer.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What is looked at for one answer; the next goes on.
const SCAN_EVENTS: usize = 200_000;
const SCAN_BYTES: usize = 32 * 1024 * 1024;
/// Groups, and streams of all groups, that are listed.
const LISTED_MAX: usize = 1000;

/// Groups with their streams.
pub(crate) fn groups_page(store: &LogStore) -> Value {
    let mut left = LISTED_MAX;
    let groups = store.groups.values().take(LISTED_MAX).map(|group| {
        let streams = group.streams.values().take(left).map(|stream| {
            json!({
                "name": &*stream.name,
                "events": stream.keys.len(),
                "last_event_ms": stream.last_event_ms,
                "last_ingestion_ms": stream.last_ingestion_ms,
            })
        });
        let streams: Vec<Value> = streams.collect();
        left -= streams.len();
        json!({
            "name": &*group.name,
            "retention_days": group.retention_days,
            "class": group.class,
            "stream_count": group.streams.len(),
            "streams": streams,
        })
    });
    json!({
        "groups": groups.collect::<Value>(),
        "group_count": store.groups.len(),
        "accepted": store.accepted(),
        "dropped": store.dropped,
        "batches": store.batches_seen,
    })
}

/// Which events somebody asks for.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    group: String,
    stream: Option<String>,
    pattern: Pattern,
    /// The number behind which it goes on.
    after: u64,
    limit: usize,
    /// The last that match, not the first.
    latest: bool,
}

impl Asked {
    fn read(query: &str) -> Result<Self, String> {
        let mut asked = Self {
            limit: LIMIT_MAX,
            ..Self::default()
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8();
            let value = value.map_err(|_| format!("{name} is not UTF-8"))?;
            let number = || {
                let number = value.parse::<u64>();
                number.map_err(|_| format!("{name} must be a whole number, not {value:?}"))
            };
            match name {
                "group" => asked.group = value.into_owned(),
                "stream" => asked.stream = Some(value.into_owned()),
                "filter" => {
                    let pattern = Pattern::read(&value);
                    asked.pattern = pattern.map_err(|refusal| refusal.message)?;
                }
                "after" => asked.after = number()?,
                "limit" => asked.limit = usize::try_from(number()?).unwrap_or(LIMIT_MAX),
                "latest" => asked.latest = number()? != 0,
                _ => return Err(format!("{name:?} is no parameter of {EVENTS_PAGE}")),
            }
        }
        asked.limit = asked.limit.clamp(1, LIMIT_MAX);
        match asked.group.is_empty() {
            true => Err("group is missing".to_owned()),
            false => Ok(asked),
        }
    }

    fn is_for(&self, event: &ReceivedEvent) -> bool {
        let stream = self.stream.as_deref();
        *event.group == *self.group
            && stream.is_none_or(|stream| *event.stream == *stream)
            && self.pattern.matches(&event.message)
    }
}

/// The events that a query asks for, or what is wrong with it.
pub(crate) fn events_page(store: &LogStore, query: &str) -> Result<Value, String> {
    let asked = Asked::read(query)?;
    let from = asked.after.saturating_add(1);
    let mut found = Found::default();
    if asked.latest {
        let mut arrived = store.arrived(from).rev();
        let is_whole = arrived.by_ref().all(|event| found.take(&asked, event));
        found.events.reverse();
        return Ok(found.told(store.accepted(), is_whole));
    }
    let mut seen = asked.after;
    let is_whole = store.arrived(from).all(|event| {
        let goes_on = found.take(&asked, event);
        if goes_on {
            seen = event.number;
        }
        goes_on
    });
    let next = if is_whole { store.accepted() } else { seen };
    Ok(found.told(next.max(asked.after), is_whole))
}

#[derive(Default)]
struct Found<'a> {
    events: Vec<&'a ReceivedEvent>,
    bytes: usize,
    scanned: usize,
    scanned_bytes: usize,
}

impl<'a> Found<'a> {
    /// Takes an event if it is one of those asked for; says no once there is no room.
    fn take(&mut self, asked: &Asked, event: &'a ReceivedEvent) -> bool {
        let is_full = self.events.len() >= asked.limit || self.bytes >= BYTES_MAX;
        if is_full || self.scanned >= SCAN_EVENTS || self.scanned_bytes >= SCAN_BYTES {
            return false;
        }
        self.scanned += 1;
        self.scanned_bytes += event.message.len();
        if asked.is_for(event) {
            self.bytes += event.message.len();
            self.events.push(event);
        }
        true
    }

    /// `next` is the `after` of who wants to go on; `complete` says that there is no more yet.
    fn told(self, next: u64, is_whole: bool) -> Value {
        let events = self.events.into_iter().map(|event| {
            json!({
                "number": event.number,
                "batch": event.batch,
                "stream": &*event.stream,
                "timestamp_ms": event.timestamp_ms,
                "ingestion_ms": event.ingestion_ms,
                "message": &*event.message,
            })
        });
        json!({ "events": events.collect::<Value>(), "next": next, "complete": is_whole })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn query_is_decoded() {
        let asked =
            Asked::read("group=%2Fa%20b&stream=s+t&filter=%22x+y%22&after=3&limit=0&latest=1");
        let asked = asked.unwrap();
        assert_eq!(
            (&*asked.group, asked.stream.as_deref()),
            ("/a b", Some("s t"))
        );
        assert_eq!((asked.after, asked.limit, asked.latest), (3, 1, true));
        assert!(asked.pattern.matches("an x y") && !asked.pattern.matches("x  y"));
    }

    #[test]
    fn query_that_is_not_understood_is_named() {
        for (query, word) in [
            ("", "group"),
            ("group=", "group"),
            ("group=g&after=-1", "after"),
            ("group=g&limit", "limit"),
            ("group=g&filter=%7B", "pattern"),
            ("group=%ff", "UTF-8"),
            ("group=g&since=1", "since"),
        ] {
            let error = Asked::read(query).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn no_query_makes_it_panic(query in "((group|stream|filter|after|limit)=[%a-f0-9+&?\"-]{0,9}&?){0,5}\\PC{0,5}") {
            let _ = Asked::read(&query);
        }
    }
}
