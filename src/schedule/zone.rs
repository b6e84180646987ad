//! Time zones, by their IANA names.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};

use crate::text::{did_you_mean, excerpt, nearest};

// Made by build.rs from `chrono-tz`. `ZONES`, sorted by name, tells where a zone's part of
// `CHANGES` begins and ends; `Change` reads a number of it.
include!(concat!(env!("OUT_DIR"), "/zones.rs"));

const UTC_NAME: &str = "UTC";

/// A time zone of the IANA database, for example `Australia/Sydney`; UTC by default. It
/// knows the changes of its clocks from 2000 up to 2100.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone {
    index: u16,
}

/// Why a text is not a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ZoneError {
    #[error("{given:?} is no time zone{} give an IANA name such as Europe/Berlin", did_you_mean(nearest_zone(.given)))]
    Unknown { given: String },
}

impl Zone {
    /// The moment as people in the zone write it.
    #[must_use]
    pub fn civil(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let seconds = self.minutes(at) * 60;
        let offset = FixedOffset::east_opt(seconds).expect("less than a day from UTC");
        at.with_timezone(&offset)
    }

    /// What clocks in the zone show at `at`.
    pub(super) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + self.offset(at)
    }

    /// How far clocks in the zone are ahead of UTC at `at`.
    pub(super) fn offset(self, at: DateTime<Utc>) -> TimeDelta {
        TimeDelta::minutes(self.minutes(at).into())
    }

    /// The first moment at which clocks in the zone show `local`, if they ever do.
    pub(super) fn first_at(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        // Clocks are less than a day from UTC, and never change twice within two.
        [TimeDelta::days(-1), TimeDelta::days(1)]
            .into_iter()
            .map(|away| local.and_utc() - self.offset(local.and_utc() + away))
            .filter(|at| self.local(*at) == local)
            .min()
    }

    /// The first moment behind `from`, up to and with `to`, that has another offset than `from`.
    pub(super) fn change(self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The first row is no change, but where the table begins.
        let changes = &self.changes()[1..];
        let later = changes.partition_point(|change| Change(*change).at() <= from.timestamp());
        let change = Change(*changes.get(later)?);
        let change = DateTime::from_timestamp(change.at(), 0)?;
        (change <= to).then_some(change)
    }

    fn minutes(self, at: DateTime<Utc>) -> i32 {
        let changes = self.changes();
        let later = changes.partition_point(|change| Change(*change).at() <= at.timestamp());
        Change(changes[later.saturating_sub(1)]).minutes()
    }

    fn name(self) -> &'static str {
        ZONES[usize::from(self.index)].0
    }

    fn changes(self) -> &'static [u32] {
        let (_, start, end) = ZONES[usize::from(self.index)];
        &CHANGES[usize::from(start)..usize::from(end)]
    }

    fn of(name: &str) -> Option<Self> {
        let index = ZONES.binary_search_by_key(&name, |(name, ..)| name).ok()?;
        Some(Self {
            index: u16::try_from(index).ok()?,
        })
    }
}

/// A change of a zone's clocks in one number: the minute above, below it the offset's place.
struct Change(u32);

impl Change {
    /// When it was, in Unix seconds.
    fn at(&self) -> i64 {
        FIRST + i64::from(self.0 >> OFFSET_BITS) * 60
    }

    /// How many minutes clocks are ahead of UTC from then on.
    fn minutes(&self) -> i32 {
        let place = self.0 & ((1 << OFFSET_BITS) - 1);
        OFFSETS[place as usize].into()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::of(UTC_NAME).expect("UTC is in the table")
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Self::of(text).ok_or_else(|| ZoneError::Unknown {
            given: excerpt(text),
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name()).finish()
    }
}

/// The zone that was meant, by its whole name or by its city alone.
fn nearest_zone(given: &str) -> Option<&'static str> {
    let names = || ZONES.iter().map(|(name, ..)| *name);
    let city = given.replace(' ', "_");
    let is_there = |name: &&str| {
        let part = name.rsplit('/').next();
        part.is_some_and(|part| part.eq_ignore_ascii_case(&city))
    };
    names().find(is_there).or_else(|| nearest(given, names()))
}

#[cfg(test)]
mod tests {
    use chrono::{Offset, TimeZone};
    use chrono_tz::{TZ_VARIANTS, Tz};

    use super::*;

    fn theirs(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    #[test]
    fn table_says_what_chrono_tz_says() {
        assert_eq!(ZONES.len(), TZ_VARIANTS.len());
        let (first, last) = (946_684_800, 4_102_444_800);
        for theirs_zone in TZ_VARIANTS {
            let zone: Zone = theirs_zone.name().parse().unwrap();
            let changes = zone.changes().iter().map(|change| Change(*change).at());
            let around = changes.flat_map(|at| [at - 1, at]).skip(1);
            // 101 is prime to the days of a week, so that every week day comes by.
            let between = (first..last).step_by(101 * 86_400);
            for at in around.chain(between) {
                let at = DateTime::from_timestamp(at, 0).unwrap();
                assert_eq!(zone.offset(at), theirs(theirs_zone, at), "{zone} at {at}");
                let local = zone.local(at);
                let first = theirs_zone.from_local_datetime(&local).earliest();
                assert_eq!(
                    zone.first_at(local),
                    first.map(|at| at.to_utc()),
                    "{zone}, {local}"
                );
            }
        }
    }

    #[test]
    fn time_that_clocks_skip_never_comes() {
        let zone: Zone = "Pacific/Apia".parse().unwrap();
        let skipped: NaiveDateTime = "2011-12-30T12:00:00".parse().unwrap();
        assert_eq!(zone.first_at(skipped), None);
    }

    #[test]
    fn unknown_zone_is_answered_with_the_nearest() {
        for (given, part) in [
            ("europe/berlin", "zone, did you mean Europe/Berlin? give"),
            ("Berlin", "did you mean Europe/Berlin?"),
            ("new york", "did you mean America/New_York?"),
            ("local", "\"local\" is no time zone; give an IANA name"),
        ] {
            let error = given.parse::<Zone>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
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
