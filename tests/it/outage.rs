//! Outages on a paused clock: what is held, in which order it leaves, and what is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cw_publisher::config::Config;
use cw_publisher::outbox::Batch;
use cw_publisher::publish::RequestErrorKind;

use crate::support::{
    Capture, FakeClock, FakeSink, Put, at, config, crontab, no_answer, refused, run_for, text,
};

const DAY_MINUTES: i64 = 1440;

/// The moment of a tick, counted from 1.
fn tick(number: i64) -> DateTime<Utc> {
    at(TimeDelta::minutes(number) - TimeDelta::seconds(30))
}

fn ticks(numbers: std::ops::RangeInclusive<i64>) -> Vec<DateTime<Utc>> {
    numbers.map(tick).collect()
}

/// One point a minute, its value the moment that it is of.
fn every_minute(variables: &[(&str, &str)]) -> Config {
    let own = [("METRIC_VALUE", "timestamp"), ("PUBLISH_ON_START", "false")];
    config(&[&own, variables].concat())
}

/// Fourteen points a minute, so that two weeks of points are there in a day.
fn fourteen_every_minute(variables: &[(&str, &str)]) -> Config {
    let lines: String = (1..=14)
        .map(|i| format!("* * * * * name=M{i} value=timestamp\n"))
        .collect();
    crontab(
        &lines,
        &[&[("PUBLISH_ON_START", "false")], variables].concat(),
    )
}

#[tokio::test(start_paused = true)]
async fn panic_while_sending_costs_no_point() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |now, _| {
        assert!(now > tick(3), "a panic on purpose");
        Ok(())
    });
    run_for(every_minute(&[]), &clock, &sink, TimeDelta::minutes(5)).await;
    assert_eq!(sink.timestamps(), ticks(1..=5));
}

#[tokio::test(start_paused = true)]
async fn every_point_of_an_outage_of_a_day_arrives_once_under_its_own_timestamp() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(DAY_MINUTES), no_answer());
    let lasting = TimeDelta::minutes(DAY_MINUTES + 1);
    let summary = run_for(every_minute(&[]), &clock, &sink, lasting).await;

    assert_eq!(sink.timestamps(), ticks(1..=DAY_MINUTES + 1));
    let accepted = sink.accepted();
    let sizes: Vec<_> = accepted.iter().map(|put| put.points.len()).collect();
    assert_eq!(sizes, [1, 1000, 440], "this tick first, then the backlog");
    assert_eq!(accepted[0].points[0].at, tick(DAY_MINUTES + 1));
    for point in accepted.iter().flat_map(|put| &put.points) {
        assert_eq!(point.value.get(), point.at.timestamp() as f64);
    }
    let backlog: Vec<_> = accepted[1..].iter().flat_map(|put| &put.points).collect();
    assert!(backlog.is_sorted_by_key(|point| point.at), "oldest first");
    assert_eq!((summary.sent, summary.unsent), (1441, 0));
    assert_eq!(summary.dropped.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_weeks_of_points_leave_in_twenty_one_requests_beside_the_ticks_own() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(DAY_MINUTES), no_answer());
    let config = fourteen_every_minute(&[("BUFFER_LIMIT", "30000"), ("RETRY_MAX", "0")]);
    let lasting = TimeDelta::minutes(DAY_MINUTES + 1);
    let summary = run_for(config, &clock, &sink, lasting).await;

    let accepted = sink.accepted();
    assert_eq!(accepted.len(), 22);
    assert_eq!(accepted[0].points.len(), 14);
    assert!(
        accepted[0]
            .points
            .iter()
            .all(|p| p.at == tick(DAY_MINUTES + 1))
    );
    let distinct: BTreeSet<_> = accepted
        .iter()
        .flat_map(|put| &put.points)
        .map(|point| (point.metric.name.to_string(), point.at))
        .collect();
    assert_eq!(distinct.len(), 14 * 1441);
    assert_eq!(summary.sent, 14 * 1441);
}

#[tokio::test(start_paused = true)]
async fn outage_is_told_once_with_its_length_and_what_came_of_it() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(60), no_answer());
    let config = every_minute(&[("BUFFER_LIMIT", "50")]);
    run_for(config, &clock, &sink, TimeDelta::minutes(65)).await;

    let recovered = log.lines("recovered");
    assert_eq!(recovered.len(), 1, "{recovered:?}");
    let number = |field: &str| recovered[0][field].as_i64().unwrap();
    // Of 60 held points and one of the tick that came through, 50 had room.
    assert_eq!((number("points_replayed"), number("points_lost")), (49, 11));
    let seconds = number("outage_seconds");
    assert!((59 * 60 - 7..=60 * 60).contains(&seconds), "{seconds}");
    assert_eq!(log.lines("publish failed").len(), 60, "one for each tick");
}

