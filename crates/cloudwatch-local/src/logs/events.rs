//! Events read back: of one stream, or of the streams of a group that match.

use std::ops::Range;

use serde_json::{Value, json};

use super::groups::limit;
use super::input::{Input, STREAM_NAMES_MAX};
use super::merged::{Merged, keys};
use super::names;
use super::pattern::Pattern;
use super::problems::{Problems, invalid};
use super::received::ReceivedEvent;
use super::store::{Group, Key, LogStore, Stream};
use super::token::Token;
use crate::refusal::Refusal;

/// Events of a page (API Reference, `GetLogEvents`, `FilterLogEvents`).
const PAGE_MAX: i64 = 10_000;
/// Bytes of a page's events.
const PAGE_BYTES_MAX: usize = 1_048_576;
/// What is looked at for one page of `FilterLogEvents`; it may be empty, and the next goes on.
const SCAN_EVENTS: usize = 100_000;
const SCAN_BYTES: usize = 16 * 1024 * 1024;

/// `GetLogEvents`.
pub(super) struct GetLogEvents {
    group: String,
    stream: String,
    within: Range<Key>,
    token: Option<Token>,
    forward: bool,
    limit: usize,
}

impl GetLogEvents {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let (name, arn) = (input.log_group_name, input.log_group_identifier);
        let group = names::group_or_arn(&mut problems, name, arn)?;
        let stream = names::stream(&mut problems, "logStreamName", input.log_stream_name);
        let start = time(&mut problems, "startTime", input.start_time).unwrap_or(0);
        // The end is not included.
        let end = time(&mut problems, "endTime", input.end_time).unwrap_or(i64::MAX);
        let limit = limit(&mut problems, input.limit, PAGE_MAX, PAGE_MAX);
        problems.end()?;
        let token: Option<Token> = input.next_token.map(|token| token.parse()).transpose()?;
        Ok(Self {
            group,
            stream,
            within: (start, 0)..(end, 0),
            forward: token.map_or(input.start_from_head.unwrap_or(false), |t| t.forward),
            token,
            limit,
        })
    }

    pub(super) fn perform(self, store: &LogStore) -> Result<Value, Refusal> {
        check_class(store.group(&self.group)?, "GetLogEvents")?;
        let stream = store.stream(&self.group, &self.stream)?;
        let range = self.within.clone();
        let page = match (self.forward, self.token) {
            (true, token) => {
                let from = token.map_or(range.start, |token| token.at.max(range.start));
                take(store, keys(stream, from..range.end), self.limit)
            }
            (false, token) => {
                let to = token.map_or(range.end, |token| token.at.min(range.end));
                let mut page = take(store, keys(stream, range.start..to).rev(), self.limit);
                page.reverse();
                page
            }
        };
        // Where nothing was read it goes on from the same place; without one, from the begin.
        let place = self.token.map_or(range.start, |token| token.at);
        let behind = page
            .last()
            .map_or(place, |last| (last.timestamp_ms, last.number + 1));
        let before = page
            .first()
            .map_or(place, |first| (first.timestamp_ms, first.number));
        let token = |forward, at| Token { forward, at }.to_string();
        Ok(json!({
            "events": page.into_iter().map(describe).collect::<Value>(),
            "nextForwardToken": token(true, behind),
            "nextBackwardToken": token(false, before),
        }))
    }
}

/// `FilterLogEvents`.
pub(super) struct FilterLogEvents {
    group: String,
    streams: Streams,
    pattern: Pattern,
    within: Range<Key>,
    forward: bool,
    limit: usize,
}

