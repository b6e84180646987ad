//! Errors of our own: what they cost.

use super::*;

/// The requests of this operation panic that have these numbers, from 0 on.
fn panic_in(world: &World, operation: Operation, numbers: std::ops::Range<usize>) {
    let asked = AtomicUsize::new(0);
    world.shipping.service.rule(move |asked_for, _| {
        let is_one = usize::from(asked_for == operation);
        let number = asked.fetch_add(is_one, Ordering::Relaxed);
        assert!(is_one == 0 || !numbers.contains(&number), "a test");
        None
    });
}

#[tokio::test]
async fn sender_that_panics_goes_on_with_the_lines_that_it_held() {
    for operation in [Operation::CreateStream, Operation::PutEvents] {
        let world = World::new(&[], Container::named("web")).await;
        panic_in(&world, operation, 0..2);
        for part in 0..3 {
            world.say(part * 10..part * 10 + 10);
        }
        world.web.exit(0);
        assert_eq!(world.ship().await, Ended::WithContainer);
        assert_eq!(world.messages(), numbered(0..30));
        let summary = world.shipping.tally.summary();
        assert_eq!((summary.lines, summary.lines_held()), (30, 0));
        assert_eq!(world.shipping.budget.held(), 0);
    }
}

#[tokio::test]
async fn sender_that_panics_with_a_parked_event_tries_it_again() {
    let world = World::new(&[], Container::named("web")).await;
    let alone = AtomicUsize::new(0);
    world.shipping.service.rule(move |_, events| {
        let is_bad = events.iter().any(|event| event.message == "line 3");
        let is_alone = is_bad && events.len() == 1;
        let tries = alone.fetch_add(usize::from(is_alone), Ordering::Relaxed);
        assert!(!is_alone || tries != 4, "a test");
        (is_bad && tries < 5).then(|| refusal(400, "SomethingNew"))
    });
    world.say(0..8);
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages().len(), 8);
    assert_eq!(world.shipping.tally.summary().lines_held(), 0);
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn following_that_broke_off_goes_on_behind_what_was_accepted() {
    let world = World::new(&["--stderr-stream", "err"], Container::named("web")).await;
    let is_away = Arc::new(AtomicUsize::new(0));
    let away = is_away.clone();
    world.shipping.service.rule(move |operation, events| {
        let is_late = events.iter().any(|event| event.message.starts_with("late"));
        let refuses = operation == Operation::PutEvents && is_late;
        (refuses && away.load(Ordering::Relaxed) == 0).then(|| refusal(500, ""))
    });
    let followed = Followed::default();
    world.say(0..10);
    let broken_off = async {
        until(|| world.messages().len() == 10).await;
        world.web.stderr("late 1\n");
        world.web.stdout("late 2\n");
        until(|| followed.lines_held() == 2).await;
    };
    tokio::select! {
        _ = world.ship_from("web", Begin::default(), &followed) => panic!("it ended"),
        () = broken_off => {}
    }
    world.shipping.tally.unread(followed.lines_held());
    is_away.store(1, Ordering::Relaxed);
    world.web.exit(0);
    let begin = Begin {
        cursor: followed.accepted(),
        accepted: true,
        ..Begin::default()
    };
    world.ship_from("web", begin, &Followed::default()).await;
    let late = world.messages().split_off(10);
    assert_eq!(late, ["late 2"]);
    let summary = world.shipping.tally.summary();
    assert_eq!((summary.lines, summary.lines_held()), (12, 0));
    assert_eq!(world.shipping.budget.held(), 0);
}
