//! CloudWatch Logs through the SDK: the only module that names it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_connection::{Connection, OnlyTheService, Region, SdkFiles};
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::operation::put_log_events::{PutLogEventsError, PutLogEventsOutput};
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, LogGroupClass};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use http_proxies::HttpConfig;
use retry_policy::{RequestError, RequestErrorKind};

use super::StreamName;
use super::service::{LogsService, PutRefused, Rejected};
use crate::event::Event;
use crate::job::GroupSettings;

/// How many streams are looked at to find one by its name: those whose names begin with it come
/// in the order of their names, it first.
const LOOKED_AT: i32 = 1;

/// A client that makes one attempt a call. Clones are the same client.
#[derive(Clone, Debug)]
pub struct CloudWatchLogs {
    connection: Connection<Client>,
}

impl CloudWatchLogs {
    /// Sets the client up; nothing is read or sent.
    #[must_use]
    pub fn new(region: &Region, http: &HttpConfig, files: SdkFiles, timeout: Duration) -> Self {
        Self {
            connection: Connection::new(region, http, files, timeout, client),
        }
    }
}

fn client(config: &SdkConfig) -> Client {
    let config = Builder::from(config)
        .interceptor(OnlyTheService::new("CloudWatch Logs", speaks_protocol))
        .build();
    Client::from_conf(config)
}

/// A JSON document of the AWS JSON 1.1 protocol.
fn speaks_protocol(answer: &HttpResponse) -> bool {
    answer
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-amz-json"))
        && answer.body().bytes().is_some_and(|body| {
            body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        })
}

impl LogsService for CloudWatchLogs {
    async fn ready(&self) -> Result<(), RequestError> {
        self.connection.ready().await
    }

    async fn create_group(
        &self,
        group: &str,
        settings: &GroupSettings,
    ) -> Result<(), RequestError> {
        let created = self.connection.call(|client| {
            let mut request = client
                .create_log_group()
                .log_group_name(group)
                .set_kms_key_id(settings.kms_key_id.clone())
                .set_log_group_class(settings.class.as_deref().map(LogGroupClass::from));
            for (name, value) in &settings.tags {
                request = request.tags(name, value);
            }
            request.send()
        });
        created.await.map(drop)
    }

    async fn put_retention(&self, group: &str, days: i32) -> Result<(), RequestError> {
        let put = self.connection.call(|client| {
            client
                .put_retention_policy()
                .log_group_name(group)
                .retention_in_days(days)
                .send()
        });
        put.await.map(drop)
    }

    async fn create_stream(&self, group: &str, stream: &str) -> Result<(), RequestError> {
        let created = self.connection.call(|client| {
            client
                .create_log_stream()
                .log_group_name(group)
                .log_stream_name(stream)
                .send()
        });
        created.await.map(drop)
    }

    async fn stream_exists(&self, name: &StreamName) -> Result<bool, RequestError> {
        let found = self.connection.call(|client| {
            let request = client.describe_log_streams().log_group_name(&name.group);
            request
                .log_stream_name_prefix(&name.stream)
                .limit(LOOKED_AT)
                .send()
        });
        let found = found.await?;
        Ok(found
            .log_streams()
            .iter()
            .any(|found| found.log_stream_name() == Some(&name.stream)))
    }

    async fn put_events(
        &self,
        name: &StreamName,
        events: &[Event],
        token: Option<&str>,
    ) -> Result<Rejected, PutRefused> {
        let mut events = events.iter().map(input).collect::<Result<Vec<_>, _>>()?;
        let mut expected_token = None;
        let put = self.connection.call(|client| {
            let request = client
                .put_log_events()
                .log_group_name(&name.group)
                .log_stream_name(&name.stream);
            let request = request
                .set_log_events(Some(std::mem::take(&mut events)))
                .set_sequence_token(token.map(str::to_owned));
            let expected_token = &mut expected_token;
            async move {
                let answer = request.send().await;
                if let Err(error) = &answer {
                    *expected_token = error.as_service_error().and_then(token_of);
                }
                answer
            }
        });
        match put.await {
            Ok(answer) => Ok(rejected(&answer)),
            Err(failure) => Err(PutRefused {
                failure,
                expected_token,
            }),
        }
    }
}

fn input(event: &Event) -> Result<InputLogEvent, RequestError> {
    let built = InputLogEvent::builder()
        .timestamp(event.time)
        .message(&event.message)
        .build();
    built.map_err(|error| RequestError {
        kind: RequestErrorKind::NoResponse,
        source: Some(Box::new(error)),
    })
}

fn token_of(error: &PutLogEventsError) -> Option<String> {
    match error {
        PutLogEventsError::InvalidSequenceTokenException(error) => {
            error.expected_sequence_token().map(str::to_owned)
        }
        _ => None,
    }
}

fn rejected(answer: &PutLogEventsOutput) -> Rejected {
    let Some(info) = answer.rejected_log_events_info() else {
        return Rejected::default();
    };
    let count = |index: Option<i32>| index.and_then(|index| usize::try_from(index).ok());
    let too_old =
        count(info.too_old_log_event_end_index()).max(count(info.expired_log_event_end_index()));
    Rejected {
        too_old: too_old.unwrap_or(0),
        too_new_from: count(info.too_new_log_event_start_index()),
    }
}
