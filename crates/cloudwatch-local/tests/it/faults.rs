//! Misbehaviour on command.

use std::time::Duration;

use aws_sdk_cloudwatch::error::SdkError;
use aws_sdk_cloudwatch::operation::RequestId;
use cloudwatch_local::{Blame, Fault, Outcome};

use crate::support::{Sent, client, datum, endpoint, error, send, send_to};

/// The status of an answer that came whole.
fn status(sent: &Sent) -> Option<u16> {
    let response = sent.as_ref().unwrap_err().raw_response();
    response.map(|response| response.status().as_u16())
}

#[tokio::test]
async fn queued_faults_are_met_once_each_and_in_order() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    endpoint.fail_next([
        Fault::error(503, "ServiceUnavailable", "try later"),
        Fault::throttling().with_header("x-amz-retry-after", "1500"),
        Fault::status(502),
    ]);
    let sent = send(&client, vec![datum("A", 1.0)]).await;
    assert_eq!(status(&sent), Some(503));
    let (code, message) = error(sent);
    assert_eq!((&*code, &*message), ("ServiceUnavailable", "try later"));

    let sent = send(&client, vec![datum("A", 1.0)]).await;
    let response = sent.as_ref().unwrap_err().raw_response().unwrap();
    assert_eq!(response.headers().get("x-amz-retry-after"), Some("1500"));
    assert_eq!(error(sent).0, "Throttling");

    let sent = send(&client, vec![datum("A", 1.0)]).await;
    assert_eq!(status(&sent), Some(502));
    assert_eq!(endpoint.faults_left(), 0);

    send(&client, vec![datum("A", 1.0)]).await.unwrap();
    let attempts = endpoint.attempts();
    let outcomes: Vec<_> = attempts.iter().map(|a| a.outcome.clone()).collect();
    assert_eq!(outcomes[..3], [const { Outcome::Faulted }; 3]);
    assert_eq!(outcomes[3], Outcome::Accepted);
    assert!(attempts.is_sorted_by_key(|a| a.instant));
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn standing_fault_follows_the_queue_and_lasts_until_healed() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    endpoint.fail_always(Fault::status(500));
    endpoint.fail_next([Fault::status(502)]);
    let sent = send(&client, vec![datum("A", 1.0)]).await;
    assert_eq!(status(&sent), Some(502));
    for _ in 0..3 {
        let sent = send(&client, vec![datum("A", 1.0)]).await;
        assert_eq!(status(&sent), Some(500));
    }
    endpoint.heal();
    send(&client, vec![datum("A", 1.0)]).await.unwrap();
}

#[tokio::test]
async fn cut_connection_and_garbage_are_no_answer() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    for fault in [Fault::cut(), Fault::garbage(), Fault::truncated()] {
        endpoint.fail_next([fault.clone()]);
        let sent = send(&client, vec![datum("A", 1.0)]).await;
        assert_eq!(endpoint.faults_left(), 0, "{fault:?}");
        let error = sent.unwrap_err();
        assert!(
            matches!(
                error,
                SdkError::DispatchFailure(_) | SdkError::ResponseError(_)
            ),
            "{fault:?}: {error:?}"
        );
    }
    assert!(endpoint.points().is_empty());
}

#[tokio::test]
async fn malformed_error_has_a_status_and_no_code() {
    let endpoint = endpoint().await;
    endpoint.fail_next([Fault::malformed(500)]);
    let sent = send(&client(&endpoint), vec![datum("A", 1.0)]).await;
    assert_eq!(status(&sent), Some(500));
}

#[tokio::test]
async fn accepted_request_can_go_unanswered() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    endpoint.fail_next([Fault::cut_after_accepting()]);
    send(&client, vec![datum("A", 1.0)]).await.unwrap_err();
    assert_eq!(endpoint.points().len(), 1);

    endpoint.fail_next([Fault::hang_after_accepting()]);
    tokio::select! {
        sent = send(&client, vec![datum("A", 1.0)]) => panic!("answered: {sent:?}"),
        () = endpoint.received_at_least(2) => {}
    }
}

#[tokio::test]
async fn hanging_request_stays_open() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    endpoint.fail_next([Fault::hang()]);
    tokio::select! {
        sent = send(&client, vec![datum("A", 1.0)]) => panic!("answered: {sent:?}"),
        () = endpoint.requests_at_least(1) => {}
    }
    assert!(endpoint.points().is_empty());
}

#[tokio::test]
async fn delayed_answer_is_late_and_good() {
    let endpoint = endpoint().await;
    let delay = Duration::from_millis(50);
    endpoint.fail_next([Fault::delay(delay)]);
    let before = tokio::time::Instant::now();
    send(&client(&endpoint), vec![datum("A", 1.0)])
        .await
        .unwrap();
    assert!(before.elapsed() >= delay);
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn rule_picks_its_requests() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    endpoint.fail_when(|request| (&*request.namespace == "Bad").then(|| Fault::status(500)));
    send_to(&client, "Good", vec![datum("A", 1.0)])
        .await
        .unwrap();
    let sent = send_to(&client, "Bad", vec![datum("A", 1.0)]).await;
    assert_eq!(status(&sent), Some(500));
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn poisoned_point_spoils_its_whole_request() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    let data = || vec![datum("A", 1.0), datum("Bad", 2.0), datum("Bad", 3.0)];
    let cases = [
        (Blame::Named, &["member.2.Value"][..]),
        (Blame::AllNamed, &["member.2.Value", "member.3.Value"]),
        (Blame::Unnamed, &[]),
    ];
    for (blame, named) in cases {
        endpoint.poison(|point| point.name == "Bad", blame);
        let (code, message) = error(send(&client, data()).await);
        assert_eq!(code, "InvalidParameterValue");
        assert_eq!(message.matches("member.").count(), named.len(), "{message}");
        assert!(named.iter().all(|name| message.contains(name)), "{message}");
    }
    assert!(endpoint.points().is_empty());
    assert_eq!(endpoint.refused()[0].points, 3);
    send(&client, vec![datum("A", 1.0)]).await.unwrap();
}

#[tokio::test]
async fn stopped_endpoint_comes_back_on_its_port_with_what_it_had() {
    let mut endpoint = endpoint().await;
    let client = client(&endpoint);
    send(&client, vec![datum("A", 1.0)]).await.unwrap();
    endpoint.stop().await;
    let error = send(&client, vec![datum("A", 1.0)]).await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    endpoint.restart().await.unwrap();
    send(&client, vec![datum("A", 1.0)]).await.unwrap();
    assert_eq!(endpoint.points().len(), 2);
}

/// Why a publisher must look at more than the status: the SDK does not read the body of an
/// operation without output. The request id tells the service from a portal on the way.
#[tokio::test]
async fn any_answer_with_status_200_is_a_success_to_the_sdk() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    let put = || {
        let put = client.put_metric_data().namespace("Ns");
        put.metric_data(datum("A", 1.0)).send()
    };
    for portal in [Fault::body(200, "<html>Log in"), Fault::malformed(200)] {
        endpoint.fail_next([portal]);
        assert_eq!(put().await.unwrap().request_id(), None);
    }
    assert!(endpoint.points().is_empty());
    assert!(put().await.unwrap().request_id().is_some());
}

#[tokio::test]
async fn endpoint_ends_when_it_is_dropped() {
    let endpoint = endpoint().await;
    let client = client(&endpoint);
    send(&client, vec![datum("A", 1.0)]).await.unwrap();
    drop(endpoint);
    send(&client, vec![datum("A", 1.0)]).await.unwrap_err();
}
