//! Time zones, by their IANA names.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::text::{excerpt, nearest};

/// Offsets are compared a day apart to find where they change: no zone has changed
/// twice within a day since 1970.
const PROBE: TimeDelta = TimeDelta::days(1);

/// A time zone of the IANA database, for example `Australia/Sydney`; UTC by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// Why a text is not a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ZoneError {
    #[error("{given:?} is no time zone{}, give an IANA name such as Europe/Berlin", suggestion(.given))]
    Unknown { given: String },
}

impl Zone {
    /// The moment as people in the zone write it.
    #[must_use]
    pub fn civil(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.0.offset_from_utc_datetime(&at.naive_utc()).fix())
    }

    /// What clocks in the zone show at `at`.
    pub(super) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + self.offset(at)
    }

    /// How far clocks in the zone are ahead of UTC at `at`.
    pub(super) fn offset(self, at: DateTime<Utc>) -> TimeDelta {
        if self.0 == Tz::UTC {
            return TimeDelta::zero();
        }
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    /// The first moment at which clocks in the zone show `local`, if they ever do.
    pub(super) fn first_at(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let first = self.0.from_local_datetime(&local).earliest()?;
        Some(first.with_timezone(&Utc))
    }

    /// The first moment behind `from`, up to and with `to`, that has another offset than `from`.
    pub(super) fn change(self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.0 == Tz::UTC {
            return None;
        }
        let offset = self.offset(from);
        let mut same = from;
        while same < to {
            let mut other = to.min(same + PROBE);
            if self.offset(other) == offset {
                same = other;
                continue;
            }
            while other - same > TimeDelta::seconds(1) {
                let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
                if self.offset(middle) == offset {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            return Some(other);
        }
        None
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        match text.parse() {
            Ok(zone) => Ok(Self(zone)),
            Err(_) => Err(ZoneError::Unknown {
                given: excerpt(text),
            }),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

fn suggestion(given: &str) -> String {
    match nearest(given, TZ_VARIANTS.iter().map(|zone| zone.name())) {
        Some(name) => format!(", did you mean {name}?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_zone_is_answered_with_the_nearest() {
        let error = "europe/berlin".parse::<Zone>().unwrap_err().to_string();
        assert!(error.contains("did you mean Europe/Berlin?"), "{error}");
        assert_eq!(Zone::default().to_string(), "UTC");
        assert_eq!(
            "Asia/Kathmandu".parse::<Zone>().unwrap().to_string(),
            "Asia/Kathmandu"
        );
    }

    #[test]
    fn change_is_found_to_the_second() {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let summer = at("2025-03-30T01:00:00Z");
        assert_eq!(
            zone.change(at("2025-01-01T00:00:00Z"), at("2025-07-01T00:00:00Z")),
            Some(summer)
        );
        assert_eq!(
            zone.change(at("2025-01-01T00:00:00Z"), summer),
            Some(summer)
        );
        assert_eq!(zone.change(summer, at("2025-07-01T00:00:00Z")), None);
    }

    #[test]
    fn month_of_ramadan_is_not_overlooked() {
        let zone: Zone = "Africa/Casablanca".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            zone.change(at("2024-01-01T00:00:00Z"), at("2024-12-31T00:00:00Z")),
            Some(at("2024-03-10T02:00:00Z"))
        );
    }
}
