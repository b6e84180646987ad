//! CloudWatch Logs as the SDK sees it.

use std::time::SystemTime;

use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::config::timeout::TimeoutConfig;
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatchlogs::operation::put_log_events::{PutLogEventsError, PutLogEventsOutput};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_cloudwatchlogs::{Client, Config};
use aws_smithy_http_client::Builder;
use aws_smithy_types::body::SdkBody;
use cloudwatch_local::CloudWatchLocal;
use serde_json::Value;

mod batches;
mod faults;
mod groups;
mod memory;
mod pages;
mod reading;
mod rules;

const GROUP: &str = "group";
const STREAM: &str = "stream";

/// A client with the access key `test` that does not retry.
fn client(endpoint: &CloudWatchLocal) -> Client {
    client_as(&endpoint.url(), "test", "test")
}

fn client_as(url: &str, key: &str, secret: &str) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(crate::support::PATIENCE);
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(url)
            .credentials_provider(Credentials::new(key, secret, None, None, "tests"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .http_client(Builder::new().build_http())
            .build(),
    )
}

/// An endpoint that has the group and the stream, and a client of it.
async fn prepared() -> (CloudWatchLocal, Client) {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    prepare(&client).await;
    (endpoint, client)
}

async fn prepare(client: &Client) {
    let create = client.create_log_group().log_group_name(GROUP);
    create.send().await.unwrap();
    create_stream(client, STREAM).await;
}

async fn create_stream(client: &Client, stream: &str) {
    let create = client.create_log_stream().log_group_name(GROUP);
    create.log_stream_name(stream).send().await.unwrap();
}

/// The time of the machine, in Unix milliseconds.
#[allow(clippy::disallowed_methods)]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_millis().try_into().unwrap()
}

fn event(timestamp_ms: i64, message: impl Into<String>) -> InputLogEvent {
    let event = InputLogEvent::builder().timestamp(timestamp_ms);
    event.message(message).build().unwrap()
}

type Put = Result<PutLogEventsOutput, SdkError<PutLogEventsError>>;

async fn put(client: &Client, events: Vec<InputLogEvent>) -> Put {
    put_to(client, STREAM, events).await
}

async fn put_to(client: &Client, stream: &str, events: Vec<InputLogEvent>) -> Put {
    let put = client.put_log_events().log_group_name(GROUP);
    let put = put.log_stream_name(stream);
    put.set_log_events(Some(events)).send().await
}

/// Puts these texts, all at this time.
async fn say(client: &Client, messages: &[&str]) {
    let at = now_ms();
    let events = messages.iter().map(|message| event(at, *message));
    put(client, events.collect()).await.unwrap();
}

/// Code and message of an answered error.
fn error<T: std::fmt::Debug, E>(result: Result<T, SdkError<E>>) -> (String, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = result.unwrap_err();
    let part = |text: Option<&str>| text.unwrap_or_else(|| panic!("{error:?}")).to_owned();
    (part(error.code()), part(error.message()))
}

/// A well signed request with a body of ours; the status, the code and the message if it is
/// refused.
async fn raw(client: &Client, target: &str, body: &str) -> Result<(), (u16, String, String)> {
    raw_bytes(client, target, body.as_bytes().to_vec(), None).await
}

async fn raw_bytes(
    client: &Client,
    target: &str,
    body: Vec<u8>,
    encoding: Option<&'static str>,
) -> Result<(), (u16, String, String)> {
    let target = target.to_owned();
    let request = client.describe_log_groups().customize();
    let request = request.mutate_request(move |request| {
        let headers = request.headers_mut();
        headers.insert("x-amz-target", target.clone());
        headers.insert("content-length", body.len().to_string());
        if let Some(encoding) = encoding {
            headers.insert("content-encoding", encoding);
        }
        *request.body_mut() = SdkBody::from(body.clone());
    });
    let Err(error) = request.send().await else {
        return Ok(());
    };
    let response = error.raw_response().unwrap_or_else(|| panic!("{error:?}"));
    assert!(response.headers().get("x-amzn-requestid").is_some());
    let content_type = response.headers().get("content-type");
    assert_eq!(content_type, Some("application/x-amz-json-1.1"));
    let body: Value = serde_json::from_slice(response.body().bytes().unwrap()).unwrap();
    let text = |member: &str| body[member].as_str().unwrap().to_owned();
    Err((response.status().as_u16(), text("__type"), text("message")))
}
