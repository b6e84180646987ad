//! Time zones, by their IANA names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};
use diagnostics::{Hidden, did_you_mean, nearest};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time zone of the IANA database, for example `Australia/Sydney`; UTC by default. The
/// database is part of the program: the image has no `/usr/share/zoneinfo`. Cheap to clone.
#[derive(Clone)]
pub struct Zone(TimeZone);

/// Why a text is not a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ZoneError {
    #[error("no time zone{} give an IANA name such as Europe/Berlin", did_you_mean(nearest_zone(.given.as_str())))]
    Unknown { given: Hidden },
}

impl Zone {
    /// The moment as people in the zone write it.
    #[must_use]
    pub fn civil(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let offset = FixedOffset::east_opt(self.seconds(at)).expect("less than a day from UTC");
        at.with_timezone(&offset)
    }

    /// What clocks in the zone show at `at`.
    pub(super) fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + self.offset(at)
    }

    /// How far clocks in the zone are ahead of UTC at `at`.
    pub(super) fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        TimeDelta::seconds(self.seconds(at).into())
    }

    /// The first moment at which clocks in the zone show `local`, if they ever do.
    pub(super) fn first_at(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        // Clocks are less than a day from UTC, and never change twice within two.
        [TimeDelta::days(-1), TimeDelta::days(1)]
            .into_iter()
            .map(|away| local.and_utc() - self.offset(local.and_utc() + away))
            .filter(|at| self.local(*at) == local)
            .min()
    }

    /// The first moment behind `from`, up to and with `to`, that has another offset than `from`.
    pub(super) fn change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (before, end) = (self.seconds(from), timestamp(to));
        // A transition may change no more than the name of the offset.
        self.0
            .following(timestamp(from))
            .take_while(|transition| transition.timestamp() <= end)
            .find(|transition| transition.offset().seconds() != before)
            .and_then(|transition| DateTime::from_timestamp(transition.timestamp().as_second(), 0))
    }

    fn seconds(&self, at: DateTime<Utc>) -> i32 {
        self.0.to_offset(timestamp(at)).seconds()
    }

    fn name(&self) -> &str {
        self.0.iana_name().expect("it was found by its name")
    }

    fn of(name: &str) -> Option<Self> {
        // The database takes names in any case; IANA's spelling is the one that others take.
        let zone = jiff::tz::db().get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }
}

/// The moment as `jiff` has it, whose calendar ends a day before the year 10000 begins.
fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(at.timestamp().clamp(first, last)).expect("it is within the calendar")
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Self::of(text).ok_or_else(|| ZoneError::Unknown {
            given: Hidden::new(text),
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
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
fn nearest_zone(given: &str) -> Option<String> {
    let names: Vec<_> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    let city = given.replace(' ', "_");
    let is_there = |name: &&String| {
        let part = name.rsplit('/').next();
        part.is_some_and(|part| part.eq_ignore_ascii_case(&city))
    };
    let nearest = || nearest(given, names.iter().map(String::as_str)).map(str::to_owned);
    names.iter().find(is_there).cloned().or_else(nearest)
}

#[cfg(test)]
mod tests {
    use chrono::{Offset, TimeZone};
    use chrono_tz::{TZ_VARIANTS, Tz};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn theirs(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        TimeDelta::seconds(offset.fix().local_minus_utc().into())
    }

    /// Moldova's changes since 2022 were corrected between the two releases of the database.
    const CORRECTED: [&str; 2] = ["Europe/Chisinau", "Europe/Tiraspol"];

    /// Up to 2026 only: what governments decide about the time to come, the newer release of
    /// the database knows alone. And from 2000 on, for the time before is still corrected.
    #[test]
    fn zones_are_those_of_chrono_tz() {
        let (first, last) = (at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
        let compared = |zone: &Tz| !CORRECTED.contains(&zone.name());
        for theirs_zone in TZ_VARIANTS.into_iter().filter(compared) {
            let zone: Zone = theirs_zone.name().parse().unwrap();
            let change = |from: &DateTime<Utc>| zone.change(*from, last);
            let changes = std::iter::successors(change(&first), change);
            let around = changes.flat_map(|at| [at - TimeDelta::seconds(1), at]);
            // 101 is prime to the days of a week, so that every week day comes by.
            let between = (0..).map(|n| first + TimeDelta::days(101) * n);
            for at in around.chain(between.take_while(|at| *at < last)) {
                assert_eq!(zone.offset(at), theirs(theirs_zone, at), "{zone} at {at}");
                let local = zone.local(at);
                let first = theirs_zone.from_local_datetime(&local).earliest();
                let first = first.map(|at| at.to_utc());
                assert_eq!(zone.first_at(local), first, "{zone}, {local}");
            }
        }
    }

    #[test]
    fn end_of_the_calendar_has_an_offset() {
        let zone: Zone = "Pacific/Kiritimati".parse().unwrap();
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = zone.offset(at);
        }
        assert_eq!(
            zone.offset(at("9999-12-31T23:59:59Z")),
            TimeDelta::hours(14)
        );
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
            ("local", "no time zone; give an IANA name"),
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
        assert_eq!(
            zone.change(at("2024-01-01T00:00:00Z"), at("2024-12-31T00:00:00Z")),
            Some(at("2024-03-10T02:00:00Z"))
        );
    }
}
