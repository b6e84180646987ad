//! The values of single settings: durations, counts, sizes, switches.

use std::fmt;
use std::time::Duration;

/// Why a setting's text is refused, and what would be right. Of the text itself there are
/// only numbers in it; where it may be shown, it is put in front.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ValueError {
    #[error("no duration, write a number with its unit: 500ms, 8s, 2m or 1h")]
    Duration,
    #[error("the unit is missing, write {number}s for seconds or {number}ms for milliseconds")]
    DurationUnit { number: f64 },
    #[error("{relation} {bound}, use {low} to {high}", low = Brief(*.low), high = Brief(*.high))]
    DurationRange {
        relation: &'static str,
        bound: String,
        low: Duration,
        high: Duration,
    },
    #[error("no whole number from {min} to {max}")]
    Count { min: u64, max: u64 },
    #[error("no size, write a whole number with its unit: 512KiB, 16MiB or 1GiB")]
    Bytes,
    #[error("no size from {} to {}", Size(*.low), Size(*.high))]
    BytesRange { low: u64, high: u64 },
    #[error("neither true nor false")]
    Switch,
    #[error("none of {}", .known.join(", "))]
    Choice { known: &'static [&'static str] },
}

/// Reads `500ms`, `8s`, `1.5m` or `1h` between two bounds.
pub fn duration(text: &str, low: Duration, high: Duration) -> Result<Duration, ValueError> {
    let number_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let number: f64 = number.parse().map_err(|_| ValueError::Duration)?;
    let seconds = match unit.trim() {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "" => return Err(ValueError::DurationUnit { number }),
        _ => return Err(ValueError::Duration),
    };
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| ValueError::Duration)?;
    let out_of_range = |relation, bound| ValueError::DurationRange {
        relation,
        bound: Brief(bound).to_string(),
        low,
        high,
    };
    if duration < low {
        return Err(out_of_range("below", low));
    }
    if duration > high {
        return Err(out_of_range("above", high));
    }
    Ok(duration)
}

/// Reads a whole number between two bounds.
pub fn count(text: &str, min: u64, max: u64) -> Result<u64, ValueError> {
    let number = digits(text).filter(|n| (min..=max).contains(n));
    number.ok_or(ValueError::Count { min, max })
}

/// Reads `512KiB`, `16MiB` or `1GiB` between two bounds.
pub fn bytes(text: &str, low: u64, high: u64) -> Result<u64, ValueError> {
    let number_end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(number_end.unwrap_or(text.len()));
    let unit = SIZES.iter().find(|(name, _)| *name == unit.trim());
    let (Some((_, unit)), false) = (unit, number.is_empty()) else {
        return Err(ValueError::Bytes);
    };
    let bytes = digits(number).and_then(|number| number.checked_mul(*unit));
    let bytes = bytes.filter(|bytes| (low..=high).contains(bytes));
    bytes.ok_or(ValueError::BytesRange { low, high })
}

/// Reads digits only: the parsers of the standard library would also take a `+`, which
/// stands in no name of a region and in no port.
pub fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Reads a switch, in the spellings that Docker and Kubernetes users write.
pub fn switch(text: &str) -> Result<bool, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(ValueError::Switch),
    }
}

/// A duration as it is written in the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Brief(pub Duration);

impl fmt::Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            _ if !millis.is_multiple_of(1000) => write!(f, "{millis}ms"),
            _ if millis > 0 && millis.is_multiple_of(3_600_000) => {
                write!(f, "{}h", millis / 3_600_000)
            }
            _ => write!(f, "{}s", millis / 1000),
        }
    }
}

/// Units of sizes, the largest first.
const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size as it is written in the configuration.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, unit)| self.0.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn durations_carry_a_unit() {
        let read = |text| duration(text, Duration::ZERO, HOUR);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(read("1h"), Ok(HOUR));
        assert_eq!(
            read("8").unwrap_err().to_string(),
            "the unit is missing, write 8s for seconds or 8ms for milliseconds"
        );
        for bad in [
            "",
            "s",
            "8 parsecs",
            "-1s",
            "+5s",
            "1.2.3s",
            "61m",
            "1e3s",
            "infs",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let error = duration("9h", Duration::from_millis(1), HOUR).unwrap_err();
        assert_eq!(error.to_string(), "above 1h, use 1ms to 1h");
    }

    #[test]
    fn sizes_carry_a_unit() {
        let read = |text| bytes(text, 64 << 10, 1 << 40);
        assert_eq!(read("64KiB"), Ok(64 << 10));
        assert_eq!(read("16MiB"), Ok(16 << 20));
        assert_eq!(read("1 GiB"), Ok(1 << 30));
        let range = "no size from 64KiB to 1024GiB";
        for (bad, right) in [
            ("", "512KiB"),
            ("16", "512KiB"),
            ("MiB", "512KiB"),
            ("16MB", "512KiB"),
            ("1.5MiB", "512KiB"),
            ("-1MiB", "512KiB"),
            ("+1MiB", "512KiB"),
            ("63KiB", range),
            ("1025GiB", range),
            ("99999999999999999999GiB", range),
            ("17179869184GiB", range),
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains(right), "{bad:?}: {error}");
        }
    }
}
