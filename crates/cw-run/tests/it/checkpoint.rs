use std::collections::BTreeSet;
use std::time::Duration;

use cloudwatch_local::Fault;
use docker_local::{Container, Stream};

use crate::support::{World, a_minute_ago, end, eventually, numbered, signal, text};

/// How often it is killed; more in a soak.
fn kills() -> usize {
    option_env!("CW_RUN_KILLS")
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(10)
}

#[tokio::test]
async fn run_that_was_killed_goes_on_with_its_container_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let path = path.to_str().unwrap();
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = [
        "--checkpoint",
        path,
        "--name",
        "job",
        "--flush-interval",
        "100ms",
        "--",
        "fixture:1",
    ];
    let (mut printed, mut allowed) = (0, 0);
    for kill in 0..kills() {
        let mut child = world.start(&words);
        let container = world.running("job").await;
        for _ in 0..10 {
            container.stdout(text(printed..printed + 20));
            printed += 20;
            tokio::time::sleep(Duration::from_millis(10 + 7 * (kill as u64 % 5))).await;
        }
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        // The one batch that was accepted and may not be in the checkpoint.
        let batches = world.aws.logs().batches();
        allowed += batches.last().map_or(0, |batch| batch.accepted);
    }
    let child = world.start(&words);
    world.running("job").await.exit(4);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let messages = world.messages();
    let once: BTreeSet<_> = messages.iter().cloned().collect();
    assert_eq!(once, numbered(0..printed).into_iter().collect());
    let twice = messages.len() - printed;
    assert!(twice <= allowed, "{twice} of {printed}, {allowed} allowed");
    assert_eq!(
        world.engine.requests_to("POST /containers/create*").len(),
        1
    );
    let again = world.run(&words).await;
    assert_eq!(
        (again.code, world.messages().len()),
        (Some(4), messages.len()),
        "{again:?}"
    );
}

#[tokio::test]
async fn container_whose_id_never_reached_the_file_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = [
        "--checkpoint",
        path.to_str().unwrap(),
        "--name",
        "job",
        "--",
        "fixture:1",
    ];
    let mut child = world.start(&words);
    world.running("job").await.stdout(text(0..10));
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let mut content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    content["containers"] = serde_json::json!({});
    std::fs::write(&path, content.to_string()).unwrap();
    let child = world.start(&words);
    world.running("job").await.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        world.engine.requests_to("POST /containers/create*").len(),
        1
    );
    let once: BTreeSet<_> = world.messages().into_iter().collect();
    assert_eq!(once.len(), 10);
}

#[tokio::test]
async fn other_arguments_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let path = path.to_str().unwrap();
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.exit(0));
    assert_eq!(
        world
            .run(&["--checkpoint", path, "--", "fixture:1", "a"])
            .await
            .code,
        Some(0)
    );
    let ended = world
        .run(&["--checkpoint", path, "--", "fixture:1", "b"])
        .await;
    assert_eq!((ended.code, ended.text().len()), (Some(78), 1), "{ended:?}");
    assert!(ended.text()[0].contains("same arguments"), "{ended:?}");
}

#[tokio::test]
async fn other_region_is_refused_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let config = folder.path().join("config");
    let world = World::new().await;
    let exit = |container: &docker_local::ContainerHandle| container.exit(0);
    world.engine.add_program("fixture:1", exit);
    let run = async |region: &str, words: &[&str]| {
        std::fs::write(&config, format!("[default]\nregion = {region}\n")).unwrap();
        let checkpoint = ["--checkpoint", path.to_str().unwrap()];
        let words = [&checkpoint, words, &["--", "fixture:1"]].concat();
        let mut command = world.command(&words);
        command.env_remove("AWS_REGION");
        end(command.env("AWS_CONFIG_FILE", &config).spawn().unwrap()).await
    };
    assert_eq!(run("eu-west-1", &[]).await.code, Some(0));
    let same = run("us-west-2", &["--region", "eu-west-1"]).await;
    assert_eq!(same.code, Some(0), "{same:?}");
    let other = run("us-west-2", &[]).await;
    assert_eq!((other.code, other.text().len()), (Some(78), 1), "{other:?}");
}

#[tokio::test]
async fn container_of_the_checkpoint_that_is_gone_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let words = [
        "--checkpoint",
        path.to_str().unwrap(),
        "--name",
        "job",
        "--",
        "fixture:1",
    ];
    let mut child = world.start(&words);
    let container = world.running("job").await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    container.remove();
    let ended = world.run(&words).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("is gone"), "{ended:?}");
}

