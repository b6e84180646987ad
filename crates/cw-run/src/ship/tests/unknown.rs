//! Refusals for a reason that nobody knows.

use super::*;

#[tokio::test]
async fn unknown_refusal_of_one_keeps_no_other_and_is_tried_again_at_the_end() {
    let world = World::new(&[], Container::named("web")).await;
    // It passes once the search for it is over.
    refuse_alone(&world, |tries| {
        (tries < 4).then(|| refusal(400, "SomethingNew"))
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
async fn parked_event_that_was_taken_at_the_end_is_in_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(&[], Container::named("web")).await;
    let checkpoint = world.remember_in(&folder.path().join("job")).await;
    refuse_alone(&world, |tries| {
        (tries < 4).then(|| refusal(400, "SomethingNew"))
    });
    world.say(0..8);
    world.web.exit(0);
    let id = world.web.id();
    checkpoint.begin(id).await;
    let followed = Followed::default();
    world.ship_from("web", Begin::default(), &followed).await;
    assert_eq!(world.messages().len(), 8);
    let read = followed.place().unwrap();
    assert_eq!(checkpoint.cursor(id).unwrap().stdout, read.stdout);
}

#[tokio::test]
async fn parked_event_that_meets_what_passes_is_no_refused_one() {
    let world = World::new(&[], Container::named("web")).await;
    refuse_alone(&world, |tries| match tries {
        0..4 => Some(refusal(400, "SomethingNew")),
        4 => Some(RequestErrorKind::NoResponse.into()),
        5 => Some(refusal(400, "ThrottlingException")),
        6 => Some(refusal(500, "")),
        _ => None,
    });
    world.say(0..8);
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages().len(), 8);
    let summary = world.shipping.tally.summary();
    assert_eq!((summary.duplicates_possible, summary.refused), (1, 0));
    assert_eq!(summary.lines_held(), 0);
}

/// What `line 3` meets: an unknown refusal with others, and alone what this says of its tries.
fn refuse_alone(world: &World, meets: impl Fn(usize) -> Option<RequestError> + Send + 'static) {
    let alone = AtomicUsize::new(0);
    world.shipping.service.rule(move |_, events| {
        let is_bad = events.iter().any(|event| event.message == "line 3");
        match (is_bad, events.len()) {
            (false, _) => None,
            (true, 1) => meets(alone.fetch_add(1, Ordering::Relaxed)),
            (true, _) => Some(refusal(400, "SomethingNew")),
        }
    });
}
