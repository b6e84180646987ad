use serde_json::Value;

use crate::support::{World, end, program};

const WORDS: &[&str] = &[
    "check",
    "--group",
    "{label:app}",
    "--docker-image",
    "python",
    "--bash-command",
    "echo hello",
    "--env",
    "TOKEN=hunter2",
    "--region",
    "us-east-1",
    "--aws-access-key-id",
    "AKIA",
    "--aws-secret-access-key",
    "hunter2",
];

#[tokio::test]
async fn what_would_be_done_is_said_without_asking_anybody() {
    let world = World::new().await;
    let mut command = world.command(WORDS);
    command.env_remove("CW_RUN_STREAM");
    command.env_remove("CW_RUN_FLUSH_INTERVAL");
    let ended = end(command.spawn().unwrap()).await;
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert!(world.engine.requests().is_empty());
    assert!(world.aws.logs().attempts().is_empty());
    for line in [
        "action: run",
        "image: python",
        "group: {label:app}",
        "stream: {name}/{id}",
        "env: [\"TOKEN\"]",
        "region: us-east-1",
        "drain_timeout: 30s",
        "flush_interval: 5s",
        "buffer_bytes: 16777216",
    ] {
        assert!(
            ended.stdout.lines().any(|found| found == line),
            "{line}: {}",
            ended.stdout
        );
    }
    assert!(!ended.stdout.contains("hunter2"));
}

#[tokio::test]
async fn the_same_is_a_document() {
    let words = [
        "check", "attach", "--label", "ship=yes", "--group", "g", "--json",
    ];
    let ended = end(program(&words).spawn().unwrap()).await;
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (document["action"].as_str(), document["labels"][0].as_str()),
        (Some("attach"), Some("ship=yes"))
    );
    assert_eq!(document["credentials"], "none");
}

#[tokio::test]
async fn help_is_printed_whole_and_by_topic() {
    for words in [
        &["--help"][..],
        &["--help", "delivery"],
        &["help", "container"],
        &["--version"],
    ] {
        let ended = end(program(words).spawn().unwrap()).await;
        assert_eq!(
            (ended.code, ended.stdout.is_empty(), &*ended.stderr),
            (Some(0), false, ""),
            "{words:?}"
        );
    }
}
