//! Where lines go, how they become events, and when they are sent.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Reader, Value};
use crate::event::LineStart;
use crate::job::{Delivery, Destination, Format, GroupSettings, Output};
use crate::template::{Kind, Template};

/// What `PutRetentionPolicy` takes (CloudWatch Logs API Reference).
const RETENTION_DAYS: &[i32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];
const CLASSES: &[&str] = &["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
/// What `CreateLogGroup` takes.
const TAGS_MAX: usize = 50;
const TAG_NAME_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
const KMS_KEY_MAX: usize = 256;
/// A batch, the lines of the next, and a line that is being read.
const BUFFER_MIN: u64 = 4 << 20;
const BUFFER_MAX: u64 = 1 << 30;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn read(reader: &mut Reader<'_>) -> (Destination, GroupSettings) {
    let group = reader.parsed("aws-cloudwatch-group", |text| {
        Template::parse(Kind::Group, text)
    });
    if group.is_none() && reader.value("aws-cloudwatch-group").is_none() {
        reader.usage(
            "--aws-cloudwatch-group",
            "which log group? write --group GROUP, for example --group jobs",
        );
    }
    let stream = |text: &str| Template::parse(Kind::Stream, text);
    let destination = Destination {
        group: group.unwrap_or_else(|| plain(Kind::Group)),
        stream: reader
            .parsed("aws-cloudwatch-stream", stream)
            .unwrap_or_else(|| plain(Kind::Stream)),
        stderr_stream: reader.parsed("stderr-stream", stream),
    };
    (destination, group_settings(reader))
}

/// Stands where a problem keeps the job from being done anyway.
fn plain(kind: Kind) -> Template {
    Template::parse(kind, "none").expect("a word is a template")
}

fn group_settings(reader: &mut Reader<'_>) -> GroupSettings {
    let settings = GroupSettings {
        no_create: reader.switch("no-create"),
        retention_days: reader.parsed("retention-days", retention),
        kms_key_id: reader.parsed("kms-key-id", |text| {
            match text.starts_with("arn:") && text.len() <= KMS_KEY_MAX {
                true => Ok(text.to_owned()),
                false => Err("a key's ARN looks like arn:aws:kms:us-east-1:123456789012:key/…"),
            }
        }),
        class: reader.parsed("log-group-class", |text| match CLASSES.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(format!("write one of {}", CLASSES.join(", "))),
        }),
        tags: tags(reader),
    };
    if settings.no_create
        && (settings.kms_key_id.is_some() || settings.class.is_some() || !settings.tags.is_empty())
    {
        reader.usage(
            "--no-create",
            "key, class and tags are of a group that is created: leave out one or the other",
        );
    }
    settings
}

fn retention(text: &str) -> Result<i32, String> {
    let days = text
        .parse()
        .ok()
        .filter(|days| RETENTION_DAYS.contains(days));
    days.ok_or_else(|| {
        let days: Vec<_> = RETENTION_DAYS.iter().map(i32::to_string).collect();
        format!(
            "the service keeps events for one of {} days",
            days.join(", ")
        )
    })
}

fn tags(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let values = reader.values("tag");
    if let Some(over) = values.get(TAGS_MAX) {
        reader.refuse(over, format!("a group has up to {TAGS_MAX} tags"));
    }
    let tags = values.iter().filter_map(|value| tag(reader, value));
    tags.collect()
}

fn tag(reader: &mut Reader<'_>, value: &Value) -> Option<(String, String)> {
    let fits = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
    };
    let (name, text) = value.text.split_once('=').unwrap_or_default();
    let is_long =
        name.chars().nth(TAG_NAME_MAX).is_some() || text.chars().nth(TAG_VALUE_MAX).is_some();
    if name.is_empty() || is_long || name.starts_with("aws:") || !fits(name) || !fits(text) {
        reader.refuse(value, "a tag looks like NAME=VALUE, up to 128 and 256 letters, digits, spaces and _ . : / = + - @");
        return None;
    }
    Some((name.to_owned(), text.to_owned()))
}

pub(super) fn events(reader: &mut Reader<'_>) -> Option<LineStart> {
    let pattern = reader.parsed("multiline-pattern", LineStart::pattern);
    let date = reader.value("datetime-format");
    if let (Some(_), Some(date)) = (&pattern, &date) {
        reader.refuse(date, "a date or --multiline-pattern, not both");
    }
    pattern.or_else(|| reader.parsed("datetime-format", LineStart::date_format))
}

pub(super) fn delivery(reader: &mut Reader<'_>) -> Delivery {
    let time = |low, high| move |text: &str| settings::duration(text, low, high);
    let second = Duration::from_secs(1);
    let stop = reader.parsed("on-failure", |text| match text {
        "continue" => Ok(false),
        "stop" => Ok(true),
        _ => Err("write continue or stop"),
    });
    let failure_after = reader.parsed("failure-after", time(second, DAY));
    let minimum = Duration::from_millis(100);
    Delivery {
        checkpoint: reader.text("checkpoint").map(PathBuf::from),
        stop_after: failure_after.filter(|_| stop == Some(true)),
        drain_timeout: reader
            .parsed("drain-timeout", time(Duration::ZERO, DAY))
            .unwrap_or_default(),
        flush_interval: reader
            .parsed("flush-interval", time(minimum, HOUR))
            .unwrap_or_default(),
        buffer_bytes: reader
            .parsed("buffer-bytes", |text| {
                settings::bytes(text, BUFFER_MIN, BUFFER_MAX)
            })
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or_default(),
        request_timeout: reader
            .parsed("request-timeout", time(minimum, HOUR))
            .unwrap_or_default(),
    }
}

pub(super) fn output(reader: &mut Reader<'_>) -> Output {
    Output {
        tee: reader.switch("tee"),
        log_level: reader
            .parsed("log-level", |text| {
                telemetry::filter(text).map(|_| text.to_owned())
            })
            .unwrap_or_default(),
        log_format: reader
            .parsed("log-format", |text| match text {
                "json" => Ok(Format::Json),
                "text" => Ok(Format::Text),
                "auto" => Ok(Format::Auto),
                _ => Err("write json, text or auto"),
            })
            .unwrap_or(Format::Auto),
    }
}
