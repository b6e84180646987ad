use std::sync::atomic::{AtomicUsize, Ordering};

use cloudwatch_local::Fault;
use serde_json::json;

use crate::support::{World, end, numbered, text};

const RUN: &[&str] = &["--name", "job", "--", "fixture:1"];

/// Runs a container that prints a thousand lines in ten parts, while something is wrong.
async fn ship(world: &World, wrong: impl FnOnce(&World)) -> crate::support::Ended {
    world.engine.add_image("fixture:1");
    wrong(world);
    let child = world.start(RUN);
    let container = world.running("job").await;
    for part in 0..10 {
        container.stdout(text(part * 100..part * 100 + 100));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    container.exit(0);
    end(child).await
}

#[tokio::test]
async fn service_that_is_away_for_a_while_loses_nothing() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    world.aws.logs().fail_always(Fault::cut());
    let child = world.start(RUN);
    let container = world.running("job").await;
    container.stdout(text(0..1000));
    container.exit(0);
    world.aws.logs().requests_at_least(4).await;
    world.aws.logs().heal();
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..1000));
}

#[tokio::test]
async fn throttling_of_nine_requests_in_ten_loses_and_doubles_nothing() {
    let world = World::new().await;
    let count = AtomicUsize::new(0);
    world.aws.logs().fail_when(move |request| {
        let puts = request.operation == "PutLogEvents";
        let passes = puts && count.fetch_add(1, Ordering::Relaxed) % 10 == 9;
        (puts && !passes).then(Fault::throttling)
    });
    world.engine.add_program("fixture:1", |container| {
        container.stdout(text(0..1000));
        container.exit(0);
    });
    let ended = world.run(RUN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..1000));
}

#[tokio::test]
async fn errors_of_the_service_lose_and_double_nothing() {
    let world = World::new().await;
    let ended = ship(&world, |world| {
        let wrong = [
            Fault::internal(),
            Fault::status(503),
            Fault::garbage(),
            Fault::truncated(),
            Fault::operation_aborted(),
            Fault::status(429),
            Fault::body(200, "<html>"),
        ];
        world.aws.logs().fail_next_of("PutLogEvents", wrong);
        world.aws.logs().fail_next_of(
            "CreateLogGroup",
            [Fault::operation_aborted(), Fault::limit_exceeded()],
        );
    })
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..1000));
    assert_eq!(world.aws.logs().faults_left(), 0);
}

#[tokio::test]
async fn answers_that_never_came_are_the_only_duplicates_and_are_counted() {
    let world = World::new().await;
    let ended = ship(&world, |world| {
        world.aws.logs().fail_next_of(
            "PutLogEvents",
            [
                Fault::cut_after_accepting(),
                Fault::truncated_after_accepting(),
            ],
        )
    })
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut messages = world.messages();
    let all = messages.len();
    messages.sort_by_key(|message| message["line ".len()..].parse::<usize>().unwrap());
    messages.dedup();
    assert_eq!(messages, numbered(0..1000));
    let told = ended.logged("summary").unwrap()["duplicates_possible"]
        .as_u64()
        .unwrap();
    assert!(all > 1000 && (all - 1000) as u64 <= told, "{all} {told}");
}

#[tokio::test]
async fn access_that_is_denied_and_then_allowed_loses_nothing_and_is_told() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    world.aws.logs().fail_always(Fault::access_denied());
    let child = world.start(RUN);
    let container = world.running("job").await;
    container.stdout(text(0..50));
    world.aws.logs().refused_at_least(4).await;
    world.aws.logs().heal();
    world.arrived(50).await;
    container.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..50));
    let told = ended
        .logged("nothing is accepted, lines are held until somebody acts")
        .unwrap();
    assert!(told["hint"].as_str().unwrap().contains("logs:"), "{told}");
}

#[tokio::test]
async fn poison_among_ten_thousand_costs_only_itself() {
    let world = World::new().await;
    world.aws.logs().poison("line 5678");
    world.engine.add_program("fixture:1", |container| {
        container.stdout(text(0..10_000));
        container.exit(0);
    });
    let ended = world.run(RUN).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut expected = numbered(0..10_000);
    expected.remove(5678);
    assert_eq!(world.messages(), expected);
    assert_eq!(ended.logged("summary").unwrap()["lines_refused"], json!(1));
}

#[tokio::test]
async fn what_cannot_be_shipped_in_time_is_counted_and_stays_with_the_container() {
    let world = World::new().await;
    world.aws.logs().fail_always(Fault::cut());
    world.engine.add_program("fixture:1", |container| {
        container.stdout(text(0..300));
        container.exit(3);
    });
    let ended = world
        .run(&[
            "--rm",
            "--drain-timeout",
            "1s",
            "--name",
            "job",
            "--",
            "fixture:1",
        ])
        .await;
    assert_eq!(ended.code, Some(124), "{ended:?}");
    let told = ended
        .logged("not everything could be shipped in time, the container keeps its log")
        .unwrap();
    assert_eq!(told["lines"], json!(300), "{told}");
    assert!(told["since"].as_str().unwrap().ends_with('Z'), "{told}");
    assert!(world.engine.container("job").is_some());
}

#[tokio::test]
async fn container_is_stopped_when_nothing_can_be_shipped_if_that_is_asked_for() {
    // The second lets not even the stream be created.
    for fault in [Fault::access_denied(), Fault::cut()] {
        let world = World::new().await;
        world.engine.add_image("fixture:1");
        world.aws.logs().fail_always(fault);
        let child = world.start(&[
            "--on-failure",
            "stop",
            "--failure-after",
            "1s",
            "--drain-timeout",
            "1s",
            "--name",
            "job",
            "--",
            "fixture:1",
        ]);
        world.running("job").await.stdout("x\n");
        let ended = end(child).await;
        assert_eq!(ended.code, Some(124), "{ended:?}");
        assert_eq!(world.engine.requests_to("POST /containers/*/stop").len(), 1);
    }
}

#[tokio::test]
async fn poison_event_of_a_quiet_container_does_not_stop_it() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    world.aws.logs().poison("bad");
    let words = ["--on-failure", "stop", "--failure-after", "1s"];
    let child = world.start(&[&words, RUN].concat());
    let container = world.running("job").await;
    container.stdout("bad\n");
    world.aws.logs().refused_at_least(1).await;
    // Twice as long as it would take.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(container.state(), Some(docker_local::State::Running));
    container.exit(0);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.logged("summary").unwrap()["lines_refused"], json!(1));
}

#[tokio::test]
async fn engine_that_is_restarted_costs_nothing() {
    let mut world = World::new().await;
    world.engine.add_image("fixture:1");
    let child = world.start(RUN);
    let container = world.running("job").await;
    container.stdout(text(0..100));
    world.arrived(100).await;
    world.engine.restart().await.unwrap();
    container.stdout(text(100..200));
    world.arrived(200).await;
    container.exit(5);
    let ended = end(child).await;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..200));
}

#[tokio::test]
async fn memory_is_bounded_while_the_service_is_slower_than_the_container() {
    let world = World::new().await;
    let rate = std::num::NonZeroU64::new(6_000_000);
    world.aws.read_at(rate);
    let filling = "x".repeat(990);
    world.engine.add_program("fixture:1", move |container| {
        for number in 0..40_000 {
            container.stdout(format!("{number} {filling}\n"));
        }
        container.exit(0);
    });
    let mut child = world.start(RUN);
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.aws.logs().events_accepted(), 40_000);
    // 16 MiB of lines, a request or two, and what the process has of its own; not its code.
    assert!(peak > 0 && peak < 28 * 1024, "{peak} KiB");
}
