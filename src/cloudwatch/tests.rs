//! Answers of all kinds, taken as the requests of the program take them.

use aws_connection::{ANSWER_MAX, bounded, failure};
use aws_sdk_cloudwatch::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use diagnostics::chain;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::publish::RequestErrorKind;

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Self {
        let owned = |&(name, value): &(&'static str, &str)| (name, value.to_owned());
        Self {
            status,
            headers: headers.iter().map(owned).collect(),
            body: body.to_vec(),
        }
    }

    fn response(&self) -> HttpResponse {
        let status = StatusCode::try_from(self.status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(self.body.clone()));
        for (name, value) in &self.headers {
            let _ = response.headers_mut().try_insert(*name, value.clone());
        }
        bounded(response)
    }

    /// Whether it has a sign of the service.
    fn is_signed(&self) -> bool {
        self.headers.iter().any(|(name, value)| match *name {
            "x-amzn-requestid" | "x-amz-request-id" => !value.trim().is_empty(),
            "smithy-protocol" => value == "rpc-v2-cbor",
            _ => false,
        })
    }
}

/// Gives the same answer to every request.
#[derive(Debug)]
struct Service(Answer);

impl HttpConnector for Service {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.0.response()))
    }
}

fn taken(runtime: &Runtime, answer: Answer) -> Result<(), RequestError> {
    let connector = SharedHttpConnector::new(Service(answer));
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .interceptor(OnlyTheService::new("CloudWatch", speaks_protocol))
        .retry_config(aws_sdk_cloudwatch::config::retry::RetryConfig::disabled())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .build();
    let request = Client::from_conf(config).put_metric_data().namespace("N");
    let sent = runtime.block_on(request.send());
    sent.map(drop).map_err(failure)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const ID: (&str, &str) = ("x-amzn-requestid", "1-2-3");
const CBOR: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");

#[test]
fn acceptance_needs_success_and_a_sign_of_the_service() {
    let runtime = runtime();
    let html: &[u8] = b"<html>Sign in</html>";
    for (status, headers, body, expected) in [
        (200, &[ID][..], &b""[..], true),
        (200, &[ID], html, true),
        (202, &[("x-amz-request-id", "1")], b"", true),
        (200, &[CBOR], b"", true),
        (200, &[CBOR], b"\xa0", true),
        (200, &[CBOR], b"\xbf\xff", true),
        (200, &[CBOR, ("x-amzn-requestid", "")], b"\xa0", true),
        (200, &[CBOR], html, false),
        (200, &[CBOR], b"\xa0\xa0", false),
        (200, &[("smithy-protocol", "rpc-v2-json")], b"\xa0", false),
        (200, &[("x-amzn-requestid", "")], b"", false),
        (200, &[("x-amzn-requestid", " ")], b"\xa0", false),
        (200, &[], b"", false),
        (200, &[("content-type", "text/html")], html, false),
        (200, &[], b"\xa0", false),
        (302, &[ID, ("location", "http://portal/")], b"", false),
        (400, &[ID, CBOR], b"\xa0", false),
        (500, &[ID], b"", false),
    ] {
        let taken = taken(&runtime, Answer::new(status, headers, body));
        assert_eq!(taken.is_ok(), expected, "{status} {headers:?} {body:?}");
        let refused = taken.is_err_and(|failure| failure.kind != RequestErrorKind::NoResponse);
        assert_eq!(refused, status >= 300, "{status} {headers:?} {body:?}");
    }
}

#[test]
fn what_something_else_answered_is_told_in_one_sentence() {
    let portal = Answer::new(200, &[], b"<html>");
    let failure = taken(&runtime(), portal).unwrap_err();
    assert_eq!(
        chain(&failure),
        "the service did not answer: the answer has neither a request id nor the protocol of \
         CloudWatch, something else gave it"
    );
}

#[test]
fn answer_that_is_too_long_is_refused_by_its_status_or_no_answer() {
    let long = vec![b' '; ANSWER_MAX + 1];
    for (status, begin) in [
        (200, "the service did not answer"),
        (400, "the service answered 400"),
    ] {
        let failure = taken(&runtime(), Answer::new(status, &[ID], &long)).unwrap_err();
        let told = chain(&failure);
        assert!(told.starts_with(begin), "{told}");
        assert!(told.ends_with("the answer is longer than 64 KiB"), "{told}");
    }
    let longest = Answer::new(200, &[ID], &long[1..]);
    assert!(taken(&runtime(), longest).is_ok());
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = prop::sample::select(vec![
        "x-amzn-requestid",
        "x-amz-request-id",
        "smithy-protocol",
        "x-amzn-query-error",
        "x-amzn-errortype",
        "content-type",
        "date",
        "retry-after",
        "x-amz-retry-after",
    ]);
    let value = prop_oneof![
        Just(String::new()),
        Just("rpc-v2-cbor".to_owned()),
        Just("Throttling;Sender".to_owned()),
        "[ -~]{0,40}",
        any::<String>(),
    ];
    prop::collection::vec((name, value), 0..5)
}

/// CBOR, and what looks like it.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let text = |major: u8, text: &[u8]| {
        let mut item = vec![major | 25];
        item.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        item.extend(text);
        item
    };
    let key = prop::sample::select(vec!["__type", "message", "Message", "code", "x"]);
    let value = prop_oneof![
        any::<String>().prop_map(move |value| text(0x60, value.as_bytes())),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(move |value| text(0x60, &value)),
        prop::collection::vec(any::<u8>(), 0..12),
        Just(vec![0x9f; 500]),
        Just(vec![0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    let entry = (key, value);
    let map = prop::collection::vec(entry, 0..5).prop_map(move |entries| {
        let mut body = vec![0xa0 | u8::try_from(entries.len()).unwrap()];
        for (key, value) in entries {
            body.extend(text(0x60, key.as_bytes()));
            body.extend(value);
        }
        body
    });
    let cut = (map.clone(), any::<prop::sample::Index>()).prop_map(|(mut body, end)| {
        body.truncate(end.index(body.len()));
        body
    });
    prop_oneof![
        4 => map,
        2 => cut,
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
        1 => Just(b"<html></html>".to_vec()),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![Just(200u16), 200..300u16, 400..600u16, 100..1000u16];
    (status, headers(), body()).prop_map(|(status, headers, body)| Answer {
        status,
        headers,
        body,
    })
}

thread_local! {
    static RUNTIME: Runtime = runtime();
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_and_none_without_a_sign_is_accepted(answer in answers()) {
        let acceptable = (200..300).contains(&answer.status) && answer.is_signed();
        match RUNTIME.with(|runtime| taken(runtime, answer)) {
            Ok(()) => prop_assert!(acceptable),
            Err(failure) => {
                let told = chain(&failure);
                prop_assert!(told.chars().count() < 4096, "{}", told);
                prop_assert!(!told.contains('\n'), "{}", told);
                let _ = failure.verdict();
            }
        }
    }
}

#[test]
fn body_is_one_whole_value_or_nothing() {
    for good in [&b""[..], b"\xa0", b"\xbf\xff", b"\xa1\x61a\x01"] {
        assert!(decodes(good), "{good:?}");
    }
    for bad in [
        &b"<html>"[..],
        b"\xa0\xa0",
        b"\xbf",
        b"\xa1\x61a",
        b"\x5b\xff\xff\xff\xff",
    ] {
        assert!(!decodes(bad), "{bad:?}");
    }
}

#[test]
fn deepest_body_of_an_answer_is_looked_at_without_recursion() {
    for nesting in [b"\x81", b"\x9f", b"\xc1"] {
        assert!(!decodes(&nesting.repeat(64 * 1024)));
    }
}
