//! `PutLogEvents`: each limit from both sides.

use std::io::Write;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use cloudwatch_local::CloudWatchLocal;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{
    GROUP, STREAM, client, error, event, now_ms, prepare, prepared, put, put_to, raw, raw_bytes,
    say,
};

const BATCH_MAX: usize = 1_048_576;
const OVERHEAD: usize = 26;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// An endpoint whose clock stands still, and its time in Unix milliseconds.
async fn standing_still() -> (CloudWatchLocal, aws_sdk_cloudwatchlogs::Client, i64) {
    let now = now_ms();
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(now.unsigned_abs());
    let endpoint = CloudWatchLocal::builder().clock(move || at);
    let endpoint = endpoint.start().await.unwrap();
    let client = client(&endpoint);
    prepare(&client).await;
    (endpoint, client, now)
}

#[tokio::test]
async fn events_are_kept_as_they_were_sent_in_order_of_arrival_with_their_batch() {
    let (endpoint, client) = prepared().await;
    let at = now_ms();
    let first = vec![event(at, "one"), event(at, "zwei ü\t\u{1f600}\u{0}")];
    put(&client, first).await.unwrap();
    put(&client, vec![event(at - 1, "earlier")]).await.unwrap();
    let logs = endpoint.logs();
    let events = logs.events(GROUP, STREAM);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.number, e.batch, e.timestamp_ms, &*e.message))
        .collect();
    assert_eq!(
        told,
        [
            (1, 1, at, "one"),
            (2, 1, at, "zwei ü\t\u{1f600}\u{0}"),
            (3, 2, at - 1, "earlier")
        ]
    );
    assert!(
        events
            .iter()
            .all(|e| e.ingestion_ms >= at && &*e.stream == STREAM)
    );
    assert_eq!(logs.arrived(2, 1)[0], events[1]);
    let batches = logs.batches();
    assert_eq!((batches[0].accepted, batches[1].accepted), (2, 1));
    assert_eq!(
        (&*batches[0].group, &*batches[0].access_key),
        (GROUP, "test")
    );
    assert!(batches[0].user_agent.contains("aws-sdk-rust"));
    logs.events_at_least(3).await;
}

#[tokio::test]
async fn sequence_token_is_given_back_and_not_looked_at() {
    let (endpoint, client) = prepared().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let put = client.put_log_events().log_group_name(GROUP);
        let put = put.log_stream_name(STREAM).sequence_token("nonsense");
        let put = put
            .log_events(event(now_ms(), "again"))
            .send()
            .await
            .unwrap();
        tokens.push(put.next_sequence_token.unwrap());
    }
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(tokens[0].len(), 56);
    let batch = &endpoint.logs().batches()[0];
    assert_eq!(batch.sequence_token.as_deref(), Some("nonsense"));
}

#[tokio::test]
async fn batch_of_a_mebibyte_is_taken_and_no_byte_more() {
    let (endpoint, client) = prepared().await;
    let half = BATCH_MAX / 2 - OVERHEAD;
    let events = |more: usize| {
        let at = now_ms();
        vec![
            event(at, "x".repeat(half)),
            event(at, "x".repeat(half + more)),
        ]
    };
    put(&client, events(0)).await.unwrap();
    let (code, message) = error(put(&client, events(1)).await);
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(
        message,
        "Upload too large: 1048577 bytes exceeds limit of 1048576"
    );
    assert_eq!(endpoint.logs().events_accepted(), 2);
}

#[tokio::test]
async fn event_of_a_mebibyte_is_taken_and_no_byte_more() {
    let (_endpoint, client) = prepared().await;
    // It is bytes that count.
    let fits = "ü".repeat((BATCH_MAX - OVERHEAD) / 2);
    put(&client, vec![event(now_ms(), fits.clone())])
        .await
        .unwrap();
    let sent = put(&client, vec![event(now_ms(), fits + "x")]).await;
    let (code, message) = error(sent);
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(
        message,
        "Log event too large: 1048577 bytes exceeds limit of 1048576"
    );
}

