use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use docker_client::DockerApiClient;
use docker_local::{Container, ContainerHandle, DockerLocal};
use retry_policy::{RequestError, RequestErrorKind};
use tokio::sync::watch;

use super::*;
use crate::cloudwatch_manager::{StreamName, Streams};
use crate::job::{Job, Target};
use crate::testing::{FakeLogs, refusal};
use crate::verdict::Operation;
use crate::{Request, parse_arguments};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn job(words: &[&str]) -> Job {
    let base = [
        "cw-run",
        "attach",
        "web",
        "--group",
        "g",
        "--stream",
        "s",
        "--flush-interval",
        "100ms",
    ];
    let words = base.iter().chain(words).map(std::ffi::OsString::from);
    match parse_arguments(words.collect::<Vec<_>>(), &settings::Environment::default()) {
        Ok(Request::Do(job)) => *job,
        other => panic!("{other:?}"),
    }
}

struct World {
    engine: DockerLocal,
    web: ContainerHandle,
    shipping: Arc<Shipping<FakeLogs>>,
    job: Job,
}

impl World {
    async fn new(words: &[&str], container: Container) -> Self {
        let engine = DockerLocal::builder().start().await.unwrap();
        let web = engine.add(container.running());
        let job = job(words);
        assert!(matches!(job.target, Target::Attach(_)));
        let shipping = Arc::new(Shipping::new(
            Arc::new(FakeLogs::default()),
            &job,
            None,
            None,
        ));
        Self {
            engine,
            web,
            shipping,
            job,
        }
    }

    async fn ship(&self) -> Ended {
        let docker = DockerApiClient::connect_to(&self.engine.url())
            .await
            .unwrap();
        let info = docker.get_container_info("web").await.unwrap();
        let streams = Streams::of(&self.job.destination, &info, "2026-11-21");
        let (_halt, halted) = watch::channel(None);
        let shipped = follow(
            &self.shipping,
            &docker,
            &info,
            &streams,
            Begin::default(),
            Followed::default(),
            halted,
        );
        tokio::time::timeout(PATIENCE, shipped)
            .await
            .unwrap()
            .unwrap()
    }

    fn messages(&self) -> Vec<String> {
        self.shipping.service.messages(&StreamName {
            group: "g".to_owned(),
            stream: "s".to_owned(),
        })
    }

    fn say(&self, lines: std::ops::Range<usize>) {
        let text: String = lines.map(|number| format!("line {number}\n")).collect();
        self.web.stdout(text);
    }
}

fn numbered(lines: std::ops::Range<usize>) -> Vec<String> {
    lines.map(|number| format!("line {number}")).collect()
}

#[tokio::test]
async fn lines_of_both_streams_arrive_and_group_and_stream_are_made() {
    let world = World::new(&[], Container::named("web")).await;
    world.web.stdout("a\n\nb\n");
    world.web.stderr("e\n");
    world.web.stdout("no end");
    world.web.exit(0);
    assert_eq!(world.ship().await, Ended::WithContainer);
    let messages: HashSet<_> = world.messages().into_iter().collect();
    assert_eq!(
        messages,
        ["a", "b", "e", "no end"].map(str::to_owned).into()
    );
    let summary = world.shipping.tally.summary();
    assert_eq!(
        (summary.lines, summary.lines_held(), summary.bytes),
        (4, 0, 9)
    );
    assert_eq!(world.shipping.budget.held(), 0);
    use Operation::{CreateGroup, CreateStream, PutEvents};
    assert_eq!(
        world.shipping.service.requests(),
        [CreateStream, CreateGroup, CreateStream, PutEvents]
    );
}

#[tokio::test]
async fn standard_error_has_a_stream_of_its_own_if_that_is_asked_for() {
    let world = World::new(&["--stderr-stream", "err"], Container::named("web")).await;
    world.web.stdout("a\n");
    world.web.stderr("e\n");
    world.web.exit(0);
    world.ship().await;
    let err = StreamName {
        group: "g".to_owned(),
        stream: "err".to_owned(),
    };
    assert_eq!(
        (world.messages(), world.shipping.service.messages(&err)),
        (vec!["a".to_owned()], vec!["e".to_owned()])
    );
}

#[tokio::test]
async fn failures_that_pass_lose_nothing_and_double_nothing() {
    let world = World::new(&[], Container::named("web")).await;
    let tries = AtomicUsize::new(0);
    world.shipping.service.rule(move |_, _| {
        Some(match tries.fetch_add(1, Ordering::Relaxed) {
            0 => RequestErrorKind::NoResponse.into(),
            2 => refusal(500, ""),
            4 => refusal(400, "OperationAbortedException"),
            6 => refusal(503, "ServiceUnavailableException"),
            8 => refusal(400, "ResourceNotFoundException"),
            _ => return None,
        })
    });
    for part in 0..4 {
        world.say(part * 100..part * 100 + 100);
    }
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages(), numbered(0..400));
}