#[tokio::test]
async fn attached_container_goes_on_where_it_was_left_and_outages_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let words = ["attach", "web", "--checkpoint", path.to_str().unwrap()];
    let world = World::new().await;
    let web = world
        .engine
        .add(docker_local::Container::named("web").running());
    web.stdout(text(0..10));
    let child = world.start(&words);
    world.arrived(10).await;
    signal(&child, "TERM").await;
    assert_eq!(end(child).await.code, Some(0));
    web.stdout(text(10..20));
    world
        .aws
        .logs()
        .fail_next_of("PutLogEvents", [Fault::status(500)]);
    let child = world.start(&words);
    world.arrived(20).await;
    web.exit(0);
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..20));
}

/// What the file says of a place in this stream.
fn has_place(path: &std::path::Path, stream: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("{stream}=")))
}

#[tokio::test]
async fn stream_of_which_nothing_was_accepted_is_shipped_from_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let words = [
        "attach",
        "web",
        "--stderr-stream",
        "err",
        "--checkpoint",
        path.to_str().unwrap(),
    ];
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let then = a_minute_ago();
    for number in 0..20 {
        web.log_at(then + number, Stream::Stdout, format!("line {number}\n"));
        let later = then + 20_000_000_000 + number;
        web.log_at(later, Stream::Stderr, format!("err {number}\n"));
    }
    world.aws.logs().fail_when(|request| {
        let is_stdout = request.stream.as_deref() == Some("today");
        (request.operation == "PutLogEvents" && is_stdout).then(Fault::throttling)
    });
    let mut child = world.start(&words);
    eventually("stderr is in the file", || has_place(&path, "stderr")).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    world.aws.logs().heal();
    let child = world.start(&words);
    world.arrived(40).await;
    web.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..20));
    assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
}

/// One stream is silent, or has been for long: a run that goes on reads from about where the
/// other one is, and finds what the silent one says then.
#[tokio::test]
async fn silent_stream_does_not_make_the_next_run_read_the_whole_log() {
    for said_before in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job");
        let words = ["attach", "web", "--checkpoint", path.to_str().unwrap()];
        let world = World::new().await;
        let web = world.engine.add(Container::named("web").running());
        let then = a_minute_ago();
        if said_before {
            web.log_at(then, Stream::Stderr, "err before\n");
        }
        for number in 0..40 {
            let time = then + number * 1_000_000_000;
            web.log_at(time, Stream::Stdout, format!("line {number}\n"));
        }
        let child = world.start(&words);
        world.arrived(40 + u64::from(said_before)).await;
        signal(&child, "TERM").await;
        assert_eq!(end(child).await.code, Some(0));
        let asked_before = world.engine.requests_to("GET /containers/*/logs").len();
        web.stderr("err after\n");
        web.stdout("line 40\n");
        let child = world.start(&words);
        world.arrived(42 + u64::from(said_before)).await;
        web.exit(0);
        let ended = end(child).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
        let messages = world.messages();
        let out = messages
            .iter()
            .filter(|message| message.starts_with("line"));
        assert!(out.eq(&numbered(0..41)), "{messages:?}");
        let since = world.engine.requests_to("GET /containers/*/logs")[asked_before]
            .query("since")
            .and_then(|since| since.parse::<f64>().ok());
        let last = (then / 1_000_000_000 + 39) as f64;
        assert!(
            since.is_some_and(|since| since >= last - 3.0),
            "{since:?} {last}"
        );
    }
}

#[tokio::test]
async fn unfinished_event_of_a_killed_run_is_shipped_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let words = |interval: &'static str| {
        let path = path.to_str().unwrap();
        let pattern = [
            "--multiline-pattern",
            "^[A-Z]",
            "--flush-interval",
            interval,
        ];
        [&["attach", "web", "--checkpoint", path], &pattern[..]].concat()
    };
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    web.log_at(a_minute_ago(), Stream::Stdout, "START once\n");
    for number in 0..60 {
        web.stderr(format!("E {number} {}\n", "x".repeat(60_000)));
    }
    let mut child = world.start(&words("60s"));
    eventually("stderr is in the file", || has_place(&path, "stderr")).await;
    assert!(!has_place(&path, "stdout"));
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let child = world.start(&words("100ms"));
    eventually("the event is there", || {
        world
            .messages()
            .iter()
            .any(|message| message == "START once")
    })
    .await;
    web.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.logged("summary").unwrap()["gaps"], 0, "{ended:?}");
}

#[tokio::test]
async fn tail_of_a_killed_run_is_not_looked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let path_text = path.to_str().unwrap();
    let words = ["attach", "web", "--tail", "0", "--checkpoint", path_text];
    let world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    world.aws.logs().fail_always(Fault::cut());
    let mut child = world.start(&words);
    eventually("it follows", || {
        let asked = world.engine.requests_to("GET /containers/*/logs");
        !asked.is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    web.stdout(text(0..10));
    eventually("the floor is in the file", || has_place(&path, "floor")).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    world.aws.logs().heal();
    let child = world.start(&words);
    world.arrived(10).await;
    web.exit(0);
    assert_eq!(end(child).await.code, Some(0));
    assert_eq!(world.messages(), numbered(0..10));
}