#[tokio::test(start_paused = true)]
async fn tick_between_the_requests_of_a_backlog_is_accounted_for_alone() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(DAY_MINUTES), no_answer())
        .slow(Duration::from_secs(40));
    let lasting = TimeDelta::minutes(DAY_MINUTES + 5);
    run_for(every_minute(&[("RETRY_MAX", "0")]), &clock, &sink, lasting).await;

    let published = log.lines("published");
    assert!(published.len() >= 3, "{published:?}");
    for line in published {
        let number = |field: &str| line[field].as_u64().unwrap();
        let ticks = number("points");
        assert_eq!(number("requests"), ticks, "{line}");
        assert_eq!(number("duration_ms"), 40_000 * ticks, "{line}");
    }
}

/// Of each tick, the first request that begins after it must hold its points.
fn assert_newest_first(sink: &FakeSink, numbers: std::ops::RangeInclusive<i64>) {
    let puts = sink.puts();
    for number in numbers {
        let tick = tick(number);
        let first = puts.iter().find(|put| put.at > tick);
        assert!(
            first.is_some_and(|put| put.newest == tick) || sent_at_once(&puts, tick),
            "tick {number} waits: {first:?}"
        );
    }
}

fn sent_at_once(puts: &[Put], tick: DateTime<Utc>) -> bool {
    puts.iter().any(|put| put.at == tick && put.newest == tick)
}

#[tokio::test(start_paused = true)]
async fn long_backlog_never_delays_a_tick() {
    let clock = FakeClock::new();
    // A backlog of 10 requests, half a minute each, is five ticks long.
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(720), no_answer())
        .slow(Duration::from_secs(29));
    let config = fourteen_every_minute(&[("RETRY_MAX", "0")]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(740)).await;
    assert_eq!(summary.sent, 14 * 740);
    assert_newest_first(&sink, 721..=740);
    assert!(
        sink.accepted()
            .iter()
            .filter(|put| put.points.len() == 1000)
            .count()
            >= 9
    );
}

