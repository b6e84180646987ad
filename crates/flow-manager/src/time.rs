//! Instants as they are told: RFC 3339 in UTC with milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use docker_client::{ParseTimestampError, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant, told as `2026-11-21T10:00:00.123Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The time on this machine's clock: this is the program's clock edge. The engine's is the
    /// same one, for an engine elsewhere is refused.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the clock edge")]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.map_or(0, |since| since.as_nanos());
        Self(Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(0)))
    }

    /// The seconds from an earlier instant to this one, none if it is not earlier.
    #[must_use]
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        let millis = self.0.millis().saturating_sub(earlier.millis());
        millis.max(0) as f64 / 1000.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = chrono::DateTime::from_timestamp_nanos(self.0.nanos());
        write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl FromStr for Moment {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instant_is_told_in_utc_with_milliseconds() {
        let moment: Moment = "2026-11-21T11:00:00.1239+01:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T10:00:00.123Z");
        let later: Moment = "2026-11-21T10:00:12.623Z".parse().unwrap();
        assert_eq!(later.seconds_since(moment.0), 12.5);
        assert_eq!(moment.seconds_since(later.0), 0.0);
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn what_is_told_reads_as_the_same_millisecond(nanos in any::<i64>()) {
            let moment = Moment(Timestamp::from_nanos(nanos));
            let read: Moment = moment.to_string().parse().unwrap();
            prop_assert_eq!(read.0.millis(), moment.0.millis());
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Moment>();
        }
    }
}
