//! `PutLogEvents`: what a batch may hold, and which of its events are taken.

use std::ops::Range;

use serde_json::{Value, json};

use super::call::{LogsRequest, SentEvent};
use super::input::{EVENTS_MAX, Event, Input, List, Object};
use super::names;
use super::operation::Operation;
use super::problems::{Problems, invalid};
use super::store::LogStore;
use crate::refusal::Refusal;

// API Reference, `PutLogEvents`. An event may have 1 MB since April 2025 (AWS, "Amazon
// CloudWatch Logs increases maximum log event size to 1 MB"), 256 KB before; the 26 bytes
// count, as they do in the message of the service.
const BATCH_BYTES_MAX: usize = 1_048_576;
const EVENT_BYTES_MAX: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const SPAN_MAX_MS: i64 = DAY_MS;
const PAST_MS: i64 = 14 * DAY_MS;
const FUTURE_MS: i64 = 2 * HOUR_MS;

/// Takes the events out of the input into the request.
pub(super) fn read(
    input: Input,
    request: &mut LogsRequest,
    now_ms: i64,
) -> Result<Operation, Refusal> {
    let mut problems = Problems::default();
    let group = names::group(&mut problems, "logGroupName", input.log_group_name);
    let stream = names::stream(&mut problems, "logStreamName", input.log_stream_name);
    let events = events(&mut problems, input.log_events);
    problems.end()?;
    check_size(&events)?;
    if !events.is_sorted_by_key(|event| event.timestamp_ms) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    // Only events that are neither too old nor too new count.
    let timely = &events[timely(&events, now_ms, None).accepted];
    if let [first, .., last] = timely
        && last.timestamp_ms - first.timestamp_ms > SPAN_MAX_MS
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    request.events = events;
    Ok(Operation::PutLogEvents { group, stream })
}

fn events(
    problems: &mut Problems,
    events: Option<List<Object<Event>, EVENTS_MAX>>,
) -> Vec<SentEvent> {
    let Some(List(events)) = events else {
        problems.missing("logEvents");
        return Vec::new();
    };
    problems.length("logEvents", "[...]", events.len(), &(1..=EVENTS_MAX));
    let checked = events.into_iter().enumerate().map(|(i, Object(event))| {
        let at = |member| format!("logEvents.{}.member.{member}", i + 1);
        let timestamp_ms = event.timestamp.unwrap_or_else(|| {
            problems.missing(&at("timestamp"));
            0
        });
        problems.range(&at("timestamp"), timestamp_ms, &(0..=i64::MAX));
        match &event.message {
            Some(message) => problems.length(&at("message"), "", message.len(), &(1..=usize::MAX)),
            None => problems.missing(&at("message")),
        }
        let message = event.message.unwrap_or_default();
        SentEvent {
            timestamp_ms,
            message,
        }
    });
    checked.collect()
}

fn check_size(events: &[SentEvent]) -> Result<(), Refusal> {
    let mut batch = 0;
    for event in events {
        let bytes = event.message.len() + EVENT_OVERHEAD;
        if bytes > EVENT_BYTES_MAX {
            return Err(invalid(format!(
                "Log event too large: {bytes} bytes exceeds limit of {EVENT_BYTES_MAX}"
            )));
        }
        batch += bytes;
    }
    if batch > BATCH_BYTES_MAX {
        return Err(invalid(format!(
            "Upload too large: {batch} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// Which of the events of a batch, which are in order, are taken.
#[derive(Debug, PartialEq, Eq)]
struct Timely {
    accepted: Range<usize>,
    /// So many at the begin are more than 14 days old.
    too_old: usize,
    /// So many at the begin are older than the retention of their group.
    expired: usize,
}

fn timely(events: &[SentEvent], now_ms: i64, retention_days: Option<i64>) -> Timely {
    let before = |ms: i64| events.partition_point(|event| event.timestamp_ms < ms);
    let too_old = before(now_ms - PAST_MS);
    let expired = retention_days.map_or(0, |days| before(now_ms - days * DAY_MS));
    let end = before(now_ms + FUTURE_MS + 1);
    let start = too_old.max(expired).min(end);
    Timely {
        accepted: start..end,
        too_old,
        expired,
    }
}

impl Timely {
    /// `rejectedLogEventsInfo`, if anything was rejected. The two ends are exclusive, the start
    /// is inclusive.
    fn rejected(&self, count: usize) -> Option<Value> {
        let mut info = json!({});
        if self.too_old > 0 {
            info["tooOldLogEventEndIndex"] = json!(self.too_old);
        }
        if self.expired > 0 {
            info["expiredLogEventEndIndex"] = json!(self.expired);
        }
        if self.accepted.end < count {
            info["tooNewLogEventStartIndex"] = json!(self.accepted.end);
        }
        let is_empty = info.as_object().is_none_or(serde_json::Map::is_empty);
        (!is_empty).then_some(info)
    }
}

pub(super) fn perform(
    group: &str,
    stream: &str,
    request: LogsRequest,
    now_ms: i64,
    store: &mut LogStore,
) -> Result<Value, Refusal> {
    let retention = store.group(group)?.retention_days;
    store.stream(group, stream)?;
    let timely = timely(&request.events, now_ms, retention);
    let rejected = timely.rejected(request.events.len());
    let token = store.put(group, stream, request, timely.accepted, now_ms)?;
    let mut output = json!({ "nextSequenceToken": token });
    if let Some(rejected) = rejected {
        output["rejectedLogEventsInfo"] = rejected;
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    fn at(times: &[i64]) -> Vec<SentEvent> {
        let event = |timestamp_ms: &i64| SentEvent {
            timestamp_ms: *timestamp_ms,
            message: "m".to_owned(),
        };
        times.iter().map(event).collect()
    }

    const NOW: i64 = 100 * DAY_MS;

    #[test]
    fn events_at_the_edges_of_time_are_taken() {
        let events = at(&[
            NOW - PAST_MS - 1,
            NOW - PAST_MS,
            NOW + FUTURE_MS,
            NOW + FUTURE_MS + 1,
        ]);
        let timely = timely(&events, NOW, None);
        assert_eq!(timely.accepted, 1..3);
        let info = timely.rejected(4).unwrap();
        assert_eq!(
            info,
            json!({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3})
        );
    }

    #[test]
    fn events_older_than_the_retention_are_expired() {
        let events = at(&[NOW - 20 * DAY_MS, NOW - 3 * DAY_MS - 1, NOW - 3 * DAY_MS]);
        let timely = timely(&events, NOW, Some(3));
        assert_eq!(timely.accepted, 2..3);
        let info = timely.rejected(3).unwrap();
        assert_eq!(
            info,
            json!({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2})
        );
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn what_is_not_taken_is_told(
            mut times in prop::collection::vec(NOW - 2 * PAST_MS..NOW + 2 * FUTURE_MS, 0..20),
            retention in prop::option::of(1i64..30),
        ) {
            times.sort_unstable();
            let timely = timely(&at(&times), NOW, retention);
            let oldest = NOW - retention.map_or(PAST_MS, |days| (days * DAY_MS).min(PAST_MS));
            let expected = times.iter().filter(|t| (oldest..=NOW + FUTURE_MS).contains(t)).count();
            prop_assert_eq!(timely.accepted.len(), expected);
            prop_assert_eq!(timely.rejected(times.len()).is_none(), expected == times.len());
        }
    }
}
