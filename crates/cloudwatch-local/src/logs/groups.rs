//! Groups: made, and listed.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Value, json};

use super::input::Input;
use super::names;
use super::problems::{Problems, invalid};
use super::store::{Group, LogStore};
use super::token::Place;
use crate::refusal::Refusal;

const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
const DELIVERY: &str = CLASSES[2];
/// What groups of the class DELIVERY are described with, as users report, and what they cannot be
/// changed from; the reference speaks of a day.
const DELIVERY_DAYS: i64 = 2;
/// Groups, or streams, of a page, and as many as may be asked for.
pub(super) const PAGE_DEFAULT: i64 = 50;

/// `CreateLogGroup`.
pub(super) struct CreateLogGroup {
    pub(super) group: Group,
}

impl CreateLogGroup {
    pub(super) fn read(input: Input, region: &str, now_ms: i64) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let name = names::group(&mut problems, "logGroupName", input.log_group_name);
        let class = class(&mut problems, input.log_group_class.as_deref());
        let tags = match input.tags {
            Some(tags) => names::tags(&mut problems, Some(tags)),
            None => Vec::new(),
        };
        names::kms_key(&mut problems, input.kms_key_id.as_ref())?;
        problems.end()?;
        names::no_reserved_key(&tags)?;
        if name
            .get(..4)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws/"))
        {
            return Err(invalid(
                "Log groups starting with AWS/ are reserved for AWS.",
            ));
        }
        if input.deletion_protection_enabled == Some(true) {
            return Err(invalid(
                "deletionProtectionEnabled is not taken by this endpoint.",
            ));
        }
        let class = class.unwrap_or(CLASSES[0]);
        Ok(Self {
            group: Group {
                arn: names::group_arn(region, &name),
                name: name.into(),
                created_ms: now_ms,
                retention_days: (class == DELIVERY).then_some(DELIVERY_DAYS),
                kms_key: input.kms_key_id,
                class,
                tags: tags.into_iter().collect(),
                streams: BTreeMap::new(),
                stored_bytes: 0,
            },
        })
    }
}

/// Sets the retention of a group, or ends it.
pub(super) fn set_retention(
    store: &mut LogStore,
    group: &str,
    days: Option<i64>,
) -> Result<(), Refusal> {
    let group = store.group_mut(group)?;
    if group.class == DELIVERY {
        return Err(Refusal::new(
            400,
            "InvalidOperationException",
            "This operation is not supported for Delivery log class",
        ));
    }
    group.retention_days = days;
    Ok(())
}

fn class(problems: &mut Problems, name: Option<&str>) -> Option<&'static str> {
    let name = name?;
    let class = CLASSES.into_iter().find(|class| *class == name);
    if class.is_none() {
        problems.one_of("logGroupClass", name, &CLASSES);
    }
    class
}

/// `DescribeLogGroups`.
pub(super) struct DescribeLogGroups {
    prefix: Option<String>,
    part: Option<String>,
    class: Option<&'static str>,
    after: Option<Place>,
    limit: usize,
}

impl DescribeLogGroups {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let prefix = input.log_group_name_prefix;
        let prefix = prefix.map(|p| names::group(&mut problems, "logGroupNamePrefix", Some(p)));
        let part = input.log_group_name_pattern;
        let part = names::group_part(&mut problems, "logGroupNamePattern", part);
        let class = class(&mut problems, input.log_group_class.as_deref());
        let limit = limit(&mut problems, input.limit, PAGE_DEFAULT, PAGE_DEFAULT);
        problems.end()?;
        if prefix.is_some() && part.is_some() {
            return Err(invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
            ));
        }
        if input.log_group_identifiers.is_some() {
            return Err(invalid(
                "logGroupIdentifiers are not taken by this endpoint.",
            ));
        }
        Ok(Self {
            prefix,
            part,
            class,
            after: input.next_token.map(|token| token.parse()).transpose()?,
            limit,
        })
    }

    pub(super) fn perform(self, store: &LogStore) -> Result<Value, Refusal> {
        let prefix = self.prefix.unwrap_or_default();
        let part = self.part.unwrap_or_default();
        let after = self.after.map(|place| place.name);
        // The name that is last on the page before, or the first that can have the prefix.
        let from = match &after {
            Some(name) if *name >= prefix => Bound::Excluded(name.as_str()),
            _ => Bound::Included(prefix.as_str()),
        };
        let groups = store.groups.range::<str, _>((from, Bound::Unbounded));
        let groups = groups.map(|(_, group)| group);
        let mut groups = groups
            .take_while(|group| group.name.starts_with(&*prefix))
            .filter(|group| group.name.contains(&*part))
            .filter(|group| self.class.is_none_or(|class| class == group.class));
        let page: Vec<_> = groups.by_ref().take(self.limit).collect();
        let mut output =
            json!({ "logGroups": page.iter().map(|g| describe(g)).collect::<Value>() });
        if let (Some(last), true) = (page.last(), groups.next().is_some()) {
            let (rank, name) = (0, last.name.to_string());
            output["nextToken"] = json!(Place { rank, name }.to_string());
        }
        Ok(output)
    }
}

fn describe(group: &Group) -> Value {
    let mut value = json!({
        "logGroupName": &*group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{}:*", group.arn),
        "logGroupArn": group.arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": group.class,
    });
    if let Some(days) = group.retention_days {
        value["retentionInDays"] = json!(days);
    }
    if let Some(key) = &group.kms_key {
        value["kmsKeyId"] = json!(key);
    }
    value
}

/// How many items a page may have.
pub(super) fn limit(problems: &mut Problems, limit: Option<i64>, default: i64, max: i64) -> usize {
    let limit = limit.unwrap_or(default);
    problems.range("limit", limit, &(1..=max));
    usize::try_from(limit).unwrap_or_default()
}
