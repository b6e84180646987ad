//! Points that the service refuses for what nobody knows, on a paused clock: what they
//! hold up, when they are tried, and how they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cw_publisher::outbox::Batch;
use cw_publisher::publish::RequestErrorKind;
use proptest::prelude::*;

use crate::support::{
    Capture, FakeClock, FakeSink, at, config, crontab, no_answer, refused, run_for, text,
};

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

fn unknown() -> RequestErrorKind {
    refused(400, "SomethingNew")
}

fn holds(batch: &Batch, name: &str) -> bool {
    batch
        .points()
        .any(|point| point.metric.name.as_str() == name)
}

/// The moments of a metric's accepted points, sorted.
fn moments(sink: &FakeSink, name: &str) -> Vec<DateTime<Utc>> {
    let accepted = sink.accepted();
    let points = accepted.iter().flat_map(|put| &put.points);
    let points = points.filter(|point| point.metric.name.as_str() == name);
    let mut moments: Vec<_> = points.map(|point| point.at).collect();
    moments.sort_unstable();
    moments
}

/// Good metrics G0 and on, and one of the name Bad, each on this schedule.
fn good_and_bad(good: usize, schedule: &str) -> String {
    let good = (0..good).map(|i| format!("{schedule} name=G{i} value={i}\n"));
    good.collect::<String>() + &format!("{schedule} name=Bad value=1\n")
}

/// An outage first, then the metric Bad is refused for what nobody knows at every tick:
/// all good points arrive, those of the outage too.
async fn keeps_nothing_else_from_moving(schedule: &str, good: usize, latency: Duration) {
    let clock = FakeClock::new();
    let down = at(minutes(4));
    let sink = FakeSink::new(&clock, move |now, batch| match now < down {
        true => Err(no_answer()),
        false if holds(batch, "Bad") => Err(unknown()),
        false => Ok(()),
    })
    .slow(latency);
    let config = crontab(
        &good_and_bad(good, schedule),
        &[("PUBLISH_ON_START", "false")],
    );
    let summary = run_for(config, &clock, &sink, minutes(12)).await;

    let row = format!("{schedule}, {good}, {latency:?}");
    let sampled = (summary.sent as usize + summary.unsent) / (good + 1);
    // The last ticks may be under way.
    let lag = sampled / 20;
    for metric in 0..good {
        let arrived = moments(&sink, &format!("G{metric}")).len();
        assert!(arrived + lag >= sampled, "{row}: {arrived} of {sampled}");
    }
    assert!(moments(&sink, "Bad").is_empty(), "{row}");
    assert_eq!(summary.dropped.total(), 0, "{row}");
}

