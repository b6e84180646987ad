//! What holds for every schedule, zone and moment.

use proptest::prelude::*;
use test_support::cases;

use super::*;

/// Zones with seasons of an hour, half an hour and two hours, with gaps at midnight, with
/// a month of exceptions, and with a day left out.
const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
];

fn a_schedule() -> impl Strategy<Value = Schedule> {
    let seconds = prop_oneof![Just(""), Just("0 "), Just("*/20 "), Just("30 ")];
    let minutes = "(\\*|0|30|[1-5]?[0-9]|\\*/[1-9]|0,30|[0-2][0-9]-[3-5][0-9])";
    let hours = "(\\*|\\*/2|[0-3]|0-3|1,2|0-23)";
    let days = "(\\*|\\*|\\?|1|L|15W|\\*/2|1-15)";
    let months = "(\\*|\\*|\\*|3|4|10)";
    let weekdays = "(\\*|\\*|SUN|1-5|7|5#2|6L)";
    let zones = prop::sample::select(ZONES);
    (seconds, minutes, hours, days, months, weekdays, zones).prop_map(
        |(second, minute, hour, day, month, weekday, zone)| {
            let expression = format!("{second}{minute} {hour} {day} {month} {weekday}");
            schedule(&expression, zone)
        },
    )
}

/// ElapsedTicks of 2008 to 2026, half of them within hours of a change of the zone's clocks.
fn a_moment(zone: Zone) -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (utc("2008-01-01T00:00:00Z"), utc("2026-01-01T00:00:00Z"));
    let seconds = first.timestamp()..last.timestamp();
    (seconds, any::<bool>(), -8 * 3600..2 * 3600_i64).prop_map(move |(at, near, distance)| {
        let at = DateTime::from_timestamp(at, 0).unwrap();
        match zone.change(at, at + TimeDelta::days(366)) {
            Some(change) if near => change + TimeDelta::seconds(distance),
            _ => at,
        }
    })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn next_is_the_first_that_is_due(
        (schedule, at) in a_schedule().prop_flat_map(|schedule| {
            let zone = schedule.zone().clone();
            (Just(schedule), a_moment(zone))
        }),
    ) {
        let next = schedule.next_after(at).unwrap();
        prop_assert!(next > at);
        prop_assert!(schedule.is_due(next));
        // Offsets have been whole minutes since long before these moments.
        let (step, hours) = if schedule.has_seconds() { (1, 2) } else { (60, 48) };
        let end = next.min(at + TimeDelta::hours(hours));
        let mut between = at + TimeDelta::seconds(step - at.timestamp() % step);
        while between < end {
            prop_assert!(!schedule.is_due(between), "{between} lies before {next}");
            between += TimeDelta::seconds(step);
        }
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn no_text_and_no_moment_makes_it_panic(
        text in prop_oneof![
            any::<String>(),
            "[0-9*/,?LWlw#@+A-Z \t-]{0,40}",
            "([0-9*/,?LW#-]{1,6} ){4,5}[0-9*/,?L#-]{1,6}",
            "([0-9]{1,2}|\\*|\\*/[0-9]{1,6}|[0-9]-[0-9]/[0-9]{5}| ){9,11}",
        ],
        zone in prop::sample::select(ZONES),
        at in any::<i64>(),
    ) {
        if let Ok(schedule) = Schedule::parse(&text, zone.parse().unwrap()) {
            let at = DateTime::from_timestamp(at % 400_000_000_000, 0).unwrap_or_default();
            let _ = (schedule.is_due(at), schedule.next_after(at));
        }
    }
}
