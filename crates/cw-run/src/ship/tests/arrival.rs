//! What arrives, and as what.

use super::*;

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
