//! Names of groups and streams, ARNs, and the other values that have rules of their own (API
//! Reference, `CreateLogGroup`, `CreateLogStream`, `PutRetentionPolicy`, `TagResource`).

use std::fmt;

use super::input::{Pairs, TAGS_MAX};
use super::problems::{Problems, invalid};
use crate::refusal::Refusal;

const GROUP_PATTERN: &str = r"[\.\-_/#A-Za-z0-9]+";
const STREAM_PATTERN: &str = "[^:*]*";
const TAG_PATTERN: &str = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$";
const KMS_KEY_MAX: usize = 256;
const ARN_MAX: usize = 2048;
/// The account of all groups.
const ACCOUNT: &str = "000000000000";
const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

pub(super) fn group(problems: &mut Problems, at: &str, name: Option<String>) -> String {
    problems.name(at, name, 1..=512, GROUP_PATTERN, is_of_group)
}

/// A part of a group's name.
pub(super) fn group_part(
    problems: &mut Problems,
    at: &str,
    part: Option<String>,
) -> Option<String> {
    let part = part?;
    Some(problems.name(at, Some(part), 0..=512, GROUP_PATTERN, is_of_group))
}

fn is_of_group(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-_/#".contains(c)
}

pub(super) fn stream(problems: &mut Problems, at: &str, name: Option<String>) -> String {
    let is_good = |c| !matches!(c, ':' | '*');
    problems.name(at, name, 1..=512, STREAM_PATTERN, is_good)
}

pub(super) fn kms_key(problems: &mut Problems, key: Option<&String>) -> Result<(), Refusal> {
    let Some(key) = key else {
        return Ok(());
    };
    problems.length("kmsKeyId", key, key.chars().count(), &(0..=KMS_KEY_MAX));
    problems.end()?;
    // Whether there is such a key cannot be told here; the service wants an ARN.
    if !key.starts_with("arn:aws") || !key.contains(":kms:") {
        return Err(invalid("The specified KMS Key Id could not be found."));
    }
    Ok(())
}

pub(super) fn retention(problems: &mut Problems, days: Option<i64>) -> i64 {
    match days {
        None => problems.missing("retentionInDays"),
        Some(days) if RETENTION_DAYS.contains(&days) => return days,
        Some(days) => problems.one_of("retentionInDays", days, &RETENTION_DAYS),
    }
    0
}

/// Tags to add, of which there is at least one.
pub(super) fn tags(
    problems: &mut Problems,
    tags: Option<Pairs<TAGS_MAX>>,
) -> Vec<(String, String)> {
    let Some(Pairs(tags)) = tags else {
        problems.missing("tags");
        return Vec::new();
    };
    problems.length("tags", "{...}", tags.len(), &(1..=TAGS_MAX));
    for (key, value) in &tags {
        tag_key(problems, "tags", key);
        problems.name(
            &format!("tags.{key}.member"),
            Some(value.clone()),
            0..=256,
            TAG_PATTERN,
            is_of_tag,
        );
    }
    tags
}

pub(super) fn tag_key(problems: &mut Problems, at: &str, key: &str) {
    problems.name(at, Some(key.to_owned()), 1..=128, TAG_PATTERN, is_of_tag);
}

/// Keys that are not for users.
pub(super) fn no_reserved_key(tags: &[(String, String)]) -> Result<(), Refusal> {
    let is_reserved = |key: &str| key.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("aws:"));
    match tags.iter().any(|(key, _)| is_reserved(key)) {
        true => Err(invalid(
            "aws: prefixed tag key names are not allowed for external use.",
        )),
        false => Ok(()),
    }
}

/// Letters, numbers and spaces of all scripts, and a few signs. Combining letters are taken
/// with them, which the service may see otherwise.
fn is_of_tag(c: char) -> bool {
    let is_space = c.is_whitespace() && !c.is_control();
    c.is_alphanumeric() || is_space || "_.:/=+-@".contains(c)
}

/// The ARN of a group, without the `:*` of the one in policies.
pub(super) fn group_arn(region: &str, name: &str) -> String {
    format!("arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}")
}

/// The group of an ARN as `TagResource` takes it.
pub(super) fn group_of_arn(
    problems: &mut Problems,
    arn: Option<String>,
) -> Result<String, Refusal> {
    let Some(arn) = arn else {
        problems.missing("resourceArn");
        problems.end()?;
        return Ok(String::new());
    };
    problems.length("resourceArn", &arn, arn.chars().count(), &(1..=1011));
    problems.end()?;
    let name = name_of_arn(&arn).ok_or_else(|| {
        invalid(format!(
            "The ARN {} is not that of a log group.",
            Shown(&arn)
        ))
    })?;
    Ok(name.to_owned())
}

fn name_of_arn(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let parts: [&str; 7] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let [scheme, partition, service, _, _, kind, name] = parts;
    let is_group = (scheme, service, kind) == ("arn", "logs", "log-group");
    let is_good = !name.is_empty() && name.chars().all(is_of_group);
    (is_group && partition.starts_with("aws") && is_good).then_some(name)
}

/// The group of a request that takes its name, or its name or ARN in another member.
pub(super) fn group_or_arn(
    problems: &mut Problems,
    name: Option<String>,
    identifier: Option<String>,
) -> Result<String, Refusal> {
    match (name, identifier) {
        (Some(_), Some(_)) => Err(invalid(
            "LogGroup name and LogGroup identifier are mutually exclusive parameters.",
        )),
        (None, None) => Err(invalid(
            "Either LogGroup name or LogGroup identifier must be given.",
        )),
        (name @ Some(_), None) => Ok(group(problems, "logGroupName", name)),
        (None, Some(identifier)) => {
            let length = identifier.chars().count();
            problems.length("logGroupIdentifier", &identifier, length, &(1..=ARN_MAX));
            let name = identifier.strip_suffix(":*").unwrap_or(&identifier);
            let name = name_of_arn(name).unwrap_or(name).to_owned();
            Ok(group(problems, "logGroupIdentifier", Some(name)))
        }
    }
}

/// As much of a text as fits into a message.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(200).try_for_each(|c| write!(f, "{c}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_read_out_of_an_arn_and_nothing_else() {
        let arn = group_arn("eu-west-1", "/a/b#1");
        assert_eq!(name_of_arn(&arn), Some("/a/b#1"));
        for bad in [
            "",
            "/a/b",
            "arn:aws:logs:r:1:log-group:",
            "arn:aws:logs:r:1:log-group:a:*",
            "arn:aws:s3:r:1:log-group:a",
            "arn:aws:logs:r:1:destination:a",
        ] {
            assert_eq!(name_of_arn(bad), None, "{bad}");
        }
    }
}
