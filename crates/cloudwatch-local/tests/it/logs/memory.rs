//! The bound on what is kept.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use cloudwatch_local::CloudWatchLocal;
use tokio::time::Instant;

use super::{GROUP, STREAM, client, client_as, event, now_ms, prepare, put, put_to, say};
use crate::arguments::{program, run};

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

#[tokio::test]
async fn process_says_that_events_went() {
    let mut command = program();
    let command = command.args(["--listen", "127.0.0.1:0", "--keep-logs", "10000"]);
    let (mut running, address) = run(command.stderr(Stdio::piped()));
    let client = client_as(&format!("http://{address}"), "test", "test");
    prepare(&client).await;
    for _ in 0..2 {
        put(&client, vec![event(now_ms(), "x".repeat(6 * KILOBYTE))])
            .await
            .unwrap();
    }
    let mut said = String::new();
    let errors = running.0.stderr.take().unwrap();
    BufReader::new(errors).read_line(&mut said).unwrap();
    assert!(
        said.contains("beyond --keep-logs") && said.contains(": 1 so far"),
        "{said}"
    );
}

#[tokio::test]
async fn process_reads_at_the_rate_that_it_is_told() {
    let mut command = program();
    let command = command.args(["--listen", "127.0.0.1:0", "--read-rate", "200000"]);
    let (_running, address) = run(command);
    let client = client_as(&format!("http://{address}"), "test", "test");
    prepare(&client).await;
    let before = Instant::now();
    put(&client, vec![event(now_ms(), "x".repeat(100 * KILOBYTE))])
        .await
        .unwrap();
    assert!(before.elapsed() >= Duration::from_millis(400));
}
