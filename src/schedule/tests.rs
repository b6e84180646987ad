use super::*;

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
            "\"FOO\" is no month, use 1 to 12 or JAN to DEC, or * for every month",
        ),
        (
            "-1 * * * *",
            "\"-1\" is no minute, use 0 to 59, or * for every minute",
        ),
        (
            "*/90 * * * *",
            "minute step \"90\" is out of range, use 1 to 60",
        ),
        (
            "*/0 * * * *",
            "minute step \"0\" is out of range, use 1 to 60",
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
            "\"5#6\" is no weekday of a month, write 5#1 to 5#5, or 5#L for the last",
        ),
        (
            "0 0 30 2 *",
            "\"0 0 30 2 *\" never fires, no date matches its day, month and weekday",
        ),
        (
            "@reboot",
            "@reboot is no schedule, set PUBLISH_ON_START=true to publish at every start",
        ),
        (
            "@often",
            "\"@often\" is no nickname, use @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or five fields such as \"* * * * *\"",
        ),
    ] {
        assert_eq!(error(expression), message);
    }
}
