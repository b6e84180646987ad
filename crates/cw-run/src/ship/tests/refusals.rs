//! Requests that are refused, and those that get no answer.

use super::*;

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
async fn events_that_the_service_took_apart_from_a_batch_are_counted_and_not_sent_again() {
    for (too_old, too_new_from) in [(2, Some(7)), (0, Some(10)), (10, None), (3, Some(0))] {
        let world = World::new(&[], Container::named("web")).await;
        world.shipping.service.reject_of_put(Rejected {
            too_old: too_old.min(too_new_from.unwrap_or(10)),
            too_new_from,
        });
        world.say(0..10);
        world.web.exit(0);
        world.ship().await;
        let end = too_new_from.unwrap_or(10);
        let taken = too_old.min(end)..end;
        assert_eq!(world.messages(), numbered(taken.clone()));
        let summary = world.shipping.tally.summary();
        let counted = [summary.too_old, summary.lines, summary.too_new];
        let expected = [taken.start, taken.len(), 10 - end];
        assert_eq!(counted, expected.map(|count| count as u64));
        assert_eq!((summary.lines_held(), summary.requests), (0, 1));
        assert_eq!(world.shipping.budget.held(), 0);
    }
}