#[tokio::test]
async fn event_of_a_mebibyte_of_control_characters_fits_into_a_request() {
    let (endpoint, client) = prepared().await;
    let escapes = "\u{1b}".repeat(BATCH_MAX - OVERHEAD);
    put(&client, vec![event(now_ms(), escapes)]).await.unwrap();
    assert!(endpoint.logs().batches()[0].body_bytes > 6_000_000);
}

#[tokio::test]
async fn ten_thousand_events_are_taken_and_not_one_more_nor_none() {
    let (endpoint, client) = prepared().await;
    let events = |count| vec![event(now_ms(), "m"); count];
    put(&client, events(10_000)).await.unwrap();
    for (count, words) in [
        (10_001, "less than or equal to 10000"),
        (0, "greater than or equal to 1"),
    ] {
        let (code, message) = error(put(&client, events(count)).await);
        assert_eq!(code, "InvalidParameterException");
        assert!(
            message.contains("'logEvents'") && message.contains(words),
            "{message}"
        );
    }
    assert_eq!(endpoint.logs().events_accepted(), 10_000);
}

#[tokio::test]
async fn batch_may_span_a_day_and_no_millisecond_more() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    let spanning = |span| vec![event(at - span, "a"), event(at, "b")];
    put(&client, spanning(DAY)).await.unwrap();
    let (code, message) = error(put(&client, spanning(DAY + 1)).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(
        message.contains("cannot span more than 24 hours"),
        "{message}"
    );
}

#[tokio::test]
async fn rejected_events_do_not_count_in_the_span() {
    let (_endpoint, client, now) = standing_still().await;
    let events = vec![
        event(now - 15 * DAY, "old"),
        event(now, "good"),
        event(now + 3 * HOUR, "new"),
    ];
    put(&client, events).await.unwrap();
}

#[tokio::test]
async fn events_of_one_time_are_taken_and_none_that_goes_back() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    put(&client, vec![event(at, "a"), event(at, "b")])
        .await
        .unwrap();
    let (code, message) = error(put(&client, vec![event(at, "a"), event(at - 1, "b")]).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(
        message.contains("must be in chronological order"),
        "{message}"
    );
}

#[tokio::test]
async fn events_out_of_time_are_rejected_alone_and_told() {
    let (endpoint, client, now) = standing_still().await;
    // Two requests, for a batch spans a day.
    let past = vec![
        event(now - 14 * DAY - 1, "too old"),
        event(now - 14 * DAY, "old"),
    ];
    let future = vec![
        event(now + 2 * HOUR, "new"),
        event(now + 2 * HOUR + 1, "too new"),
    ];
    let past = put(&client, past).await.unwrap();
    let future = put(&client, future).await.unwrap();
    let info = past.rejected_log_events_info.unwrap();
    assert_eq!(info.too_old_log_event_end_index, Some(1));
    assert_eq!(info.too_new_log_event_start_index, None);
    let info = future.rejected_log_events_info.unwrap();
    assert_eq!(info.too_new_log_event_start_index, Some(1));
    assert_eq!(info.too_old_log_event_end_index, None);
    let messages = endpoint.logs().messages(GROUP, STREAM);
    assert_eq!(
        messages.iter().map(|m| &**m).collect::<Vec<_>>(),
        ["old", "new"]
    );
}

#[tokio::test]
async fn events_older_than_the_retention_are_expired() {
    let (endpoint, client, now) = standing_still().await;
    let retention = client.put_retention_policy().log_group_name(GROUP);
    retention.retention_in_days(3).send().await.unwrap();
    let events = vec![
        event(now - 3 * DAY - 1, "expired"),
        event(now - 3 * DAY, "kept"),
    ];
    let info = put(&client, events).await.unwrap().rejected_log_events_info;
    let info = info.unwrap();
    assert_eq!(info.expired_log_event_end_index, Some(1));
    assert_eq!(info.too_old_log_event_end_index, None);
    assert_eq!(&*endpoint.logs().messages(GROUP, STREAM)[0], "kept");
}

#[tokio::test]
async fn batch_that_is_rejected_whole_is_a_success_with_nothing_taken() {
    let (endpoint, client, now) = standing_still().await;
    let sent = put(&client, vec![event(now - 15 * DAY, "old")])
        .await
        .unwrap();
    assert!(sent.next_sequence_token.is_some());
    assert!(sent.rejected_log_events_info.is_some());
    let batch = &endpoint.logs().batches()[0];
    assert_eq!((batch.sent, batch.accepted), (1, 0));
    assert_eq!(endpoint.logs().events_accepted(), 0);
}