#[tokio::test(start_paused = true)]
async fn tick_goes_before_a_backlog_that_is_being_retried() {
    let clock = FakeClock::new();
    // What is larger than a tick fails for long: a backlog alone is in trouble.
    let (down, trouble) = (at(TimeDelta::minutes(10)), at(TimeDelta::minutes(30)));
    let sink = FakeSink::new(&clock, move |now, batch| {
        if now < down {
            Err(refused(403, "AccessDenied"))
        } else if now < trouble && batch.len() > 14 {
            Err(no_answer())
        } else {
            Ok(())
        }
    });
    let config = fourteen_every_minute(&[
        ("RETRY_BASE", "50m"),
        ("RETRY_CAP", "50m"),
        ("RETRY_MAX", "5"),
    ]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(100)).await;
    assert_eq!((summary.sent, summary.unsent), (14 * 100, 0));
    let accepted = sink.accepted();
    for number in 12..=30 {
        let put = accepted.iter().find(|put| put.newest == tick(number));
        let after = put.map(|put| put.at - tick(number));
        assert_eq!(after, Some(TimeDelta::zero()), "tick {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn tick_that_came_during_the_retries_of_another_goes_before_the_backlog() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(200), no_answer())
        .slow(Duration::from_secs(25));
    // Three attempts of 25 s outlast the minute to the next tick.
    let config = fourteen_every_minute(&[("RETRY_MAX", "2"), ("RETRY_BASE", "1ms")]);
    run_for(config, &clock, &sink, TimeDelta::minutes(220)).await;
    let accepted = sink.accepted();
    let first_full = accepted.iter().position(|put| put.points.len() == 1000);
    let newest_before: Vec<_> = accepted[..first_full.unwrap()]
        .iter()
        .map(|put| put.newest)
        .collect();
    let full_at = accepted[first_full.unwrap()].at;
    let newest = (1..=220).map(tick).filter(|tick| *tick <= full_at).max();
    assert_eq!(newest_before.last().copied(), newest, "{newest_before:?}");
}

#[tokio::test(start_paused = true)]
async fn tick_that_came_during_the_delay_of_a_retry_goes_when_that_has_failed() {
    let clock = FakeClock::new();
    let unavailable = RequestErrorKind::Rejected {
        status: 503,
        code: String::new(),
        message: String::new(),
        retry_after: Some(Duration::from_secs(70)),
    };
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(60), unavailable);
    let config = every_minute(&[("RETRY_MAX", "1"), ("RETRY_CAP", "70s")]);
    run_for(config, &clock, &sink, TimeDelta::minutes(3)).await;
    let puts = sink.puts();
    let sent: Vec<_> = puts.iter().map(|put| (put.at, put.newest)).collect();
    let failed = tick(1) + TimeDelta::seconds(70);
    assert_eq!(
        sent[..3],
        [(tick(1), tick(1)), (failed, tick(1)), (failed, tick(2))]
    );
}

#[tokio::test(start_paused = true)]
async fn wake_up_left_over_does_not_cut_the_delay_of_a_retry_short() {
    const ASKED: Duration = Duration::from_secs(20);
    let clock = FakeClock::new();
    let (down, trouble) = (at(TimeDelta::minutes(200)), at(TimeDelta::minutes(210)));
    let is_first = |batch: &Batch| batch.points().any(|point| point.at == tick(1));
    let sink = FakeSink::new(&clock, move |now, batch| {
        if now < down {
            Err(refused(403, "AccessDenied"))
        } else if now < trouble && batch.len() > 14 && !is_first(batch) {
            Err(RequestErrorKind::Rejected {
                status: 503,
                code: String::new(),
                message: String::new(),
                retry_after: Some(ASKED),
            })
        } else {
            Ok(())
        }
    });
    // During the first request of the backlog a tick comes, which then leaves at once.
    let sink = sink.slow_for(move |batch| match is_first(batch) {
        true => Duration::from_secs(70),
        false => Duration::ZERO,
    });
    let config = fourteen_every_minute(&[]);
    run_for(config, &clock, &sink, TimeDelta::minutes(220)).await;
    let puts = sink.puts();
    let failed = |put: &&Put| !put.accepted && put.at >= down;
    let failed: Vec<_> = puts.iter().filter(failed).collect();
    assert!(failed.len() > 5);
    for pair in failed.windows(2) {
        let apart = (pair[1].at - pair[0].at).to_std().unwrap();
        let a_tick_came = (200..220)
            .map(tick)
            .any(|t| pair[0].at <= t && t <= pair[1].at);
        assert!(apart >= ASKED || a_tick_came, "{pair:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn denied_access_is_asked_for_once_a_tick_and_nothing_is_lost_when_it_is_given() {
    for code in [
        "AccessDenied",
        "ExpiredToken",
        "UnrecognizedClientException",
    ] {
        let log = Capture::start();
        let clock = FakeClock::new();
        let sink = FakeSink::down_until(&clock, TimeDelta::minutes(60), refused(403, code));
        let summary = run_for(every_minute(&[]), &clock, &sink, TimeDelta::minutes(61)).await;
        assert_eq!(sink.timestamps(), ticks(1..=61), "{code}");
        assert_eq!(summary.dropped.total(), 0);
        let failed = sink.puts().iter().filter(|put| !put.accepted).count();
        assert_eq!(failed, 60, "{code}");
        let line = &log.lines("publish failed")[0];
        assert_ne!(text(line, "hint"), "", "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_that_is_denied_holds_up_no_other() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, batch| match batch.namespace().as_str() {
        "Denied" => Err(refused(403, "AccessDenied")),
        _ => Ok(()),
    })
    .slow(Duration::from_secs(2));
    let text = "* * * * * name=A value=1 namespace=Denied\n\
                * * * * * name=A value=1 namespace=Open\n";
    let config = crontab(text, &[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(10)).await;
    let accepted = sink.accepted();
    let moments: Vec<_> = accepted.iter().map(|put| put.at).collect();
    assert_eq!(moments, ticks(1..=10), "each tick leaves at once");
    assert!(accepted.iter().all(|put| put.namespace == "Open"));
    assert_eq!((summary.sent, summary.unsent), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn full_buffer_drops_the_oldest_and_counts_them() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(30), no_answer());
    let config = every_minute(&[("BUFFER_LIMIT", "10")]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(31)).await;
    assert_eq!(sink.timestamps(), ticks(22..=31));
    assert_eq!((summary.sent, summary.dropped.overflowed), (10, 21));
    let lost = log.lines("points lost");
    let count: u64 = lost
        .iter()
        .map(|line| line["points"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 21);
    assert!(text(&lost[0], "reason").contains("BUFFER_LIMIT"));
}

#[tokio::test(start_paused = true)]
async fn points_too_old_for_the_service_are_dropped_and_counted() {
    let clock = FakeClock::new();
    let outage = TimeDelta::days(15);
    let sink = FakeSink::down_until(&clock, outage, refused(403, "AccessDenied"));
    let config = every_minute(&[("SCHEDULE", "@hourly")]);
    let lasting = outage + TimeDelta::hours(1);
    let summary = run_for(config, &clock, &sink, lasting).await;

    let oldest = at(outage) - TimeDelta::hours(14 * 24 - 1);
    let timestamps = sink.timestamps();
    assert!(timestamps[0] >= oldest, "{}", timestamps[0]);
    assert!(timestamps[0] <= oldest + TimeDelta::hours(1));
    let hours = 15 * 24 + 1;
    assert_eq!(timestamps.len() as u64 + summary.dropped.expired, hours);
    assert_eq!(summary.sent, timestamps.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn rare_schedule_does_not_make_an_outage_longer() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::minutes(5), no_answer());
    let config = config(&[("SCHEDULE", "@yearly")]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(8)).await;
    assert_eq!((summary.sent, summary.unsent), (1, 0));
    assert!(sink.accepted()[0].at < at(TimeDelta::minutes(7)));
}
