//! Every row of the table of failures (`docs/delivery.md`): the endpoint
//! misbehaves, and what then came over the wire is counted.

use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Fault};
use futures_util::StreamExt;
use serde_json::Value;

use crate::support::{Ended, Setup, endpoint, text};

/// How many processes run at a time.
const ABREAST: usize = 4;
/// The bounds that [`Setup`] sets.
const BASE: Duration = Duration::from_millis(20);
const CAP: Duration = Duration::from_millis(100);

/// `once`, with two retries.
fn once(url: &str) -> Setup {
    Setup::new(url)
        .arg("once")
        .with("METRIC_VALUE", "42")
        .with("RETRY_MAX", "2")
}

/// Runs a test for each row, some at a time.
pub(crate) async fn each<R, F: Future<Output = ()>>(
    rows: impl IntoIterator<Item = R>,
    test: impl Fn(R) -> F,
) {
    let running = futures_util::stream::iter(rows).map(test);
    running.buffer_unordered(ABREAST).collect::<Vec<_>>().await;
}

pub(crate) fn values(endpoint: &CloudWatchLocal) -> Vec<f64> {
    endpoint
        .points()
        .iter()
        .map(|point| point.value())
        .collect()
}

fn millis(line: &Value, field: &str) -> Duration {
    Duration::from_millis(line[field].as_u64().unwrap())
}

/// The delays that were logged keep to their bounds, and those on the wire to what was
/// logged.
fn assert_backed_off(endpoint: &CloudWatchLocal, ended: &Ended, row: &str) {
    let retries = ended.lines("publish attempt failed, retrying");
    let attempts = endpoint.attempts();
    for (number, retry) in retries.iter().enumerate() {
        let delay = millis(retry, "delay_ms");
        let bound = CAP.min(BASE * 2u32.pow(number.try_into().unwrap()));
        assert!(delay <= bound, "{row}: {retry}");
        assert_eq!(retry["attempt"], number + 1, "{row}");
        // Cut connections and the like may not arrive as requests.
        if let [Some(before), Some(after)] = [attempts.get(number), attempts.get(number + 1)] {
            assert!(after.instant - before.instant >= delay, "{row}: {retry}");
        }
    }
}

/// The fault is met twice, then the service is well.
async fn is_retried(row: &str, fault: Fault) {
    let endpoint = endpoint().await;
    endpoint.fail_next([fault.clone(), fault]);
    // What hangs must be given up; on a crowded machine a good answer takes a while.
    let ended = once(&endpoint.url())
        .with("REQUEST_TIMEOUT", if row == "hang" { "2s" } else { "30s" })
        .finish()
        .await;
    assert_eq!(ended.code(), Some(0), "{row}: {ended:#?}");
    assert_eq!(endpoint.attempts().len(), 3, "{row}: {ended:#?}");
    assert_eq!(values(&endpoint), [42.0], "{row}");
    assert_eq!(ended.lines("publish attempt failed, retrying").len(), 2);
    assert_eq!(ended.line("published")["requests"], 3);
    assert_backed_off(&endpoint, &ended, row);
}

#[tokio::test]
async fn statuses_of_a_service_in_trouble_are_retried() {
    each([408, 429, 500, 502, 503, 504], async |status| {
        is_retried(&status.to_string(), Fault::status(status)).await;
    })
    .await;
}

#[tokio::test]
async fn codes_of_a_service_in_trouble_are_retried() {
    let rows = [
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (400, "TooManyRequestsException"),
        (400, "RequestLimitExceeded"),
        (400, "LimitExceeded"),
        (400, "LimitExceededException"),
        (500, "InternalServiceError"),
        (500, "InternalServiceFault"),
        (503, "ServiceUnavailable"),
        (400, "RequestTimeout"),
        (408, "RequestTimeoutException"),
        (400, "RequestExpired"),
        (403, "RequestTimeTooSkewed"),
        (418, "SomethingNobodyKnows"),
    ];
    each(rows, async |(status, code)| {
        is_retried(code, Fault::error(status, code, "not now")).await;
    })
    .await;
}

#[tokio::test]
async fn broken_answers_are_retried() {
    let rows = [
        ("cut", Fault::cut()),
        ("hang", Fault::hang()),
        ("garbage", Fault::garbage()),
        ("truncated", Fault::truncated()),
        ("malformed", Fault::malformed(500)),
        (
            "page of a portal",
            Fault::body(200, "<html>Please log in</html>"),
        ),
        ("empty answer of a portal", Fault::status(200)),
        (
            "way to a portal",
            Fault::status(302).with_header("location", "http://127.0.0.1:1/"),
        ),
        ("error page", Fault::body(502, "<html>Bad gateway</html>")),
    ];
    each(rows, async |(row, fault)| is_retried(row, fault).await).await;
}

#[tokio::test]
async fn retries_have_an_end_and_the_point_is_held() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::status(503));
    let ended = once(&endpoint.url()).with("RETRY_MAX", 5).finish().await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(endpoint.attempts().len(), 6);
    assert!(endpoint.points().is_empty());
    assert_backed_off(&endpoint, &ended, "503");
    let failed = ended.line("publish failed");
    assert_eq!(
        (&failed["attempts"], &failed["points_held"]),
        (&6.into(), &1.into())
    );
    assert!(text(&failed, "error").contains("503"), "{failed}");
    assert_eq!(ended.line("stopped")["points_unsent"], 1);
}

