//! The operations that are known: each is read from the members of a request, which checks
//! what needs no look at what is stored, and then performed.

use serde_json::{Value, json};

use super::call::LogsRequest;
use super::events::{FilterLogEvents, GetLogEvents};
use super::groups::{CreateLogGroup, DescribeLogGroups, set_retention};
use super::input::Input;
use super::problems::Problems;
use super::store::LogStore;
use super::streams::{DescribeLogStreams, StreamName};
use super::tags::{TagGroup, UntagGroup};
use super::{names, put};
use crate::refusal::Refusal;

/// What is asked for.
pub(super) enum Operation {
    CreateLogGroup(CreateLogGroup),
    DeleteLogGroup { group: String },
    DescribeLogGroups(DescribeLogGroups),
    CreateLogStream(StreamName),
    DeleteLogStream(StreamName),
    DescribeLogStreams(DescribeLogStreams),
    PutLogEvents { group: String, stream: String },
    GetLogEvents(GetLogEvents),
    FilterLogEvents(FilterLogEvents),
    PutRetentionPolicy { group: String, days: i64 },
    DeleteRetentionPolicy { group: String },
    TagGroup(TagGroup),
    UntagGroup(UntagGroup),
    ListTags { group: String },
}

type Read = fn(Input, &mut LogsRequest, i64) -> Result<Operation, Refusal>;

/// How the operation of this name, as `X-Amz-Target` has it, is read.
pub(super) fn reader(name: &str) -> Result<Read, Refusal> {
    Ok(match name {
        "CreateLogGroup" => |input, request, now_ms| {
            CreateLogGroup::read(input, &request.region, now_ms).map(Operation::CreateLogGroup)
        },
        "DeleteLogGroup" => |input, _, _| {
            let group = group(input)?;
            Ok(Operation::DeleteLogGroup { group })
        },
        "DescribeLogGroups" => {
            |input, _, _| DescribeLogGroups::read(input).map(Operation::DescribeLogGroups)
        }
        "CreateLogStream" => |input, _, _| StreamName::read(input).map(Operation::CreateLogStream),
        "DeleteLogStream" => |input, _, _| StreamName::read(input).map(Operation::DeleteLogStream),
        "DescribeLogStreams" => {
            |input, _, _| DescribeLogStreams::read(input).map(Operation::DescribeLogStreams)
        }
        "PutLogEvents" => put::read,
        "GetLogEvents" => |input, _, _| GetLogEvents::read(input).map(Operation::GetLogEvents),
        "FilterLogEvents" => {
            |input, _, _| FilterLogEvents::read(input).map(Operation::FilterLogEvents)
        }
        "PutRetentionPolicy" => |mut input, _, _| {
            let mut problems = Problems::default();
            let days = names::retention(&mut problems, input.retention_in_days);
            let group = input.log_group_name.take();
            let group = names::group(&mut problems, "logGroupName", group);
            problems.end()?;
            Ok(Operation::PutRetentionPolicy { group, days })
        },
        "DeleteRetentionPolicy" => |input, _, _| {
            let group = group(input)?;
            Ok(Operation::DeleteRetentionPolicy { group })
        },
        "TagLogGroup" => |input, _, _| TagGroup::read_by_name(input).map(Operation::TagGroup),
        "TagResource" => |input, _, _| TagGroup::read_by_arn(input).map(Operation::TagGroup),
        "UntagResource" => |input, _, _| UntagGroup::read(input).map(Operation::UntagGroup),
        "ListTagsLogGroup" => |input, _, _| {
            let group = group(input)?;
            Ok(Operation::ListTags { group })
        },
        "ListTagsForResource" => |input, _, _| {
            let group = names::group_of_arn(&mut Problems::default(), input.resource_arn)?;
            Ok(Operation::ListTags { group })
        },
        other => {
            return Err(Refusal::new(
                400,
                "UnknownOperationException",
                format!("the operation {other:?} is not known here"),
            ));
        }
    })
}

/// The one member of some operations.
fn group(input: Input) -> Result<String, Refusal> {
    let mut problems = Problems::default();
    let group = names::group(&mut problems, "logGroupName", input.log_group_name);
    problems.end()?;
    Ok(group)
}

impl Operation {
    /// Does it; gives the output, if there is one.
    pub(super) fn perform(
        self,
        request: LogsRequest,
        now_ms: i64,
        store: &mut LogStore,
    ) -> Result<Option<Value>, Refusal> {
        match self {
            Self::CreateLogGroup(create) => store.add_group(create.group)?,
            Self::DeleteLogGroup { group } => store.remove_group(&group)?,
            Self::DescribeLogGroups(describe) => return describe.perform(store).map(Some),
            Self::CreateLogStream(name) => store.add_stream(&name.group, name.stream, now_ms)?,
            Self::DeleteLogStream(name) => store.remove_stream(&name.group, &name.stream)?,
            Self::DescribeLogStreams(describe) => return describe.perform(store).map(Some),
            Self::PutLogEvents { group, stream } => {
                return put::perform(&group, &stream, request, now_ms, store).map(Some);
            }
            Self::GetLogEvents(get) => return get.perform(store).map(Some),
            Self::FilterLogEvents(filter) => return filter.perform(store).map(Some),
            Self::PutRetentionPolicy { group, days } => set_retention(store, &group, Some(days))?,
            Self::DeleteRetentionPolicy { group } => set_retention(store, &group, None)?,
            Self::TagGroup(tag) => tag.perform(store)?,
            Self::UntagGroup(untag) => untag.perform(store)?,
            Self::ListTags { group } => {
                let tags = &store.group(&group)?.tags;
                return Ok(Some(json!({ "tags": tags })));
            }
        }
        Ok(None)
    }
}
