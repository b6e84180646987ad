//! When clocks show a time that an expression names, whatever the zone.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::expression::Expression;
use crate::error::ScheduleError;

/// The last year in which anything is due: dates stay far from the ends of `chrono`'s
/// calendar, where arithmetic on them panics.
pub(crate) const YEAR_MAX: i32 = 9999;

/// The Gregorian calendar, weekdays included, repeats after 400 years: what does not
/// match within them never does.
const CALENDAR_YEARS: i32 = 400;

/// The fields of an expression: the time of day as bits, the days as `croner` reads them.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Cron,
}

impl Pattern {
    pub(super) fn new(expression: &Expression) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(expression.both_days)
            .build();
        let mut cron = parser
            .parse(&expression.normal)
            .map_err(|source| ScheduleError::Croner { source })?;
        // There is no year field, and its 5001 bytes would be most of a schedule.
        cron.pattern.years = Default::default();
        let fields = &cron.pattern;
        Ok(Self {
            seconds: bits(60, |second| fields.second_match(second)),
            minutes: bits(60, |minute| fields.minute_match(minute)),
            hours: bits(24, |hour| fields.hour_match(hour)),
            days: cron,
        })
    }

    pub(super) fn has_seconds(&self) -> bool {
        self.seconds != 1
    }

    /// Whether the pattern names the second that clocks show.
    pub(super) fn matches(&self, local: NaiveDateTime) -> bool {
        has(self.seconds, local.second())
            && has(self.minutes, local.minute())
            && has(self.hours, local.hour())
            && self.matches_month(local.date())
            && self.matches_day(local.date())
    }

    /// The first match at `local` or later, on clocks that are never put forward or back.
    pub(super) fn next_from(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let year_max = YEAR_MAX.min(local.year() + CALENDAR_YEARS);
        let (mut date, mut time) = (local.date(), local.time());
        while date.year() <= year_max {
            if !self.matches_month(date) {
                date = next_month(date)?;
            } else {
                if self.matches_day(date)
                    && let Some(time) = self.next_time(time)
                {
                    return Some(date.and_time(time));
                }
                date = date.succ_opt()?;
            }
            time = NaiveTime::MIN;
        }
        None
    }

    fn matches_month(&self, date: NaiveDate) -> bool {
        let pattern = &self.days.pattern;
        pattern.month_match(date.month()).unwrap_or(false)
    }

    fn matches_day(&self, date: NaiveDate) -> bool {
        let pattern = &self.days.pattern;
        pattern
            .day_match(date.year(), date.month(), date.day())
            .unwrap_or(false)
    }

    /// The first match of the day at `from` or later.
    fn next_time(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let first_second = next(self.seconds, 0)?;
        let first_minute = next(self.minutes, 0)?;
        let later = |time: (u32, u32, u32)| NaiveTime::from_hms_opt(time.0, time.1, time.2);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = next(self.seconds, second)
            {
                return later((hour, minute, second));
            }
            if let Some(minute) = next(self.minutes, minute + 1) {
                return later((hour, minute, first_second));
            }
        }
        let hour = next(self.hours, hour + 1)?;
        later((hour, first_minute, first_second))
    }
}

fn next_month(date: NaiveDate) -> Option<NaiveDate> {
    match date.month() {
        12 => NaiveDate::from_ymd_opt(date.year() + 1, 1, 1),
        month => NaiveDate::from_ymd_opt(date.year(), month + 1, 1),
    }
}

fn bits<E>(count: u32, matches: impl Fn(u32) -> Result<bool, E>) -> u64 {
    (0..count)
        .filter(|value| matches!(matches(*value), Ok(true)))
        .fold(0, |bits, value| bits | 1 << value)
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

/// The first value at `from` (at most 60) or later.
fn next(bits: u64, from: u32) -> Option<u32> {
    let rest = bits >> from;
    (rest != 0).then(|| from + rest.trailing_zeros())
}
