//! Misbehaviour on command, as one who ships logs meets it.

use std::num::NonZeroU64;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::error::SdkError;
use aws_sdk_cloudwatchlogs::operation::put_log_events::PutLogEventsError;
use cloudwatch_local::{Fault, Outcome};
use tokio::time::Instant;

use super::{GROUP, Put, STREAM, client, error, event, now_ms, prepared, put, say};

fn one() -> Vec<aws_sdk_cloudwatchlogs::types::InputLogEvent> {
    vec![event(now_ms(), "line")]
}

fn status(sent: &Put) -> Option<u16> {
    let response = sent.as_ref().unwrap_err().raw_response();
    response.map(|response| response.status().as_u16())
}

#[tokio::test]
async fn errors_of_the_service_are_met_in_order_and_once_each() {
    let (endpoint, client) = prepared().await;
    let logs = endpoint.logs();
    logs.fail_next([
        Fault::throttling(),
        Fault::internal(),
        Fault::error(503, "ServiceUnavailableException", "try later"),
        Fault::access_denied(),
        Fault::operation_aborted(),
        Fault::limit_exceeded(),
        Fault::status(502),
    ]);
    for (expected, code) in [
        (400, "ThrottlingException"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailableException"),
        (400, "AccessDeniedException"),
        (400, "OperationAbortedException"),
        (400, "LimitExceededException"),
    ] {
        let sent = put(&client, one()).await;
        assert_eq!(status(&sent), Some(expected), "{code}");
        assert_eq!(error(sent).0, code);
    }
    assert_eq!(status(&put(&client, one()).await), Some(502));
    assert_eq!((logs.faults_left(), logs.events_accepted()), (0, 0));
    put(&client, one()).await.unwrap();
    let attempts = logs.attempts();
    let outcomes: Vec<_> = attempts.iter().skip(2).map(|a| a.outcome.clone()).collect();
    assert_eq!(outcomes[..7], [const { Outcome::Faulted }; 7]);
    assert_eq!(outcomes[7], Outcome::Accepted);
    assert_eq!(attempts[2].operation, "PutLogEvents");
}

#[tokio::test]
async fn errors_about_sequence_tokens_name_the_expected_one() {
    let (endpoint, client) = prepared().await;
    endpoint.logs().fail_next([
        Fault::invalid_sequence_token("42"),
        Fault::data_already_accepted("43"),
    ]);
    let sent = put(&client, one()).await.unwrap_err().into_service_error();
    let PutLogEventsError::InvalidSequenceTokenException(error) = sent else {
        panic!("{sent:?}")
    };
    assert_eq!(error.expected_sequence_token(), Some("42"));
    let sent = put(&client, one()).await.unwrap_err().into_service_error();
    let PutLogEventsError::DataAlreadyAcceptedException(error) = sent else {
        panic!("{sent:?}")
    };
    assert_eq!(error.expected_sequence_token(), Some("43"));
}

#[tokio::test]
async fn faults_are_for_one_operation_or_for_any() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    let logs = endpoint.logs();
    logs.fail_next_of("PutLogEvents", [Fault::throttling()]);
    logs.fail_next_of(
        "CreateLogGroup",
        [Fault::operation_aborted(), Fault::limit_exceeded()],
    );
    let create = || client.create_log_group().log_group_name(GROUP).send();
    assert_eq!(error(create().await).0, "OperationAbortedException");
    assert_eq!(error(create().await).0, "LimitExceededException");
    super::prepare(&client).await;
    assert_eq!(error(put(&client, one()).await).0, "ThrottlingException");
    put(&client, one()).await.unwrap();

    logs.fail_always(Fault::access_denied());
    for _ in 0..2 {
        assert_eq!(error(put(&client, one()).await).0, "AccessDeniedException");
    }
    let datum = crate::support::datum("A", 1.0);
    let metrics = crate::support::client(&endpoint);
    crate::support::send(&metrics, vec![datum]).await.unwrap();
    logs.heal();
    put(&client, one()).await.unwrap();
}

#[tokio::test]
async fn rule_sees_what_is_asked_for() {
    let (endpoint, client) = prepared().await;
    endpoint.logs().fail_when(|request| {
        let is_it = request.operation == "PutLogEvents" && request.stream.as_deref() == Some("bad");
        (is_it && request.events.len() > 1).then(Fault::internal)
    });
    super::create_stream(&client, "bad").await;
    let two = || [one(), one()].concat();
    put(&client, two()).await.unwrap();
    super::put_to(&client, "bad", one()).await.unwrap();
    let sent = super::put_to(&client, "bad", two()).await;
    assert_eq!(error(sent).0, "InternalFailure");
    assert_eq!(endpoint.logs().refused()[0].points, 2);
}

#[tokio::test]
async fn poisoned_event_spoils_its_whole_batch() {
    let (endpoint, client) = prepared().await;
    endpoint.logs().poison("POISON");
    let at = now_ms();
    let batch = vec![event(at, "good"), event(at, "a POISONed one")];
    let (code, message) = error(put(&client, batch).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(!message.contains("POISON"), "{message}");
    assert_eq!(endpoint.logs().events_accepted(), 0);
    say(&client, &["good"]).await;
    assert_eq!(endpoint.logs().events_accepted(), 1);
}

#[tokio::test]
async fn answer_can_be_lost_before_and_after_the_batch_is_accepted() {
    let (endpoint, client) = prepared().await;
    for (fault, accepted) in [
        (Fault::cut(), 0),
        (Fault::truncated(), 0),
        (Fault::garbage(), 0),
        (Fault::cut_after_accepting(), 1),
        (Fault::truncated_after_accepting(), 2),
    ] {
        endpoint.logs().fail_next([fault.clone()]);
        let error = put(&client, one()).await.unwrap_err();
        assert!(
            matches!(
                error,
                SdkError::DispatchFailure(_) | SdkError::ResponseError(_)
            ),
            "{fault:?}: {error:?}"
        );
        assert_eq!(endpoint.logs().events_accepted(), accepted, "{fault:?}");
    }
    endpoint.logs().fail_next([Fault::hang_after_accepting()]);
    tokio::select! {
        sent = put(&client, one()) => panic!("answered: {sent:?}"),
        () = endpoint.logs().events_at_least(3) => {}
    }
    // What was sent again is told by its batch.
    say(&client, &["line"]).await;
    let events = endpoint.logs().events(GROUP, STREAM);
    let batches: Vec<_> = events.iter().map(|e| e.batch).collect();
    assert_eq!(batches, [1, 2, 3, 4]);
}

#[tokio::test]
async fn delayed_answer_is_late_and_good() {
    let (endpoint, client) = prepared().await;
    let delay = Duration::from_millis(50);
    endpoint.logs().fail_next([Fault::delay(delay)]);
    let before = Instant::now();
    put(&client, one()).await.unwrap();
    assert!(before.elapsed() >= delay);
}

#[tokio::test]
async fn endpoint_reads_at_the_rate_that_it_is_told() {
    let (endpoint, client) = prepared().await;
    endpoint.read_at(NonZeroU64::new(400_000));
    let before = Instant::now();
    let batch = || vec![event(now_ms(), "x".repeat(100_000))];
    // Two connections share it.
    let (first, second) = tokio::join!(put(&client, batch()), put(&client, batch()));
    first.unwrap();
    second.unwrap();
    let slow = before.elapsed();
    assert!(slow >= Duration::from_millis(400), "{slow:?}");
    assert!(slow < Duration::from_secs(5), "{slow:?}");
    endpoint.read_at(None);
    put(&client, batch()).await.unwrap();
    assert_eq!(endpoint.logs().events_accepted(), 3);
}