#[tokio::test]
async fn access_that_is_denied_and_then_allowed_loses_nothing() {
    let world = World::new(&[], Container::named("web")).await;
    let tries = AtomicUsize::new(0);
    world.shipping.service.rule(move |_, _| {
        (tries.fetch_add(1, Ordering::Relaxed) < 3).then(|| refusal(400, "AccessDeniedException"))
    });
    world.say(0..10);
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages(), numbered(0..10));
    assert_eq!(world.shipping.tally.failing_for(), None);
}

#[tokio::test]
async fn poison_among_ten_thousand_is_dropped_alone_and_counted() {
    let world = World::new(&[], Container::named("web")).await;
    world.shipping.service.rule(|_, events| {
        let is_bad = events.iter().any(|event| event.message == "line 4321");
        is_bad.then(|| refusal(400, "InvalidParameterException"))
    });
    world.say(0..10_000);
    world.web.exit(0);
    world.ship().await;
    let mut expected = numbered(0..10_000);
    expected.remove(4321);
    assert_eq!(world.messages(), expected);
    let summary = world.shipping.tally.summary();
    assert_eq!(
        (summary.refused, summary.lines, summary.lines_held()),
        (1, 9_999, 0)
    );
    assert!(summary.requests < 40, "{}", summary.requests);
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn unknown_refusal_of_one_keeps_no_other_and_is_tried_again_at_the_end() {
    let world = World::new(&[], Container::named("web")).await;
    let alone = Arc::new(AtomicUsize::new(0));
    let counted = alone.clone();
    world.shipping.service.rule(move |_, events| {
        let is_bad = events.iter().any(|event| event.message == "line 3");
        // It passes once the search for it is over.
        let passes = is_bad && events.len() == 1 && counted.fetch_add(1, Ordering::Relaxed) >= 4;
        (is_bad && !passes).then(|| refusal(400, "SomethingNew"))
    });
    world.say(0..8);
    world.web.exit(0);
    world.ship().await;
    let mut messages = world.messages();
    assert_eq!(messages.pop().as_deref(), Some("line 3"));
    assert_eq!(messages.len(), 7);
    assert_eq!(world.shipping.tally.summary().lines_held(), 0);
}

#[tokio::test]
async fn lines_without_an_answer_are_counted_as_possible_duplicates() {
    let world = World::new(&[], Container::named("web")).await;
    let tries = AtomicUsize::new(0);
    world.shipping.service.rule(move |operation, _| {
        let first = operation == Operation::PutEvents && tries.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| RequestError::from(RequestErrorKind::NoResponse))
    });
    world.say(0..5);
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.shipping.tally.summary().duplicates_possible, 5);
}

#[tokio::test]
async fn reading_stops_while_memory_is_full_and_goes_on() {
    let world = World::new(&["--buffer-bytes", "4MiB"], Container::named("web")).await;
    let away = Arc::new(AtomicUsize::new(1));
    let is_away = away.clone();
    world.shipping.service.rule(move |_, _| {
        (is_away.load(Ordering::Relaxed) == 1)
            .then(|| RequestError::from(RequestErrorKind::NoResponse))
    });
    let filling = "x".repeat(1000);
    for part in 0..20 {
        let text: String = (part * 1000..part * 1000 + 1000)
            .map(|number| format!("{number} {filling}\n"))
            .collect();
        world.web.stdout(text);
    }
    world.web.exit(0);
    let full = async {
        while world.shipping.budget.held() < (4 << 20) - 2000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        away.store(0, Ordering::Relaxed);
    };
    tokio::join!(world.ship(), full);
    let messages = world.messages();
    assert_eq!(messages.len(), 20_000);
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(number, message)| message.starts_with(&format!("{number} ")))
    );
    assert!(world.shipping.budget.most() <= 4 << 20);
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn lines_of_an_event_arrive_together() {
    let world = World::new(&["--multiline-pattern", "^ERROR"], Container::named("web")).await;
    world.web.stdout("ERROR a\n at 1\n at 2\nERROR b\n");
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages(), ["ERROR a\n at 1\n at 2", "ERROR b"]);
    assert_eq!(world.shipping.tally.summary().lines, 4);
}

#[tokio::test]
async fn long_line_is_split_in_order_and_text_is_repaired() {
    let world = World::new(
        &[],
        Container::named("web").log_driver(docker_local::LogDriver::Local),
    )
    .await;
    let long = "é".repeat(1_100_000);
    world.web.stdout(format!("{long}\n"));
    world.web.stdout(b"bad \xff\n");
    world.web.exit(0);
    world.ship().await;
    let messages = world.messages();
    assert_eq!(messages.len(), 4);
    assert_eq!(messages[..3].concat(), long);
    assert!(
        messages
            .iter()
            .all(|message| message.len() <= crate::event::MESSAGE_MAX)
    );
    assert_eq!(messages[3], "bad \u{fffd}");
}