enum Streams {
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

impl FilterLogEvents {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let (name, arn) = (input.log_group_name, input.log_group_identifier);
        let group = names::group_or_arn(&mut problems, name, arn)?;
        let prefix = input.log_stream_name_prefix;
        let prefix = prefix.map(|p| names::stream(&mut problems, "logStreamNamePrefix", Some(p)));
        let named = input.log_stream_names.map(|names| names.0);
        for name in named.iter().flatten() {
            names::stream(&mut problems, "logStreamNames", Some(name.clone()));
        }
        if let Some(named) = &named {
            problems.length(
                "logStreamNames",
                "[...]",
                named.len(),
                &(1..=STREAM_NAMES_MAX),
            );
        }
        let start = time(&mut problems, "startTime", input.start_time).unwrap_or(0);
        // The end is included.
        let end = time(&mut problems, "endTime", input.end_time).unwrap_or(i64::MAX);
        let limit = limit(&mut problems, input.limit, PAGE_MAX, PAGE_MAX);
        problems.end()?;
        let streams = match (named, prefix) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
                ));
            }
            (Some(named), None) => Streams::Named(named),
            (None, prefix) => Streams::Prefix(prefix.unwrap_or_default()),
        };
        let token: Option<Token> = input.next_token.map(|token| token.parse()).transpose()?;
        let mut within = (start, 0)..(end.saturating_add(1), 0);
        let forward = token.map_or(input.start_from_head.unwrap_or(true), |t| t.forward);
        match token {
            Some(Token { forward: true, at }) => within.start = within.start.max(at),
            Some(Token { forward: false, at }) => within.end = within.end.min(at),
            None => {}
        }
        let pattern = Pattern::read(&input.filter_pattern.unwrap_or_default())?;
        Ok(Self {
            group,
            streams,
            pattern,
            within,
            forward,
            limit,
        })
    }

    pub(super) fn perform(self, store: &LogStore) -> Result<Value, Refusal> {
        let group = store.group(&self.group)?;
        check_class(group, "FilterLogEvents")?;
        let streams: Vec<&Stream> = match &self.streams {
            Streams::Named(names) => {
                let streams = names.iter().map(|name| store.stream(&self.group, name));
                let mut streams = streams.collect::<Result<Vec<_>, _>>()?;
                streams.sort_unstable_by_key(|stream| &stream.name);
                streams.dedup_by_key(|stream| &stream.name);
                streams
            }
            Streams::Prefix(prefix) => {
                let streams = group.streams.values();
                streams
                    .filter(|stream| stream.name.starts_with(&**prefix))
                    .collect()
            }
        };
        let (mut page, mut bytes, mut scanned, mut scanned_bytes) = (Vec::new(), 0, 0, 0);
        let mut rest = None;
        for key in Merged::of(&streams, &self.within, self.forward) {
            let event = store.event(key.1);
            let matches = self.pattern.matches(&event.message);
            let is_full = page.len() >= self.limit
                || (matches && !page.is_empty() && bytes + event.message.len() > PAGE_BYTES_MAX);
            if is_full || scanned >= SCAN_EVENTS || scanned_bytes >= SCAN_BYTES {
                rest = Some(key);
                break;
            }
            scanned += 1;
            scanned_bytes += event.message.len();
            if matches {
                bytes += event.message.len();
                page.push(event);
            }
        }
        let mut output = json!({
            "events": page.into_iter().map(describe_filtered).collect::<Value>(),
            // No longer told by the service.
            "searchedLogStreams": [],
        });
        if let Some((at, number)) = rest {
            let at = match self.forward {
                true => (at, number),
                false => (at, number + 1),
            };
            let forward = self.forward;
            output["nextToken"] = json!(Token { forward, at }.to_string());
        }
        Ok(output)
    }
}

/// As many events as a page holds, at least one.
fn take(store: &LogStore, keys: impl Iterator<Item = Key>, limit: usize) -> Vec<&ReceivedEvent> {
    let mut bytes = 0;
    let events = keys.map(|(_, number)| store.event(number));
    let mut page: Vec<&ReceivedEvent> = Vec::new();
    for event in events.take(limit) {
        bytes += event.message.len();
        if bytes > PAGE_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(event);
    }
    page
}

fn time(problems: &mut Problems, at: &str, time: Option<i64>) -> Option<i64> {
    problems.range(at, time?, &(0..=i64::MAX));
    time
}

/// Only groups of the class STANDARD can be read so.
fn check_class(group: &Group, operation: &str) -> Result<(), Refusal> {
    match group.class {
        "STANDARD" => Ok(()),
        class => Err(Refusal::new(
            400,
            "InvalidOperationException",
            format!(
                "The log group {} is of log-group-class {class}. {operation} is not supported for this log class.",
                group.name
            ),
        )),
    }
}

fn describe(event: &ReceivedEvent) -> Value {
    json!({
        "timestamp": event.timestamp_ms,
        "message": &*event.message,
        "ingestionTime": event.ingestion_ms,
    })
}

fn describe_filtered(event: &ReceivedEvent) -> Value {
    let mut value = describe(event);
    value["logStreamName"] = json!(&*event.stream);
    value["eventId"] = json!(format!("{:056}", event.number));
    value
}

#[cfg(test)]
mod tests;
