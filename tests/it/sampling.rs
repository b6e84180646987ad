//! Ticks on a paused clock: when values are taken, and what is late or missed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatch_metric::Value;
use cw_publisher::clock::Clock;
use cw_publisher::config::Config;
use cw_publisher::health::{Condition, Report};
use cw_publisher::run::{Summary, run};
use metric_source::{Reading, Sampling, Source, Tick};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::support::{
    Capture, FakeClock, FakeSink, FakeSource, Put, at, config, controls, crontab, no_answer,
    refused, run_for, text,
};

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

/// A configuration whose first source is this one.
fn with_source(mut config: Config, source: &Arc<FakeSource>) -> Config {
    config.entries[0].source = source.clone();
    config
}

fn accepts(clock: &FakeClock) -> FakeSink {
    FakeSink::new(clock, |_, _| Ok(()))
}

#[tokio::test(start_paused = true)]
async fn retries_do_not_delay_the_sampling_of_a_tick() {
    let (began, clock) = (Instant::now(), FakeClock::new());
    let sink =
        FakeSink::down_until(&clock, seconds(3600), no_answer()).slow(Duration::from_secs(70));
    let source = FakeSource::new(Duration::ZERO);
    let config = with_source(config(&[("PUBLISH_ON_START", "false")]), &source);
    run_for(config, &clock, &sink, seconds(600)).await;
    let asked = source.asked();
    assert_eq!(asked.len(), 10);
    for (instant, tick) in asked {
        assert_eq!(at(TimeDelta::from_std(instant - began).unwrap()), tick);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_source_delays_no_tick_beyond_its_time_out_and_is_never_asked_twice_at_a_time() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let source = FakeSource::new(Duration::from_secs(3600));
    let text = "* * * * * * name=Slow value=1\n* * * * * * name=Quick value=1\n";
    let variables = [("PUBLISH_ON_START", "false"), ("SOURCE_TIMEOUT", "3s")];
    let config = with_source(crontab(text, &variables), &source);
    let summary = run_for(config, &clock, &sink, seconds(30)).await;

    let accepted = sink.accepted();
    let points = || accepted.iter().flat_map(|put| &put.points);
    assert!(points().all(|point| point.metric.name.as_str() == "Quick"));
    for put in &accepted {
        for point in &put.points {
            assert!(put.at - point.at <= seconds(3), "{put:?}");
        }
    }
    // The tick of the last seconds may be under way.
    assert!(points().count() >= 26, "{}", points().count());
    assert_eq!(source.overlaps(), 0);
    assert!(source.asked().len() >= 7);
    assert!(summary.failed_samples >= 26);
    assert!(!log.lines("source timed out").is_empty());
}

/// Runs for so long; gives what is told of the run just before its end, and what it did.
async fn report_after(
    config: Config,
    clock: &FakeClock,
    sink: &FakeSink,
    duration: Duration,
) -> (Report, Summary) {
    let (_reload, reloaded) = mpsc::channel(1);
    let controls = controls(duration, reloaded);
    let status = controls.status.clone();
    let report = async {
        sleep(duration - Duration::from_secs(1)).await;
        status.report(clock.now())
    };
    let (report, ended) = tokio::join!(report, run(config, sink.clone(), clock.clone(), controls));
    (report, ended.unwrap())
}

/// Two metrics, the first of which takes four seconds.
fn slow_and_quick(variables: &[(&str, &str)]) -> Config {
    let text = "* * * * * name=Slow value=1\n* * * * * name=Quick value=1\n";
    let variables = [&[("PUBLISH_ON_START", "false")], variables].concat();
    let source = FakeSource::new(Duration::from_secs(4));
    with_source(crontab(text, &variables), &source)
}

#[tokio::test(start_paused = true)]
async fn slow_source_holds_up_no_other_point_of_its_tick() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    run_for(slow_and_quick(&[]), &clock, &sink, seconds(100)).await;
    let arrived = |put: &Put| {
        let names = put.points.iter().map(|point| point.metric.name.to_string());
        let late = put.points.iter().map(|point| put.at - point.at);
        names.zip(late).collect::<Vec<_>>()
    };
    let arrived: Vec<_> = sink.accepted().iter().map(arrived).collect();
    let quick = vec![("Quick".to_owned(), seconds(1))];
    let slow = vec![("Slow".to_owned(), seconds(4))];
    assert_eq!(arrived, [quick.clone(), slow.clone(), quick, slow]);
}

