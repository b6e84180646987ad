//! Which moments a tick of the clock covers. Ticks come late, come twice or not at
//! all; the moments between two of them are worked out from the clock alone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How often the clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickRate {
    /// At every whole minute.
    Minute,
    /// At every whole second.
    Second,
}

/// The moments between two ticks, none of them in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElapsedTicks {
    /// Young enough to be sampled now, oldest first.
    pub fresh: Vec<DateTime<Utc>>,
    /// Too old to be sampled, if there are any.
    pub missed: Option<Missed>,
    /// What to give as `last` at the next tick.
    pub last: DateTime<Utc>,
}

/// Moments that passed without a tick, on the rate's grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The oldest.
    pub first: DateTime<Utc>,
    /// The youngest.
    pub last: DateTime<Utc>,
    /// How many there are.
    pub count: u64,
}

impl TickRate {
    /// The time from one tick to the next.
    #[must_use]
    pub fn period(self) -> Duration {
        Duration::from_secs(self.seconds().unsigned_abs())
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Second => 1,
        }
    }

    /// How long after a moment its values may still be taken: later they would be
    /// others. It is more than a busy machine or the ticker holds up.
    fn late_max(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Minute => 10,
            Self::Second => 5,
        })
    }

    /// The number of the newest moment of the grid at `at`, counted from 1970.
    fn index(self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(self.seconds())
    }

    fn moment(self, index: i64) -> DateTime<Utc> {
        let seconds = index.saturating_mul(self.seconds());
        DateTime::from_timestamp(seconds, 0).expect("the moment lies between two known ones")
    }
}

/// A clock put back by more than this goes on from the time it then shows.
const STEP_BACK_MAX: TimeDelta = TimeDelta::minutes(1);

/// The moments on the rate's grid behind `last`, up to and with `now`.
///
/// A clock that is put back a little yields nothing until it passes `last` again, so no
/// moment comes twice. Put back by more than a minute it would be silent for long: then
/// it goes on from `now`, and times that it shows again are moments again.
#[must_use]
pub fn elapsed_ticks(last: DateTime<Utc>, now: DateTime<Utc>, rate: TickRate) -> ElapsedTicks {
    let mut moments = ElapsedTicks {
        fresh: Vec::new(),
        missed: None,
        last: now,
    };
    if now < last {
        if last - now <= STEP_BACK_MAX {
            moments.last = last;
        }
        return moments;
    }
    let (first, newest) = (rate.index(last) + 1, rate.index(now));
    let first_fresh = (rate.index(now - rate.late_max()) + 1).clamp(first, newest + 1);
    moments.fresh = (first_fresh..=newest)
        .map(|index| rate.moment(index))
        .collect();
    if first < first_fresh {
        moments.missed = Some(Missed {
            first: rate.moment(first),
            last: rate.moment(first_fresh - 1),
            count: first_fresh.abs_diff(first),
        });
    }
    moments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    #[test]
    fn beat_covers_the_minute_that_began() {
        let moments = elapsed_ticks(at("10:00:00.4"), at("10:01:00.2"), TickRate::Minute);
        assert_eq!(moments.fresh, [at("10:01:00")]);
        assert_eq!((moments.missed, moments.last), (None, at("10:01:00.2")));
    }

    #[test]
    fn second_beat_in_a_minute_covers_nothing() {
        let moments = elapsed_ticks(at("10:01:00.2"), at("10:01:59.9"), TickRate::Minute);
        assert_eq!((moments.fresh, moments.missed), (vec![], None));
    }

    #[test]
    fn sleep_leaves_a_minute_that_just_began_and_counts_the_others() {
        for (wakes, fresh, last, count) in [
            ("12:00:09.9", vec![at("12:00:00")], "11:59:00", 119),
            ("12:00:10", vec![], "12:00:00", 120),
        ] {
            let moments = elapsed_ticks(at("10:00:00"), at(wakes), TickRate::Minute);
            assert_eq!(moments.fresh, fresh, "{wakes}");
            let missed = Missed {
                first: at("10:01:00"),
                last: at(last),
                count,
            };
            assert_eq!(moments.missed, Some(missed), "{wakes}");
        }
    }

    #[test]
    fn seconds_that_a_busy_process_held_up_are_fresh() {
        let moments = elapsed_ticks(at("10:00:00"), at("10:00:08.5"), TickRate::Second);
        let fresh: Vec<_> = (4..=8)
            .map(|second| at(&format!("10:00:0{second}")))
            .collect();
        assert_eq!(moments.fresh, fresh);
        assert_eq!(moments.missed.map(|missed| missed.count), Some(3));
    }

    #[test]
    fn small_step_back_yields_no_moment_twice() {
        let back = elapsed_ticks(at("10:01:00.2"), at("10:00:30"), TickRate::Minute);
        assert_eq!((back.fresh.len(), back.missed), (0, None));
        let again = elapsed_ticks(back.last, at("10:01:00.1"), TickRate::Minute);
        assert!(again.fresh.is_empty());
        let further = elapsed_ticks(again.last, at("10:02:00"), TickRate::Minute);
        assert_eq!(further.fresh, [at("10:02:00")]);
    }

    #[test]
    fn big_step_back_goes_on_from_the_new_time() {
        let back = elapsed_ticks(at("11:00:00.2"), at("10:00:00.1"), TickRate::Minute);
        assert_eq!((back.fresh.len(), back.missed), (0, None));
        let next = elapsed_ticks(back.last, at("10:01:00.1"), TickRate::Minute);
        assert_eq!(next.fresh, [at("10:01:00")]);
    }

    #[test]
    fn jump_over_all_time_is_counted_not_listed() {
        let moments = elapsed_ticks(
            DateTime::<Utc>::MIN_UTC,
            DateTime::<Utc>::MAX_UTC,
            TickRate::Second,
        );
        assert_eq!(moments.fresh.len(), 5);
        let span = DateTime::<Utc>::MAX_UTC.timestamp() - DateTime::<Utc>::MIN_UTC.timestamp();
        assert_eq!(moments.missed.unwrap().count, span.unsigned_abs() - 5);
    }

    proptest! {
        #[test]
        fn every_moment_is_covered_once(
            steps in proptest::collection::vec(0..400_000_i64, 1..40),
            minute: bool,
        ) {
            let rate = if minute { TickRate::Minute } else { TickRate::Second };
            let start = at("10:00:00");
            let (mut last, mut now, mut covered) = (start, start, 0);
            for step in steps {
                now += TimeDelta::milliseconds(step);
                let moments = elapsed_ticks(last, now, rate);
                covered += moments.fresh.len() as u64;
                covered += moments.missed.map_or(0, |missed| missed.count);
                last = moments.last;
            }
            let all = rate.index(now) - rate.index(start);
            prop_assert_eq!(covered, all.unsigned_abs());
        }
    }
}
