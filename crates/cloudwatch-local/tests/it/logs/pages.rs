//! What a script reads of logs over HTTP.

use serde_json::{Value, json};

use super::{GROUP, create_stream, event, now_ms, prepared, put_to, say};
use crate::pages::{get, get_json};

fn numbers(answer: &Value) -> Vec<u64> {
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| event["number"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn groups_and_streams_are_listed_with_their_counts() {
    let (endpoint, client) = prepared().await;
    say(&client, &["a", "b"]).await;
    let answer = get_json(&endpoint, "/logs").await;
    let group = &answer["groups"][0];
    assert_eq!(
        (&group["name"], &group["class"]),
        (&json!(GROUP), &json!("STANDARD"))
    );
    assert_eq!(group["streams"][0]["events"], json!(2));
    assert_eq!(
        (&answer["accepted"], &answer["dropped"]),
        (&json!(2), &json!(0))
    );
    let summary = get_json(&endpoint, "/summary").await;
    assert_eq!(summary["log_events"], json!(2));
    assert_eq!(summary["log_requests"], json!(3));
    assert_eq!(get_json(&endpoint, "/updates").await["logs"], answer);
}

#[tokio::test]
async fn events_are_read_in_order_of_arrival_with_their_batch() {
    let (endpoint, client) = prepared().await;
    create_stream(&client, "b c").await;
    say(&client, &["one", "two"]).await;
    put_to(&client, "b c", vec![event(now_ms() - 5, "other")])
        .await
        .unwrap();
    say(&client, &["three"]).await;
    let all = get_json(&endpoint, "/logs/events?group=group").await;
    assert_eq!(numbers(&all), [1, 2, 3, 4]);
    let batches: Vec<_> = all["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["batch"])
        .collect();
    assert_eq!(batches, [1, 1, 2, 3]);
    assert_eq!((&all["next"], &all["complete"]), (&json!(4), &json!(true)));

    let stream = get_json(&endpoint, "/logs/events?group=group&stream=b%20c").await;
    assert_eq!(stream["events"][0]["message"], json!("other"));
    let page = get_json(&endpoint, "/logs/events?group=group&stream=stream&limit=2").await;
    assert_eq!(
        (numbers(&page), &page["complete"]),
        (vec![1, 2], &json!(false))
    );
    let next = format!(
        "/logs/events?group=group&stream=stream&after={}",
        page["next"]
    );
    assert_eq!(numbers(&get_json(&endpoint, &next).await), [4]);
    let found = get_json(&endpoint, "/logs/events?group=group&filter=t+-one+-two").await;
    assert_eq!(numbers(&found), [3, 4]);
    let latest = get_json(&endpoint, "/logs/events?group=group&latest=1&limit=2").await;
    assert_eq!(numbers(&latest), [3, 4]);
    assert_eq!(latest["next"], json!(4));
    let none = get_json(&endpoint, "/logs/events?group=none").await;
    assert!(numbers(&none).is_empty());
}

#[tokio::test]
async fn query_that_is_not_understood_is_answered_with_the_reason() {
    let (endpoint, _client) = prepared().await;
    for (path, words) in [
        ("/logs/events", "group is missing"),
        (
            "/logs/events?group=a&after=x",
            "after must be a whole number",
        ),
        (
            "/logs/events?group=a&filter=%7Ba%7D",
            "Invalid filter pattern",
        ),
    ] {
        let (head, body) = get(&endpoint, path).await;
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
        assert!(body.contains(words), "{body}");
    }
}

#[tokio::test]
async fn refusals_of_both_apis_are_shown_together() {
    let (endpoint, client) = prepared().await;
    client
        .delete_log_group()
        .log_group_name("none")
        .send()
        .await
        .unwrap_err();
    let datum = crate::support::datum("A", f64::NAN);
    let metrics = crate::support::client(&endpoint);
    crate::support::send(&metrics, vec![datum])
        .await
        .unwrap_err();
    let refused = get_json(&endpoint, "/refused").await;
    let operations: Vec<_> = (0..2)
        .map(|i| refused[i]["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations, ["DeleteLogGroup", "PutMetricData"]);
}