#[tokio::test(start_paused = true)]
async fn outage_costs_a_tick_in_two_parts_no_more_requests() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(3600), no_answer());
    let config = slow_and_quick(&[("RETRY_BASE", "10s"), ("RETRY_CAP", "10s")]);
    run_for(config, &clock, &sink, seconds(30 * 60)).await;
    // Of 30 ticks, in some of which the retries may be spent when the second part comes.
    let failed = log.lines("publish failed").len();
    assert!((30..40).contains(&failed), "{failed}");
    let requests = sink.puts().len();
    assert!((4 * 30..4 * 40).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn stop_sends_the_values_that_are_there_and_waits_for_no_slow_source() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let config = slow_and_quick(&[("SHUTDOWN_GRACE", "2s")]);
    let (log, began) = (Capture::start(), Instant::now());
    let summary = run_for(config, &clock, &sink, TimeDelta::milliseconds(30_200)).await;
    assert_eq!((summary.sent, summary.failed_samples), (1, 1));
    assert_eq!(began.elapsed(), Duration::from_millis(30_700));
    let cut_off = log.lines("source cut off by shutdown");
    assert_eq!(cut_off.len(), 1, "{cut_off:?}");
    assert_eq!(text(&cut_off[0], "metric"), "CustomMetrics/Slow");
}

#[tokio::test(start_paused = true)]
async fn values_that_cannot_be_had_are_counted_while_none_can() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let config = config(&[("METRIC_VALUE", "file:/proc/none")]);
    let (report, summary) = report_after(config, &clock, &sink, Duration::from_secs(200)).await;
    // The first at once, then at 30, 90 and 150 s; the last is told with the next tick of the clock.
    assert_eq!((summary.failed_samples, report.failed_samples), (4, 3));
}

#[tokio::test(start_paused = true)]
async fn tick_that_fails_in_two_parts_fails_once() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(3600), no_answer());
    let config = slow_and_quick(&[("RETRY_MAX", "0")]);
    let (report, _) = report_after(config, &clock, &sink, Duration::from_secs(100)).await;
    let counts: Vec<_> = report.failures.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [2]);
}

#[tokio::test(start_paused = true)]
async fn ticks_missed_in_sleep_are_told_in_one_line_and_not_made_up() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let sleeping = async {
        sleep(Duration::from_secs(100)).await;
        clock.jump(TimeDelta::minutes(10));
    };
    let config = config(&[("PUBLISH_ON_START", "false")]);
    tokio::join!(run_for(config, &clock, &sink, seconds(200)), sleeping);

    // Ticks at 30 s and 90 s; then 100 s become 700 s; the tick of 150 s comes at 750 s.
    let expected = [30, 90, 750].map(|after| at(seconds(after)));
    assert_eq!(sink.timestamps(), expected);
    let missed = log.lines("ticks missed");
    assert_eq!(missed.len(), 1, "{missed:?}");
    assert_eq!(missed[0]["ticks"], 10);
    assert_eq!(text(&missed[0], "missed_from"), "2026-03-02T00:03:00Z");
    assert_eq!(text(&missed[0], "missed_to"), "2026-03-02T00:12:00Z");
}