#[tokio::test]
async fn events_need_a_time_and_a_text() {
    let (endpoint, client) = prepared().await;
    let target = "Logs_20140328.PutLogEvents";
    let at = now_ms();
    let body = |event: &str| {
        format!(r#"{{"logGroupName":"{GROUP}","logStreamName":"{STREAM}","logEvents":{event}}}"#)
    };
    let good = body(&format!(r#"[{{"timestamp":{at},"message":"x"}}]"#));
    raw(&client, target, &good).await.unwrap();
    for (events, member) in [
        (
            format!(r#"[{{"timestamp":{at},"message":""}}]"#),
            "logEvents.1.member.message",
        ),
        (
            format!(r#"[{{"timestamp":{at}}}]"#),
            "logEvents.1.member.message",
        ),
        (
            r#"[{"message":"x"}]"#.to_owned(),
            "logEvents.1.member.timestamp",
        ),
        (
            r#"[{"timestamp":-1,"message":"x"}]"#.to_owned(),
            "logEvents.1.member.timestamp",
        ),
        ("null".to_owned(), "logEvents"),
    ] {
        let (status, code, message) = raw(&client, target, &body(&events)).await.unwrap_err();
        assert_eq!((status, &*code), (400, "InvalidParameterException"));
        assert!(message.contains(&format!("at '{member}'")), "{message}");
    }
    assert_eq!(endpoint.logs().events_accepted(), 1);
}

#[tokio::test]
async fn group_and_stream_must_be_there() {
    let (_endpoint, client) = prepared().await;
    let events = || vec![event(now_ms(), "m")];
    let (code, message) = error(put_to(&client, "other", events()).await);
    assert_eq!(
        (&*code, &*message),
        (
            "ResourceNotFoundException",
            "The specified log stream does not exist."
        )
    );
    let sent = client
        .put_log_events()
        .log_group_name("other")
        .log_stream_name(STREAM);
    let (code, message) = error(sent.set_log_events(Some(events())).send().await);
    assert_eq!(
        (&*code, &*message),
        (
            "ResourceNotFoundException",
            "The specified log group does not exist."
        )
    );
}

#[tokio::test]
async fn compressed_batch_is_read() {
    let (endpoint, client) = prepared().await;
    let events: Vec<InputLogEvent> = vec![event(now_ms(), "packed")];
    let body = json!({"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": [
        {"timestamp": events[0].timestamp(), "message": events[0].message()}]});
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body.to_string().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let target = "Logs_20140328.PutLogEvents";
    raw_bytes(&client, target, packed, Some("gzip"))
        .await
        .unwrap();
    assert_eq!(&*endpoint.logs().messages(GROUP, STREAM)[0], "packed");
    assert!(endpoint.logs().batches()[0].gzip);

    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![b' '; 9 * 1024 * 1024]).unwrap();
    let sent = raw_bytes(&client, target, bomb.finish().unwrap(), Some("gzip")).await;
    assert_eq!(sent.unwrap_err().0, 413);
}

#[tokio::test]
async fn batches_to_several_streams_at_once_all_arrive() {
    let (endpoint, client) = prepared().await;
    for stream in ["a", "b", "c"] {
        super::create_stream(&client, stream).await;
    }
    let send = async |stream: &str| {
        for n in 0..20 {
            let events = vec![event(now_ms(), format!("{stream}{n}"))];
            put_to(&client, stream, events).await.unwrap();
        }
    };
    tokio::join!(send("a"), send("b"), send("c"), async {
        say(&client, &["first"]).await;
    });
    assert_eq!(endpoint.logs().events_accepted(), 61);
    for stream in ["a", "b", "c"] {
        let messages = endpoint.logs().messages(GROUP, stream);
        let expected: Vec<_> = (0..20).map(|n| format!("{stream}{n}")).collect();
        assert_eq!(
            messages.iter().map(|m| m.to_string()).collect::<Vec<_>>(),
            expected
        );
    }
}
