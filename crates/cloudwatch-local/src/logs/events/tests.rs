use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use test_support::cases;
use tokio::time::Instant;

use crate::logs::{Call, Keep, LogStore};
use crate::service::body::Origin;

const NOW_MS: i64 = 1_800_000_000_000;
const STREAMS: [&str; 3] = ["a", "b", "b2"];

fn ask(store: &mut LogStore, operation: &str, members: &Value) -> Value {
    let origin = Origin {
        now: DateTime::from_timestamp_millis(NOW_MS).unwrap(),
        instant: Instant::now(),
        access_key: String::new(),
        region: String::new(),
        body_bytes: 0,
        gzip: false,
        user_agent: String::new(),
    };
    let call = Call::read(operation, origin, members.to_string().as_bytes()).unwrap();
    let body = call.perform(store).unwrap();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// A batch: its stream, and the times of its events, which it has in order.
fn batch() -> impl Strategy<Value = (usize, Vec<i64>)> {
    let times = prop::collection::vec(NOW_MS - 20..NOW_MS, 1..6);
    (
        0..STREAMS.len(),
        times.prop_map(|mut times| {
            times.sort_unstable();
            times
        }),
    )
}

/// A store that has these batches, and what is in it: time, number and stream of each event.
fn filled(batches: &[(usize, Vec<i64>)]) -> (LogStore, Vec<(i64, usize, usize)>) {
    let mut store = LogStore::new(Keep::default());
    ask(
        &mut store,
        "CreateLogGroup",
        &json!({ "logGroupName": "g" }),
    );
    for stream in STREAMS {
        let members = json!({ "logGroupName": "g", "logStreamName": stream });
        ask(&mut store, "CreateLogStream", &members);
    }
    let mut all = Vec::new();
    for (stream, times) in batches {
        let events = times.iter().map(|at| {
            all.push((*at, all.len(), *stream));
            json!({ "timestamp": at, "message": (all.len() - 1).to_string() })
        });
        let events: Vec<_> = events.collect();
        let members =
            json!({ "logGroupName": "g", "logStreamName": STREAMS[*stream], "logEvents": events });
        ask(&mut store, "PutLogEvents", &members);
    }
    all.sort_unstable();
    (store, all)
}

/// The numbers of the events of a page.
fn numbers(page: &Value) -> Vec<usize> {
    let events = page["events"].as_array().unwrap().iter();
    let numbers = events.map(|event| event["message"].as_str().unwrap().parse().unwrap());
    numbers.collect()
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn pages_of_a_stream_are_its_events_in_order_in_both_directions(
        batches in prop::collection::vec(batch(), 0..8),
        limit in 1..5,
        from_head: bool,
        start in NOW_MS - 25..NOW_MS,
        length in 0i64..30,
    ) {
        let (mut store, all) = filled(&batches);
        let within = start..start + length;
        let expected: Vec<_> = all.iter().filter(|e| e.2 == 0 && within.contains(&e.0)).map(|e| e.1).collect();
        let next = if from_head { "nextForwardToken" } else { "nextBackwardToken" };
        let (mut read, mut token) = (Vec::new(), Value::Null);
        loop {
            let page = ask(&mut store, "GetLogEvents", &json!({
                "logGroupName": "g", "logStreamName": "a", "limit": limit, "nextToken": token,
                "startFromHead": from_head, "startTime": within.start, "endTime": within.end,
            }));
            let numbers = numbers(&page);
            let (first, second) = if from_head { (read, numbers) } else { (numbers, read) };
            read = [first, second].concat();
            if page[next] == token {
                break;
            }
            token = page[next].clone();
        }
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn pages_of_a_search_are_the_matching_events_in_order_in_both_directions(
        batches in prop::collection::vec(batch(), 0..8),
        limit in 1..5,
        from_head: bool,
        prefix in prop::sample::select(vec!["", "a", "b", "b2", "c"]),
        digit in 0u8..10,
    ) {
        let (mut store, all) = filled(&batches);
        let (prefix, digit) = (prefix.to_owned(), digit.to_string());
        let matching = all.iter().filter(|e| STREAMS[e.2].starts_with(&prefix) && !e.1.to_string().contains(&digit));
        let mut expected: Vec<_> = matching.map(|e| e.1).collect();
        if !from_head {
            expected.reverse();
        }
        let (mut read, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut members = json!({
                "logGroupName": "g", "limit": limit, "nextToken": token, "startFromHead": from_head,
                "filterPattern": format!("-{digit}"),
            });
            if !prefix.is_empty() {
                members["logStreamNamePrefix"] = json!(prefix);
            }
            let page = ask(&mut store, "FilterLogEvents", &members);
            read.extend(numbers(&page));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn row_and_streams_agree_however_little_is_kept(
        batches in prop::collection::vec(batch(), 0..8),
        deleted in prop::option::of(0..STREAMS.len()),
        bytes in 0usize..5000,
    ) {
        let mut store = filled(&[]).0;
        store.keep.bytes = bytes;
        for (i, (stream, times)) in batches.iter().enumerate() {
            let members = json!({ "logGroupName": "g", "logStreamName": STREAMS[*stream] });
            if deleted == Some(*stream) && i % 2 == 1 {
                ask(&mut store, "DeleteLogStream", &members);
                ask(&mut store, "CreateLogStream", &members);
            }
            let events: Vec<_> = times.iter().map(|at| json!({ "timestamp": at, "message": "m" })).collect();
            let mut members = members;
            members["logEvents"] = json!(events);
            ask(&mut store, "PutLogEvents", &members);
        }
        let mut of_row: Vec<_> = store.arrived(1).map(|e| (e.timestamp_ms, e.number)).collect();
        let group = store.group("g").unwrap();
        let mut of_streams: Vec<_> = group.streams.values().flat_map(|s| s.keys.iter().copied()).collect();
        of_row.sort_unstable();
        of_streams.sort_unstable();
        prop_assert_eq!(group.stored_bytes, of_row.len());
        prop_assert_eq!(of_row, of_streams);
        prop_assert!(store.bytes <= bytes);
    }
}