#[tokio::test(start_paused = true)]
async fn ticks_that_pass_before_the_credentials_are_there_are_told() {
    for (publish_on_start, first) in [("true", 215), ("false", 210)] {
        let log = Capture::start();
        let clock = FakeClock::new();
        let sink = accepts(&clock).ready_after(Duration::from_secs(215));
        let config = config(&[("PUBLISH_ON_START", publish_on_start)]);
        run_for(config, &clock, &sink, seconds(300)).await;
        // Ticks at 30, 90, 150 and 210 s; the last is young enough.
        let expected = [first, 270].map(|after| at(seconds(after)));
        assert_eq!(sink.timestamps(), expected);
        let missed = log.lines("ticks missed");
        assert_eq!(missed.len(), 1, "{missed:?}");
        assert_eq!(missed[0]["ticks"], 3);
    }
}

#[tokio::test(start_paused = true)]
async fn first_point_comes_at_once_if_it_is_asked_for() {
    for (publish_on_start, expected) in [("true", vec![at(seconds(0))]), ("false", vec![])] {
        let clock = FakeClock::new();
        let sink = accepts(&clock);
        let variables = [
            ("PUBLISH_ON_START", publish_on_start),
            ("SCHEDULE", "@yearly"),
        ];
        run_for(config(&variables), &clock, &sink, seconds(300)).await;
        assert_eq!(sink.timestamps(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_delays_sending_and_leaves_timestamps() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let variables = [("PUBLISH_ON_START", "false"), ("SCHEDULE_JITTER", "20s")];
    run_for(config(&variables), &clock, &sink, seconds(20 * 60)).await;
    let accepted = sink.accepted();
    let delays: Vec<_> = accepted.iter().map(|put| put.at - put.newest).collect();
    assert_eq!(delays.len(), 20);
    assert!(delays.iter().all(|delay| *delay <= seconds(20)));
    assert!(delays.iter().any(|delay| *delay > seconds(5)), "{delays:?}");
    let expected: Vec<_> = (0..20).map(|i| at(seconds(30 + 60 * i))).collect();
    assert_eq!(sink.timestamps(), expected);
}

/// Runs for a minute and a half, with new entries after so many seconds; gives what is told of
/// the run just before its end.
async fn reload_after(
    config: Config,
    reloaded: Config,
    after: u64,
    clock: &FakeClock,
    sink: &FakeSink,
) -> Report {
    let (entries, reload) = mpsc::channel(1);
    let controls = controls(Duration::from_secs(95), reload);
    let status = controls.status.clone();
    let reloading = async {
        sleep(Duration::from_secs(after)).await;
        entries.send(reloaded.entries).await.unwrap();
        sleep(Duration::from_secs(94 - after)).await;
        status.report(clock.now())
    };
    let running = run(config, sink.clone(), clock.clone(), controls);
    let (summary, report) = tokio::join!(running, reloading);
    summary.unwrap();
    report
}

#[tokio::test(start_paused = true)]
async fn failures_of_a_namespace_that_a_reload_removed_are_forgotten() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(3600), no_answer());
    let variables = [("PUBLISH_ON_START", "false"), ("RETRY_MAX", "0")];
    let of = |namespace| {
        let line = format!("* * * * * name=A value=1 namespace={namespace}");
        crontab(&line, &variables)
    };
    let report = reload_after(of("Old"), of("New"), 40, &clock, &sink).await;
    let failed = report
        .failures
        .iter()
        .map(|(name, count)| (name.as_str(), *count));
    assert_eq!(failed.collect::<Vec<_>>(), [("New", 1)]);
}

#[tokio::test(start_paused = true)]
async fn failure_of_a_namespace_that_a_reload_removed_does_not_come_back() {
    let clock = FakeClock::new();
    // The request of the first tick is under way when its namespace is removed.
    let sink =
        FakeSink::down_until(&clock, seconds(3600), no_answer()).slow(Duration::from_secs(30));
    let variables = [("PUBLISH_ON_START", "false"), ("RETRY_MAX", "0")];
    let of = |namespace| {
        let line = format!("* * * * * name=A value=1 namespace={namespace}");
        crontab(&line, &variables)
    };
    let report = reload_after(of("Old"), of("New"), 40, &clock, &sink).await;
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!(report.held, 2, "its points are still held");
}

#[tokio::test(start_paused = true)]
async fn senders_of_namespaces_that_reloads_removed_end_when_their_points_are_gone() {
    let reloads = 500;
    let clock = FakeClock::new();
    let down = at(seconds(60 * (reloads / 2)));
    let sink = FakeSink::new(&clock, move |now, _| match now < down {
        true => Err(refused(403, "AccessDenied")),
        false => Ok(()),
    });
    let variables = [("PUBLISH_ON_START", "false")];
    let of = |number| {
        let line = format!("* * * * * name=A value=1 namespace=N{number}");
        crontab(&line, &variables)
    };
    let (entries, reload) = mpsc::channel(1);
    let lasting = Duration::from_secs(60 * (reloads as u64 + 3));
    let running = run(
        of(0),
        sink.clone(),
        clock.clone(),
        controls(lasting, reload),
    );
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let reloading = async {
        for number in 1..=reloads {
            sleep(Duration::from_secs(60)).await;
            entries.send(of(number).entries).await.unwrap();
        }
        sleep(Duration::from_secs(120)).await;
        tasks()
    };
    let (summary, alive) = tokio::join!(running, reloading);
    let summary = summary.unwrap();
    assert!(alive <= 3, "{alive} tasks");
    // What was held for a namespace arrived in it, though that is published in no more.
    let accepted = sink.accepted();
    let namespaces: HashSet<_> = accepted.iter().map(|put| &put.namespace).collect();
    assert_eq!(namespaces.len() as i64, reloads + 1);
    assert_eq!((summary.unsent, summary.dropped.total()), (0, 0));
}

/// Gives what it was made with, at every tick.
#[derive(Debug)]
struct Gives(Result<usize, &'static str>);

impl Source for Gives {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async {
            let value = Reading::from(Value::try_from(1.0)?);
            Ok(vec![value; self.0?].into())
        })
    }
}

