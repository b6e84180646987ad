//! When metrics are due: a cron expression in a time zone.
//!
//! Nothing here asks the clock. Expressions are those of crontab(5), with seconds in
//! front if wanted; `croner` reads them, as it does inside `tokio-cron-scheduler`. The
//! changes of the clocks are handled here, as cron(8) of Debian defines it:
//!
//! - An expression whose minute or hour begins with `*` runs by real time: it is due
//!   whenever clocks show a time that it names, twice if they show it twice, not at
//!   all if they skip it.
//! - Any other runs at fixed times. A time that the clocks skip is made up for at the
//!   first moment after the gap, once; a time that they repeat counts the first time.
//! - A change of more than three hours is a correction of the clock, not a season:
//!   nothing is made up for and nothing is left out.
//!
//! ```
//! use cron_schedule::Schedule;
//!
//! let nightly = Schedule::parse("30 2 * * 1-5", "Europe/Berlin".parse()?)?;
//! let friday = "2026-11-20T12:00:00Z".parse()?;
//! let monday = "2026-11-23T01:30:00Z".parse()?;
//! assert_eq!(nightly.next_after(friday), Some(monday));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

mod elapsed;
mod error;
mod expression;
mod pattern;
mod zone;

pub use elapsed::{ElapsedTicks, Missed, TickRate, elapsed_ticks};
pub use error::ScheduleError;
use pattern::{Pattern, YEAR_MAX};
pub use zone::{Zone, ZoneError};

/// Changes of the clocks up to this are handled specially (cron(8), "Local time changes
/// of less than three hours").
const SEASON_MAX: TimeDelta = TimeDelta::hours(3);

/// A cron expression in a time zone. Cheap to clone.
///
/// Day and weekday combine as in cron: if neither field begins with `*`, either may
/// match, else both must. `L`, `15W`, `5L` and `5#2` mean what they mean in Quartz.
#[derive(Clone)]
pub struct Schedule {
    text: Arc<str>,
    zone: Zone,
    pattern: Arc<Pattern>,
    runs_by_real_time: bool,
}

impl Schedule {
    /// Reads an expression of five fields, of six with leading seconds, or a nickname.
    pub fn parse(expression: &str, zone: Zone) -> Result<Self, ScheduleError> {
        let text = expression.trim();
        let expression = expression::parse(text)?;
        let pattern = Pattern::new(&expression)?;
        if pattern
            .next_from(DateTime::UNIX_EPOCH.naive_utc())
            .is_none()
        {
            return Err(ScheduleError::NeverFires);
        }
        Ok(Self {
            text: text.into(),
            zone,
            pattern: Arc::new(pattern),
            runs_by_real_time: expression.runs_by_real_time,
        })
    }

    /// Whether the schedule fires in the second of `at`. Nothing is due before 1970.
    #[must_use]
    pub fn is_due(&self, at: DateTime<Utc>) -> bool {
        let at = whole_second(at);
        if at < DateTime::UNIX_EPOCH || at.year() > YEAR_MAX {
            false
        } else if self.pattern.matches(self.zone.local(at)) {
            self.runs_by_real_time || !self.is_repeated(at)
        } else {
            !self.runs_by_real_time && self.makes_up_at(at)
        }
    }

    /// The first moment after `at` at which the schedule is due; none beyond the year 9999.
    #[must_use]
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = whole_second(at)
            .checked_add_signed(SECOND)?
            .max(DateTime::UNIX_EPOCH);
        if self.is_due(from) {
            return Some(from);
        }
        if from.year() > YEAR_MAX {
            return None;
        }
        // Within a stretch of one offset, real time runs as on the wall; so each stretch
        // is searched on the wall, and its end is a moment of its own.
        loop {
            let local = self.zone.local(from);
            let next = from + (self.pattern.next_from(local)? - local);
            match self.zone.change(from, next) {
                Some(change) if self.is_due(change) => return Some(change),
                Some(change) => from = change,
                None if self.is_due(next) => return Some(next),
                None => from = next + SECOND,
            }
        }
    }

    /// Whether it can fire at another second than 0 of a minute.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.pattern.has_seconds()
    }

    /// The zone in which the expression is read.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The expression as it was given, without white space around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether clocks show the time of `at` for the second time, after a change of season.
    fn is_repeated(&self, at: DateTime<Utc>) -> bool {
        match self.zone.first_at(self.zone.local(at)) {
            Some(first) => first < at && at - first <= SEASON_MAX,
            None => false,
        }
    }

    /// Whether `at` ends a gap in which a fixed time was skipped.
    fn makes_up_at(&self, at: DateTime<Utc>) -> bool {
        let skipped = self.zone.offset(at) - self.zone.offset(at - SECOND);
        if skipped <= TimeDelta::zero() || skipped > SEASON_MAX {
            return false;
        }
        let end = self.zone.local(at);
        let next = self.pattern.next_from(end - skipped);
        next.is_some_and(|next| next < end)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?} in {})", self.text, self.zone)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.zone) == (&other.text, &other.zone)
    }
}

impl Eq for Schedule {}

impl Hash for Schedule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.text, &self.zone).hash(state);
    }
}

const SECOND: TimeDelta = TimeDelta::seconds(1);

fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

#[cfg(test)]
mod tests;