#[tokio::test]
async fn what_is_missing_and_not_to_be_created_is_waited_for() {
    let world = World::new(&["--no-create"], Container::named("web")).await;
    world.say(0..3);
    world.web.exit(0);
    let created = async {
        while world.shipping.service.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        use crate::cloudwatch_manager::LogsService;
        world
            .shipping
            .service
            .create_group("g", &GroupSettings::default())
            .await
            .unwrap();
        world
            .shipping
            .service
            .create_stream("g", "s")
            .await
            .unwrap();
    };
    tokio::join!(world.ship(), created);
    assert_eq!(world.messages(), numbered(0..3));
}

#[tokio::test]
async fn containers_that_share_a_stream_send_one_request_at_a_time() {
    let world = World::new(&[], Container::named("web")).await;
    let docker = DockerApiClient::connect_to(&world.engine.url())
        .await
        .unwrap();
    let follow_one = async |name: &str| {
        let info = docker.get_container_info(name).await.unwrap();
        let streams = Streams::of(&world.job.destination, &info, "2026-11-21");
        let (_halt, halted) = watch::channel(None);
        let (begin, followed) = (Begin::default(), Followed::default());
        let shipped = follow(
            &world.shipping,
            &docker,
            &info,
            &streams,
            begin,
            followed,
            halted,
        );
        tokio::time::timeout(PATIENCE, shipped)
            .await
            .unwrap()
            .unwrap()
    };
    let names = ["a", "b", "c"];
    for name in names {
        let container = world.engine.add(Container::named(name).running());
        container.stdout(format!("{name}\n").repeat(25_000));
        container.exit(0);
    }
    tokio::join!(follow_one("a"), follow_one("b"), follow_one("c"));
    assert_eq!(world.messages().len(), 75_000);
    assert_eq!(world.shipping.service.most_at_once(), 1);
}

#[tokio::test]
async fn parked_events_that_fill_the_memory_hold_the_rest_back_and_are_not_dropped() {
    let world = World::new(&["--buffer-bytes", "4MiB"], Container::named("web")).await;
    let met = Arc::new(AtomicUsize::new(0));
    let counted = met.clone();
    world.shipping.service.rule(move |_, events| {
        let is_bad = events.iter().any(|event| event.message.starts_with("bad"));
        let passes = is_bad && events.len() == 1 && counted.load(Ordering::Relaxed) >= 26;
        (is_bad && !passes).then(|| {
            counted.fetch_add(1, Ordering::Relaxed);
            refusal(400, "SomethingNew")
        })
    });
    let bad = format!("bad{}\n", "x".repeat(900_000));
    for number in 0..6 {
        world.web.stdout(format!("good {number}\n"));
        world.web.stdout(&bad);
    }
    world.web.exit(0);
    world.ship().await;
    let summary = world.shipping.tally.summary();
    assert_eq!((world.messages().len(), summary.refused), (12, 0));
    assert!(world.shipping.budget.most() <= 4 << 20);
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn refusal_of_everything_that_begins_within_a_batch_is_held_and_drops_nothing() {
    let world = World::new(&[], Container::named("web")).await;
    let puts = AtomicUsize::new(0);
    world.shipping.service.rule(move |operation, _| {
        let is_put = operation == Operation::PutEvents;
        let number = puts.fetch_add(usize::from(is_put), Ordering::Relaxed);
        (is_put && number != 4 && number < 36).then(|| refusal(404, ""))
    });
    world.say(0..8000);
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages(), numbered(0..8000));
    let summary = world.shipping.tally.summary();
    assert_eq!((summary.refused, summary.lines_held()), (0, 0));
    assert!(summary.requests < 60, "{}", summary.requests);
}

#[tokio::test]
async fn event_that_is_refused_for_two_reasons_is_dropped_once() {
    let world = World::new(&[], Container::named("web")).await;
    let tries = AtomicUsize::new(0);
    world.shipping.service.rule(move |operation, events| {
        let has_bad = events.iter().any(|event| event.message == "line 0");
        let is_put = operation == Operation::PutEvents;
        let is_late = tries.fetch_add(usize::from(is_put), Ordering::Relaxed) > 7;
        match (is_put, has_bad, is_late) {
            (true, true, _) => Some(refusal(400, "InvalidParameterException")),
            (true, false, false) => Some(refusal(400, "SomethingNew")),
            _ => None,
        }
    });
    world.say(0..2);
    world.web.exit(0);
    world.ship().await;
    let summary = world.shipping.tally.summary();
    assert_eq!(
        (summary.refused, summary.lines, summary.lines_held()),
        (1, 1, 0)
    );
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn many_containers_do_not_make_each_slow() {
    let mut world = World::new(&[], Container::named("web")).await;
    let shipping = Arc::get_mut(&mut world.shipping).unwrap();
    shipping.flush_interval = Duration::from_secs(60);
    let share = || budget::Share::new(&world.shipping.budget);
    let _others: Vec<_> = (0..99).map(|_| share()).collect();
    let line = format!("{}\n", "x".repeat(100));
    world.web.stdout(line.repeat(3000));
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages().len(), 3000);
}
