use super::*;

mod properties;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone.parse().unwrap()).unwrap()
}

fn firings(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let next = |at: &DateTime<Utc>| schedule.next_after(*at);
    std::iter::successors(next(&utc(after)), next)
        .take(count)
        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        .collect()
}

fn error(expression: &str) -> String {
    Schedule::parse(expression, Zone::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn every_five_minutes() {
    let schedule = schedule("*/5 * * * *", "UTC");
    assert_eq!(
        firings(&schedule, "2026-01-01T23:52:30Z", 3),
        [
            "2026-01-01T23:55:00Z",
            "2026-01-02T00:00:00Z",
            "2026-01-02T00:05:00Z"
        ]
    );
}

#[test]
fn error_names_the_field_and_what_would_be_right() {
    for (expression, message) in [
        (
            "",
            "no schedule is given, write five fields such as \"*/5 * * * *\"",
        ),
        (
            "* * * *",
            "4 fields are given, a schedule has 5 (minute hour day month weekday) or 6 with leading seconds",
        ),
        (
            "0 0 0 1 1 * 2026",
            "7 fields are given, a schedule has 5 (minute hour day month weekday) or 6 with leading seconds",
        ),
        ("61 * * * *", "minute 61 is out of range, use 0 to 59"),
        (
            "* * * 99999999 *",
            "month 99999999 is out of range, use 1 to 12",
        ),
        (
            "* * * FOO *",
            "the month field is not understood, use 1 to 12 or JAN to DEC, or * for every month",
        ),
        (
            "-1 * * * *",
            "the minute field is not understood, use 0 to 59, or * for every minute",
        ),
        (
            "*/90 * * * *",
            "the minute step is out of range, use 1 to 60",
        ),
        (
            "*/0 * * * *",
            "the minute step is out of range, use 1 to 60",
        ),
        (
            "* * * * FRI-MON",
            "weekday range FRI-MON runs backwards, write FRI-6,0-MON if it is to run over the end",
        ),
        (
            "1,,2 * * * *",
            "the minute field has an empty item, write numbers with single commas between them",
        ),
        (
            "0 0 * * 5#6",
            "no such weekday of a month, write 5#1 to 5#5, or 5#L for the last",
        ),
        (
            "0 0 30 2 *",
            "the schedule never fires, no date matches its day, month and weekday",
        ),
        (
            "@reboot",
            "@reboot is no schedule, set PUBLISH_ON_START=true to publish at every start",
        ),
        (
            "@often",
            "no such nickname, use @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or five fields such as \"* * * * *\"",
        ),
    ] {
        assert_eq!(error(expression), message);
    }
}

/// Firings on which croniter agrees, or differs for a reason that is written in
/// tests/peer/croniter_oracle.py.
#[test]
fn fires_when_croniter_does() {
    let recorded = include_str!("tests/croniter.tsv");
    let mut cases = 0;
    for line in recorded.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('\t').collect();
        let [expression, zone, start, expected, _reason] = fields[..] else {
            panic!("{line:?} has not five fields");
        };
        let expected: Vec<_> = expected.split(' ').collect();
        let found = firings(&schedule(expression, zone), start, expected.len());
        assert_eq!(found, expected, "{line}");
        cases += 1;
    }
    assert_eq!(cases, 60);
}

#[test]
fn expressions_mean_what_they_mean_to_cron() {
    for (given, same) in [
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@monthly", "0 0 1 * *"),
        ("@annually", "@yearly"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * FRI-SUN", "0 0 * * 5-7"),
        ("0 0 * * sun-tue", "0 0 * * 0-2"),
        ("0 0 * * 1/3", "0 0 * * 1,4"),
        ("0 0 * * 7L", "0 0 * * SUN#L"),
        ("0 0 ? * ?", "0 0 * * *"),
        ("50/5 * * * *", "50,55 * * * *"),
        ("*/30,7 * * * *", "0,7,30 * * * *"),
        ("5,* * * * *", "* * * * *"),
        ("0 0 1 jan,jul *", "0 0 0 1 1,7 *"),
    ] {
        let after = "2026-01-07T12:34:56Z";
        let (given, same) = (schedule(given, "UTC"), schedule(same, "UTC"));
        assert_eq!(
            firings(&given, after, 50),
            firings(&same, after, 50),
            "{given}"
        );
    }
}

#[test]
fn either_day_matches_unless_one_begins_with_a_star() {
    assert_eq!(
        firings(&schedule("0 0 13 * FRI", "UTC"), "2026-02-01T00:00:00Z", 3),
        [
            "2026-02-06T00:00:00Z",
            "2026-02-13T00:00:00Z",
            "2026-02-20T00:00:00Z"
        ]
    );
    assert_eq!(
        firings(&schedule("0 0 */2 * MON", "UTC"), "2026-02-01T00:00:00Z", 3),
        [
            "2026-02-09T00:00:00Z",
            "2026-02-23T00:00:00Z",
            "2026-03-09T00:00:00Z"
        ]
    );
}

#[test]
fn leap_day_on_a_sunday_is_awaited_for_decades() {
    assert_eq!(
        firings(&schedule("0 0 29 2 */7", "UTC"), "2026-01-01T00:00:00Z", 2),
        ["2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z"]
    );
}

#[test]
fn skipped_fixed_time_is_made_up_for_once_after_the_gap() {
    let berlin = schedule("0,30 2 * * *", "Europe/Berlin");
    assert_eq!(
        firings(&berlin, "2025-03-29T02:00:00Z", 3),
        [
            "2025-03-30T01:00:00Z",
            "2025-03-31T00:00:00Z",
            "2025-03-31T00:30:00Z"
        ]
    );
    // Cairo's clocks go from midnight to one o'clock.
    let cairo = schedule("0 0 26 4 *", "Africa/Cairo");
    assert_eq!(
        firings(&cairo, "2024-01-01T00:00:00Z", 1),
        ["2024-04-25T22:00:00Z"]
    );
}

#[test]
fn repeated_fixed_time_counts_the_first_time() {
    let berlin = schedule("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        firings(&berlin, "2025-10-25T12:00:00Z", 2),
        ["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"]
    );
    // FileRead between the two half past two, the first is over.
    assert_eq!(
        firings(&berlin, "2025-10-26T01:10:00Z", 1),
        ["2025-10-27T01:30:00Z"]
    );
}

#[test]
fn star_in_minute_or_hour_runs_by_real_time() {
    let quarters = schedule("*/15 * * * *", "Australia/Lord_Howe");
    let found = firings(&quarters, "2025-04-05T13:50:00Z", 8);
    let expected: Vec<_> = (0..8)
        .map(|quarter| utc("2025-04-05T14:00:00Z") + TimeDelta::minutes(15 * quarter))
        .collect();
    assert_eq!(found.iter().map(|at| utc(at)).collect::<Vec<_>>(), expected);
    let even = schedule("0 */2 * * *", "Europe/Berlin");
    assert_eq!(
        firings(&even, "2025-03-29T22:30:00Z", 2),
        ["2025-03-29T23:00:00Z", "2025-03-30T02:00:00Z"]
    );
}

#[test]
fn day_that_a_zone_left_out_is_not_made_up_for() {
    let apia = schedule("0 12 * * *", "Pacific/Apia");
    assert_eq!(
        firings(&apia, "2011-12-29T12:00:00Z", 2),
        ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"]
    );
}

#[test]
fn seconds_are_told_from_minutes() {
    for (expression, has_seconds) in [
        ("* * * * *", false),
        ("0 * * * * *", false),
        ("*/30 * * * * *", true),
        ("5 * * * * *", true),
    ] {
        assert_eq!(schedule(expression, "UTC").has_seconds(), has_seconds);
    }
}

#[test]
fn nothing_is_due_outside_the_years_that_are_looked_at() {
    let always = schedule("* * * * * *", "Asia/Kathmandu");
    for at in [
        DateTime::<Utc>::MIN_UTC,
        utc("1969-12-31T23:59:59Z"),
        DateTime::<Utc>::MAX_UTC,
    ] {
        assert!(!always.is_due(at));
    }
    assert_eq!(
        always.next_after(DateTime::<Utc>::MIN_UTC),
        Some(DateTime::UNIX_EPOCH)
    );
    assert_eq!(always.next_after(DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(always.next_after(utc("9999-12-31T23:59:59Z")), None);
}
