//! Streams: named, and listed.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::groups::{PAGE_DEFAULT, limit};
use super::input::Input;
use super::names;
use super::problems::{Problems, invalid};
use super::store::{Group, LogStore, Stream, sequence_token};
use super::token::Place;
use crate::refusal::Refusal;

const ORDERS: [&str; 2] = ["LogStreamName", "LastEventTime"];

/// What `CreateLogStream` and `DeleteLogStream` are about.
pub(super) struct StreamName {
    pub(super) group: String,
    pub(super) stream: String,
}

impl StreamName {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let group = names::group(&mut problems, "logGroupName", input.log_group_name);
        let stream = names::stream(&mut problems, "logStreamName", input.log_stream_name);
        problems.end()?;
        Ok(Self { group, stream })
    }
}

/// `DescribeLogStreams`.
pub(super) struct DescribeLogStreams {
    group: String,
    prefix: String,
    by_time: bool,
    descending: bool,
    after: Option<Place>,
    limit: usize,
}

impl DescribeLogStreams {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let (name, arn) = (input.log_group_name, input.log_group_identifier);
        let group = names::group_or_arn(&mut problems, name, arn)?;
        let prefix = input.log_stream_name_prefix;
        let prefix = prefix.map(|p| names::stream(&mut problems, "logStreamNamePrefix", Some(p)));
        let order = input.order_by.as_deref().unwrap_or(ORDERS[0]);
        if !ORDERS.contains(&order) {
            problems.one_of("orderBy", order, &ORDERS);
        }
        let limit = limit(&mut problems, input.limit, PAGE_DEFAULT, PAGE_DEFAULT);
        problems.end()?;
        let by_time = order == ORDERS[1];
        if by_time && prefix.is_some() {
            return Err(invalid(
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            ));
        }
        Ok(Self {
            group,
            prefix: prefix.unwrap_or_default(),
            by_time,
            descending: input.descending.unwrap_or(false),
            after: input.next_token.map(|token| token.parse()).transpose()?,
            limit,
        })
    }

    pub(super) fn perform(self, store: &LogStore) -> Result<Value, Refusal> {
        let group = store.group(&self.group)?;
        let streams = group.streams.values();
        let streams = streams.filter(|stream| stream.name.starts_with(&self.prefix));
        let mut places: Vec<_> = streams.map(|stream| (self.place(stream), stream)).collect();
        if self.descending {
            places.sort_unstable_by(|a, b| Reverse(&a.0).cmp(&Reverse(&b.0)));
        } else {
            places.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        let seen = self.after.as_ref().map_or(0, |after| {
            places.partition_point(|(place, _)| match self.descending {
                true => place >= after,
                false => place <= after,
            })
        });
        let left = &places[seen..];
        let page = &left[..left.len().min(self.limit)];
        let described: Value = page.iter().map(|(_, s)| describe(group, s)).collect();
        let mut output = json!({ "logStreams": described });
        if let (Some((last, _)), true) = (page.last(), left.len() > page.len()) {
            output["nextToken"] = json!(last.to_string());
        }
        Ok(output)
    }

    fn place(&self, stream: &Stream) -> Place {
        let rank = match self.by_time {
            true => stream.last_event_ms.unwrap_or_default(),
            false => 0,
        };
        let name = stream.name.to_string();
        Place { rank, name }
    }
}

fn describe(group: &Group, stream: &Stream) -> Value {
    let mut value = json!({
        "logStreamName": &*stream.name,
        "creationTime": stream.created_ms,
        "arn": format!("{}:log-stream:{}", group.arn, stream.name),
        // No longer told by the service for streams.
        "storedBytes": 0,
    });
    let times = [
        ("firstEventTimestamp", stream.keys.first().map(|key| key.0)),
        ("lastEventTimestamp", stream.last_event_ms),
        ("lastIngestionTime", stream.last_ingestion_ms),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            value[name] = json!(time);
        }
    }
    if let Some(token) = stream.token {
        value["uploadSequenceToken"] = json!(sequence_token(token));
    }
    value
}
