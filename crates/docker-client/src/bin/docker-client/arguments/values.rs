//! Values of options.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use docker_client::Timestamp;

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A number of lines, or `all`.
pub(super) fn tail(text: &str) -> Result<Option<u64>, String> {
    if text == "all" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| "write a number, or all".to_owned())
}

/// Seconds, with a fraction or not.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("write seconds, for example 2.5".to_owned())
}

/// A time, or an age.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    #[allow(clippy::disallowed_methods)] // A program's edge: ages are told from now on.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    moment_at(text, now)
        .ok_or("write a time as 2026-11-21T10:00:00Z, Unix seconds, or an age as 1h30m".to_owned())
}

fn moment_at(text: &str, now: Duration) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let nanos = |time: Duration| {
        i64::try_from(time.as_nanos())
            .ok()
            .map(Timestamp::from_nanos)
    };
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return nanos(Duration::try_from_secs_f64(text.parse().ok()?).ok()?);
    }
    let (mut age, mut number) = (Duration::ZERO, String::new());
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        let count: u64 = number.parse().ok()?;
        age = age.checked_add(Duration::from_secs(count.checked_mul(unit)?))?;
        number.clear();
    }
    number
        .is_empty()
        .then(|| now.saturating_sub(age))
        .and_then(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_seconds_or_ages() {
        let now = Duration::from_secs(10_000);
        let cases = [
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("12.5", Some(12_500_000_000)),
            ("90s", Some(9_910_000_000_000)),
            ("1h30m", Some(4_600_000_000_000)),
            ("", None),
            ("5", Some(5_000_000_000)),
            ("5x", None),
            ("m", None),
            ("1m5", None),
            ("99999999999999999999h", None),
        ];
        for (text, expected) in cases {
            let found = moment_at(text, now).map(Timestamp::nanos);
            assert_eq!(found, expected, "{text}");
        }
    }
}
