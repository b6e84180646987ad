//! The bound on what is kept.

use cloudwatch_local::CloudWatchLocal;

use super::{GROUP, STREAM, client, event, now_ms, prepare, put, put_to, say};

const KILOBYTE: usize = 1000;

#[tokio::test]
async fn oldest_events_go_beyond_the_bound_and_it_is_told() {
    let endpoint = CloudWatchLocal::builder().keep_logs(20 * KILOBYTE);
    let endpoint = endpoint.start().await.unwrap();
    let client = client(&endpoint);
    prepare(&client).await;
    super::create_stream(&client, "other").await;
    let line = |n: usize| event(now_ms(), format!("{n:0>KILOBYTE$}"));
    put_to(&client, "other", vec![line(0)]).await.unwrap();
    for n in 1..=10 {
        put(&client, vec![line(n)]).await.unwrap();
    }
    let logs = endpoint.logs();
    assert_eq!(logs.events_dropped(), 0);
    for n in 11..=30 {
        put(&client, vec![line(n)]).await.unwrap();
    }
    let kept = logs.messages(GROUP, STREAM);
    assert!((12..=18).contains(&kept.len()), "{}", kept.len());
    assert!(
        kept[0].ends_with(&(31 - kept.len()).to_string()),
        "the oldest went"
    );
    assert!(logs.events("group", "other").is_empty());
    assert_eq!(logs.events_dropped() as usize, 31 - kept.len());
    assert_eq!(logs.events_accepted(), 31);
    assert_eq!(logs.more_events_dropped(0).await, logs.events_dropped());

    let get = client
        .get_log_events()
        .log_group_name(GROUP)
        .log_stream_name(STREAM);
    let get = get.start_from_head(true).send().await.unwrap();
    assert_eq!(get.events().len(), kept.len());
    let described = client.describe_log_groups().send().await.unwrap();
    let stored = described.log_groups()[0].stored_bytes().unwrap();
    assert_eq!(stored as usize, kept.len() * KILOBYTE);
}

#[tokio::test]
async fn deleted_streams_make_room() {
    let endpoint = CloudWatchLocal::builder().keep_logs(100 * KILOBYTE);
    let endpoint = endpoint.start().await.unwrap();
    let client = client(&endpoint);
    prepare(&client).await;
    say(&client, &["kept"]).await;
    for n in 0..20 {
        let stream = format!("s{n}");
        super::create_stream(&client, &stream).await;
        let events = vec![event(now_ms(), "x".repeat(50 * KILOBYTE))];
        put_to(&client, &stream, events).await.unwrap();
        let delete = client.delete_log_stream().log_group_name(GROUP);
        delete.log_stream_name(stream).send().await.unwrap();
    }
    assert_eq!(endpoint.logs().events_dropped(), 0);
    assert_eq!(endpoint.logs().messages(GROUP, STREAM).len(), 1);
}