#[tokio::test(start_paused = true)]
async fn unknown_point_at_every_tick_keeps_neither_the_backlog_nor_later_ticks_from_moving() {
    keeps_nothing_else_from_moving("* * * * *", 3, Duration::ZERO).await;
    keeps_nothing_else_from_moving("* * * * *", 1, Duration::from_secs(2)).await;
    keeps_nothing_else_from_moving("* * * * * *", 1, Duration::ZERO).await;
    keeps_nothing_else_from_moving("* * * * * *", 7, Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn tick_of_one_unknown_point_keeps_the_backlog_of_others_from_nothing() {
    let clock = FakeClock::new();
    let down = at(minutes(10));
    let sink = FakeSink::new(&clock, move |now, batch| match now < down {
        true => Err(no_answer()),
        false if holds(batch, "Bad") => Err(unknown()),
        false => Ok(()),
    });
    // The good one has no tick after the outage: it is backlog alone.
    let text = "0-9 0 * * * name=Good value=1\n* * * * * name=Bad value=1\n";
    let config = crontab(text, &[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, minutes(15)).await;
    assert_eq!(moments(&sink, "Good").len(), 9);
    assert_eq!((summary.sent, summary.dropped.total()), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn backlog_behind_a_thousand_unknown_points_arrives() {
    let clock = FakeClock::new();
    // All points of the first hour are refused as a whole, whoever they are with.
    let (down, up) = (at(minutes(60)), at(minutes(120)));
    let sink = FakeSink::new(&clock, move |now, batch| match now < up {
        true => Err(no_answer()),
        false if batch.points().any(|point| point.at < down) => Err(unknown()),
        false => Ok(()),
    });
    let lines: String = (0..20)
        .map(|i| format!("* * * * * name=M{i} value={i}\n"))
        .collect();
    let config = crontab(&lines, &[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, minutes(180)).await;
    assert_eq!(summary.sent, 20 * 120, "all but those of the first hour");
    assert_eq!((summary.unsent, summary.dropped.total()), (20 * 60, 0));
}

#[tokio::test(start_paused = true)]
async fn parked_point_is_told_once_tried_once_an_hour_and_arrives_when_it_is_taken() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let (first, healed) = (at(TimeDelta::seconds(30)), at(minutes(200)));
    let sink = FakeSink::new(&clock, move |now, batch| {
        let is_stuck = batch
            .points()
            .any(|point| point.at == first && point.metric.name.as_str() == "Bad");
        if is_stuck && now < healed {
            Err(unknown())
        } else {
            Ok(())
        }
    });
    let config = crontab(
        &good_and_bad(7, "* * * * *"),
        &[("PUBLISH_ON_START", "false")],
    );
    let summary = run_for(config, &clock, &sink, minutes(300)).await;

    let puts = sink.puts();
    let refused = puts.iter().filter(|put| !put.accepted);
    let (search, tries): (Vec<_>, Vec<_>) = refused
        .map(|put| put.at - first)
        .partition(|after| *after < minutes(1));
    assert!(search.len() <= 4 + 8, "{search:?}");
    let on_the_hour: Vec<_> = tries.iter().map(|after| after.num_minutes()).collect();
    assert_eq!(on_the_hour, [60, 120, 180]);
    assert_eq!((summary.sent, summary.unsent), (300 * 8, 0));

    let parked = log.lines("point parked");
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(text(&parked[0], "metric"), "CustomMetrics/Bad");
    assert_eq!(text(&parked[0], "code"), "400 SomethingNew");
    let next_try = text(&parked[0], "next_try");
    // The retries of the search took some seconds.
    assert!(next_try.starts_with("2026-03-02T01:01:0"), "{next_try}");
    assert_eq!(log.lines("publish failed").len(), 0);
    assert_eq!(log.lines("publish attempt failed, retrying").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn parked_point_that_is_refused_otherwise_is_told_of_again_and_dropped_if_it_is_bad() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let (other, bad) = (at(minutes(90)), at(minutes(150)));
    let sink = FakeSink::new(&clock, move |now, batch| {
        if !holds(batch, "Bad") {
            Ok(())
        } else if now < other {
            Err(unknown())
        } else if now < bad {
            Err(refused(404, "SomethingElse"))
        } else {
            Err(refused(400, "InvalidParameterValue"))
        }
    });
    let text_of = "* * * * * name=Good value=1\n1 0 * * * name=Bad value=1\n";
    let config = crontab(text_of, &[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, minutes(300)).await;
    let codes: Vec<_> = log.lines("point parked");
    let codes: Vec<_> = codes.iter().map(|line| text(line, "code")).collect();
    assert_eq!(codes, ["400 SomethingNew", "404 SomethingElse"]);
    assert_eq!(log.lines("point rejected and dropped").len(), 1);
    assert_eq!((summary.dropped.refused, summary.unsent), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn parked_point_is_lost_to_its_age_alone() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, batch| match holds(batch, "Bad") {
        true => Err(unknown()),
        false => Ok(()),
    });
    let text = "0 * * * * name=Good value=1\n0 1 2 3 * name=Bad value=1\n";
    let config = crontab(text, &[("PUBLISH_ON_START", "false")]);
    let day = |days: i64, hours: i64| TimeDelta::days(days) + TimeDelta::hours(hours);
    let before = run_for(config, &clock, &sink, day(14, -1)).await;
    assert_eq!((before.unsent, before.dropped.total()), (1, 0));

    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, batch| match holds(batch, "Bad") {
        true => Err(unknown()),
        false => Ok(()),
    });
    let config = crontab(text, &[("PUBLISH_ON_START", "false")]);
    let after = run_for(config, &clock, &sink, day(14, 3)).await;
    assert_eq!((after.unsent, after.dropped.expired), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn refusal_of_everything_for_what_nobody_knows_is_an_outage_that_loses_and_parks_nothing() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, minutes(60), refused(403, ""));
    let config = config(&[("METRIC_VALUE", "timestamp"), ("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, minutes(62)).await;
    assert_eq!((summary.sent, summary.unsent), (62, 0));
    assert_eq!(log.lines("point parked").len(), 0);
    assert_eq!(log.lines("publish failed").len(), 60, "one for each tick");
    let recovered = sink.accepted().last().unwrap().at - at(minutes(60));
    assert!(recovered < minutes(2), "{recovered}");
}

#[tokio::test(start_paused = true)]
async fn unknown_point_that_is_alone_in_its_tick_is_parked_once_others_were_taken() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, batch| match holds(batch, "Bad") {
        true => Err(unknown()),
        false => Ok(()),
    });
    let text = "0 0 * * * name=Before value=1\n\
                1-59/4 0 * * * name=Bad value=1\n3-59/4 0 * * * name=Good value=1\n";
    let config = crontab(text, &[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, minutes(59)).await;
    assert_eq!(moments(&sink, "Good").len(), 15);
    assert_eq!((summary.unsent, summary.dropped.total()), (15, 0));
    assert_eq!(log.lines("point parked").len(), 15);
    let refused = sink.puts().iter().filter(|put| !put.accepted).count();
    // With its retries when it comes, and once more when another was taken.
    assert!(refused <= 15 * 6, "{refused}");
}

/// What a metric's points are to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Bad,
    Unknown,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever metrics the service refuses, and for whatever reason: each point of the
    /// others arrives once, the bad ones are dropped, and the unknown ones stay.
    #[test]
    fn every_point_gets_what_is_due_to_it(
        kinds in proptest::collection::vec(
            prop_oneof![
                6 => Just(Kind::Good), 1 => Just(Kind::Bad), 1 => Just(Kind::Unknown),
            ],
            1..40,
        ),
        names in any::<bool>(),
        outage in 0_i64..4,
    ) {
        const TICKS: i64 = 6;
        // Without any, the service may be at fault.
        let mut kinds = kinds;
        kinds.insert(0, Kind::Good);
        let lines = (0..kinds.len()).map(|i| format!("* * * * * name=M{i} value={i}\n"));
        let lines: String = lines.collect();
        let seen = kinds.clone();
        let down = at(minutes(outage));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (summary, sink) = runtime.block_on(async {
            let clock = FakeClock::new();
            let sink = FakeSink::new(&clock, move |now, batch| {
                if now < down {
                    return Err(no_answer());
                }
                for (position, point) in batch.points().enumerate() {
                    let kind = seen[point.value.get() as usize];
                    let code = match kind {
                        Kind::Good => continue,
                        Kind::Bad => "InvalidParameterValue",
                        Kind::Unknown => "SomethingNew",
                    };
                    let member = format!("MetricData.member.{}.Value", position + 1);
                    return Err(RequestErrorKind::Rejected {
                        status: 400,
                        code: code.to_owned(),
                        message: if names { member } else { String::new() },
                        retry_after: None,
                    });
                }
                Ok(())
            });
            let config = crontab(&lines, &[("PUBLISH_ON_START", "false")]);
            let summary = run_for(config, &clock, &sink, minutes(TICKS)).await;
            (summary, sink)
        });
        let count = |kind| kinds.iter().filter(|k| **k == kind).count() as i64 * TICKS;
        let accepted = sink.accepted();
        let arrived: BTreeSet<_> = accepted
            .iter()
            .flat_map(|put| &put.points)
            .map(|point| (point.value.get() as usize, point.at))
            .collect();
        prop_assert!(arrived.iter().all(|(metric, _)| kinds[*metric] == Kind::Good));
        prop_assert_eq!(arrived.len() as i64, count(Kind::Good));
        prop_assert_eq!(summary.sent as i64, count(Kind::Good), "each once");
        prop_assert_eq!(summary.dropped.refused as i64, count(Kind::Bad));
        prop_assert_eq!(summary.unsent as i64, count(Kind::Unknown));
        let bad = (count(Kind::Bad) + count(Kind::Unknown)) as f64;
        let retries = 4 * (TICKS + outage) as usize;
        let bound = 2.0 * bad * ((kinds.len() as i64 * TICKS) as f64).log2().ceil();
        let bound = bound as usize + 3 * (TICKS as usize) + retries;
        prop_assert!(sink.puts().len() <= bound, "{} > {bound}", sink.puts().len());
    }
}