/// The health after four ticks of these sources, each of a metric of one namespace.
async fn health_of(sources: Vec<Arc<dyn Source>>) -> Condition {
    let clock = FakeClock::new();
    let lines = (0..sources.len()).map(|i| format!("* * * * * name=M{i} value=1\n"));
    let lines: String = lines.collect();
    let mut config = crontab(&lines, &[("PUBLISH_ON_START", "false")]);
    for (entry, source) in config.entries.iter_mut().zip(sources) {
        entry.source = source;
    }
    let sink = accepts(&clock);
    let (report, _) = report_after(config, &clock, &sink, Duration::from_secs(230)).await;
    report.condition
}

#[tokio::test(start_paused = true)]
async fn tick_without_a_point_is_a_failed_one_if_a_source_failed() {
    let fails = || Arc::new(Gives(Err("no such file"))) as Arc<dyn Source>;
    let gives = |points| Arc::new(Gives(Ok(points))) as Arc<dyn Source>;
    let late: Arc<dyn Source> = FakeSource::new(Duration::from_secs(6));
    let rows: [(Vec<Arc<dyn Source>>, &str); 6] = [
        (vec![fails()], "source of M0: no such file"),
        (vec![fails(), fails()], "(and 1 more)"),
        (vec![late], "source of M0: no value within 5000 ms"),
        // A counter has no increase before its second reading.
        (vec![gives(0), fails()], "source of M1: no such file"),
        (vec![gives(0)], ""),
        (vec![fails(), gives(1)], ""),
    ];
    for (number, (sources, why)) in rows.into_iter().enumerate() {
        match health_of(sources).await {
            Condition::Unhealthy(reason) => {
                assert!(
                    !why.is_empty() && reason.contains(why),
                    "{number}: {reason}"
                );
                let ticks = "ticks of namespace CustomMetrics failed: ";
                assert!(reason.contains(ticks), "{reason}");
            }
            good => assert!(why.is_empty(), "{number}: {good}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reload_keeps_the_source_of_an_unchanged_entry_and_takes_its_new_schedule() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let (old, new) = (
        FakeSource::new(Duration::ZERO),
        FakeSource::new(Duration::ZERO),
    );
    let variables = [("PUBLISH_ON_START", "false")];
    let before = with_source(crontab("* * * * * name=A value=1", &variables), &old);
    let after = with_source(crontab("*/2 * * * * name=A value=1", &variables), &new);
    reload_after(before, after, 40, &clock, &sink).await;
    let ticks: Vec<DateTime<Utc>> = old.asked().iter().map(|(_, tick)| *tick).collect();
    assert_eq!(ticks, [at(seconds(30)), at(seconds(90))]);
    assert!(new.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn reload_gives_a_changed_entry_a_source_of_its_own() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let (old, new) = (
        FakeSource::new(Duration::ZERO),
        FakeSource::new(Duration::ZERO),
    );
    let variables = [("PUBLISH_ON_START", "false")];
    let before = with_source(crontab("* * * * * name=A value=1", &variables), &old);
    let after = with_source(crontab("* * * * * name=A value=2", &variables), &new);
    reload_after(before, after, 40, &clock, &sink).await;
    assert_eq!((old.asked().len(), new.asked().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn reload_to_seconds_makes_up_for_nothing_and_misses_nothing() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let variables = [("PUBLISH_ON_START", "false")];
    let before = crontab("* * * * * name=A value=1", &variables);
    let after = crontab("* * * * * * name=B value=1", &variables);
    reload_after(before, after, 60, &clock, &sink).await;
    let accepted = sink.accepted();
    let of_b = accepted.iter().flat_map(|put| &put.points);
    let of_b: Vec<_> = of_b
        .filter(|point| point.metric.name.as_str() == "B")
        .map(|point| point.at)
        .collect();
    let expected: Vec<_> = (61..95).map(|after| at(seconds(after))).collect();
    // Both ends fall together with other events, in either order.
    assert!(of_b.first() >= expected.first(), "{:?}", of_b.first());
    assert!(of_b.len() >= expected.len(), "{of_b:?}");
    assert!(log.lines("ticks missed").is_empty());
}

#[tokio::test(start_paused = true)]
async fn reload_forgets_the_failures_of_a_namespace_that_is_gone_and_of_no_other() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(3600), no_answer());
    let variables = [("PUBLISH_ON_START", "false"), ("RETRY_MAX", "0")];
    let line = |namespace| format!("* * * * * name=A value=1 namespace={namespace}\n");
    let before = crontab(&(line("Gone") + &line("Kept")), &variables);
    let after = crontab(&line("Kept"), &variables);
    let (entries, reload) = mpsc::channel(1);
    let controls = controls(Duration::from_secs(60), reload);
    let status = controls.status.clone();
    let reloading = async {
        sleep(Duration::from_secs(40)).await;
        entries.send(after.entries).await.unwrap();
        sleep(Duration::from_secs(10)).await;
        status.report(clock.now()).failures
    };
    let running = run(before, sink, clock.clone(), controls);
    let (ended, failures) = tokio::join!(running, reloading);
    ended.unwrap();
    assert_eq!(failures, [("Kept".parse().unwrap(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn points_due_together_leave_in_one_request_for_each_namespace() {
    let clock = FakeClock::new();
    let sink = accepts(&clock);
    let lines: String = (0..1200)
        .map(|i| {
            let namespace = if i % 2 == 0 { "Even" } else { "Odd" };
            format!("* * * * * name=M{i} value={i} namespace={namespace}\n")
        })
        .collect();
    let config = crontab(&lines, &[("PUBLISH_ON_START", "false")]);
    run_for(config, &clock, &sink, seconds(60)).await;
    let accepted = sink.accepted();
    let mut requests: Vec<_> = accepted
        .iter()
        .map(|put| (put.namespace.as_str(), put.points.len()))
        .collect();
    requests.sort_unstable();
    assert_eq!(requests, [("Even", 600), ("Odd", 600)]);
}