#[tokio::test]
async fn no_retry_means_no_retry() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::throttling());
    let ended = once(&endpoint.url()).with("RETRY_MAX", 0).finish().await;
    assert_eq!((ended.code(), endpoint.attempts().len()), (Some(1), 1));
}

#[tokio::test]
async fn delay_that_the_service_asks_for_is_kept_within_the_cap() {
    let rows = [
        ("x-amz-retry-after", "300", 300),
        ("retry-after", "1", 1000),
        ("retry-after", "3600", 1500),
        ("x-amz-retry-after", "3600000", 1500),
        // Dates and nonsense are not taken.
        ("retry-after", "Wed, 21 Oct 2065 07:28:00 GMT", 20),
        ("retry-after", "-5", 20),
    ];
    each(rows, async |(header, value, expected)| {
        let endpoint = endpoint().await;
        endpoint.fail_next([Fault::throttling().with_header(header, value)]);
        let setup = once(&endpoint.url()).with("RETRY_CAP", "1500ms");
        let ended = setup.finish().await;
        let delay = millis(&ended.line("publish attempt failed, retrying"), "delay_ms");
        let expected = Duration::from_millis(expected);
        if expected > BASE {
            assert_eq!(delay, expected, "{header}: {value}");
        } else {
            assert!(delay <= BASE, "{header}: {value}: {delay:?}");
        }
        let attempts = endpoint.attempts();
        assert_eq!(attempts.len(), 2);
        assert!(attempts[1].instant - attempts[0].instant >= delay);
        assert_eq!(values(&endpoint), [42.0]);
    })
    .await;
}

/// `once` at a URL where nobody answers as CloudWatch.
async fn is_unreachable(row: &str, url: &str) -> String {
    let ended = once(url).with("REQUEST_TIMEOUT", "5s").finish().await;
    assert_eq!(ended.code(), Some(1), "{row}");
    let failed = ended.line("publish failed");
    assert_eq!(
        (&failed["attempts"], &failed["points_held"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        ended.lines("publish attempt failed, retrying").len(),
        2,
        "{row}"
    );
    text(&failed, "error").to_owned()
}

#[tokio::test]
async fn connection_that_is_refused_is_retried() {
    let mut endpoint = endpoint().await;
    endpoint.stop().await;
    let error = is_unreachable("refused", &endpoint.url()).await;
    assert!(error.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn name_that_does_not_resolve_is_retried() {
    is_unreachable("name", "http://nothing-here.invalid:4580").await;
}

#[tokio::test]
async fn failed_tls_is_retried() {
    let endpoint = endpoint().await;
    let url = endpoint.url().replace("http:", "https:");
    is_unreachable("TLS", &url).await;
    assert_eq!(endpoint.connections(), 3);
    assert!(endpoint.attempts().is_empty());
}

/// Somebody must act: one request, and the point arrives once somebody did.
async fn is_held(code: &str) {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::error(403, code, "no"));
    let ended = once(&endpoint.url()).finish().await;
    assert_eq!(
        (ended.code(), endpoint.attempts().len()),
        (Some(1), 1),
        "{code}"
    );
    assert!(ended.lines("publish attempt failed, retrying").is_empty());
    let failed = ended.line("publish failed");
    assert_eq!(
        (&failed["attempts"], &failed["points_held"]),
        (&1.into(), &1.into())
    );
    assert!(!text(&failed, "hint").is_empty(), "{code} has no hint");
    assert!(text(&failed, "error").contains(code), "{failed}");
}

#[tokio::test]
async fn codes_that_ask_somebody_to_act_are_not_retried() {
    let codes = [
        "ExpiredToken",
        "ExpiredTokenException",
        "AccessDenied",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "InvalidSignature",
        "InvalidSignatureException",
        "OptInRequired",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "IncompleteSignature",
        "NotAuthorized",
    ];
    each(codes, is_held).await;
}

#[tokio::test]
async fn clock_that_is_an_hour_wrong_costs_one_retry() {
    // The SDK learns the service's time from the refusal and signs the next request by it.
    let endpoint = endpoint().await;
    endpoint.set_clock_ahead(Duration::from_secs(3600));
    let ended = once(&endpoint.url()).finish().await;
    assert_eq!(ended.code(), Some(0));
    let retry = ended.line("publish attempt failed, retrying");
    assert!(
        text(&retry, "error").contains("Signature expired"),
        "{retry}"
    );
    assert_eq!(endpoint.attempts().len(), 2);
    assert_eq!(values(&endpoint), [42.0]);
}

#[tokio::test]
async fn answer_that_never_came_may_count_a_point_twice_and_loses_none() {
    let endpoint = endpoint().await;
    endpoint.fail_next([Fault::cut_after_accepting()]);
    let ended = once(&endpoint.url()).finish().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(values(&endpoint), [42.0, 42.0]);
    let points = endpoint.points();
    assert_eq!(points[0].timestamp_ms, points[1].timestamp_ms);
}
