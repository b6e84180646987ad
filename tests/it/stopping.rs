//! The end of a run on a paused clock, and `once`.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use cloudwatch_metric::Value;
use cw_publisher::publish::RequestErrorKind;
use cw_publisher::run::once;
use metric_source::{Readings, Sampling, Source, Tick};
use tokio::time::{Instant, sleep};

use crate::support::{
    Capture, FakeClock, FakeSink, FakeSource, at, config, crontab, no_answer, refused, run_for,
    text,
};

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_sent_once_more_when_it_stops() {
    let clock = FakeClock::new();
    // The last tick is at 570 s; nothing would be sent before 630 s.
    let sink = FakeSink::down_until(&clock, seconds(590), no_answer());
    let config = config(&[("PUBLISH_ON_START", "false")]);
    let summary = run_for(config, &clock, &sink, seconds(600)).await;
    assert_eq!((summary.sent, summary.unsent), (10, 0));
    assert_eq!(sink.accepted()[0].at, at(seconds(600)));
    assert_eq!(sink.accepted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_when_it_stops_is_told_with_its_range() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, TimeDelta::days(1), no_answer());
    let config = config(&[("PUBLISH_ON_START", "false")]);
    let began = Instant::now();
    let summary = run_for(config, &clock, &sink, seconds(600)).await;
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(600),
        "one attempt, no retries"
    );
    assert_eq!((summary.sent, summary.unsent), (0, 10));
    assert_eq!(summary.span, Some((at(seconds(30)), at(seconds(570)))));
    let stopped = log.lines("stopped");
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0]["points_unsent"], 10);
    assert_eq!(stopped[0]["unsent_from"], "2026-03-02T00:01:00Z");
    assert_eq!(stopped[0]["unsent_to"], "2026-03-02T00:10:00Z");
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_at_the_grace_whatever_the_service_does() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(())).slow(Duration::from_secs(3600));
    let began = Instant::now();
    let summary = run_for(
        config(&[("SHUTDOWN_GRACE", "3s")]),
        &clock,
        &sink,
        seconds(20),
    )
    .await;
    assert_eq!(began.elapsed(), Duration::from_secs(23));
    assert_eq!((summary.sent, summary.unsent), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn stopping_in_the_middle_of_a_retry_waits_for_no_delay() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(1), no_answer());
    let config = config(&[("RETRY_BASE", "1h"), ("RETRY_CAP", "1h")]);
    let began = Instant::now();
    let summary = run_for(config, &clock, &sink, seconds(2)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!((summary.sent, summary.unsent), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_no_jitter() {
    for lasting in [2, 600] {
        let clock = FakeClock::new();
        let sink = FakeSink::new(&clock, |_, _| Ok(()));
        let config = config(&[("SCHEDULE_JITTER", "1h"), ("SCHEDULE", "@yearly")]);
        let began = Instant::now();
        let summary = run_for(config, &clock, &sink, seconds(lasting)).await;
        assert_eq!(began.elapsed().as_secs(), lasting.unsigned_abs());
        assert_eq!((summary.sent, summary.unsent), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn idle_run_with_jitter_stops_at_once() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let config = config(&[("SCHEDULE_JITTER", "1s"), ("SCHEDULE", "@yearly")]);
    // The lane has sent its point and sleeps; what jitter remains must not hold it up.
    let (began, mut config) = (Instant::now(), config);
    config.shutdown_grace = Duration::from_secs(100);
    run_for(config, &clock, &sink, seconds(600)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn values_taken_before_the_stop_are_sent() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let mut config = config(&[("PUBLISH_ON_START", "false")]);
    // The value is there at the moment of the stop.
    config.entries[0].source = FakeSource::new(Duration::from_secs(4));
    let summary = run_for(config, &clock, &sink, seconds(34)).await;
    assert_eq!((summary.sent, summary.unsent), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn once_sends_everything_with_the_usual_retries() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(1), no_answer());
    let lines: String = (0..1500)
        .map(|i| format!("@yearly name=M{i} value=1\n"))
        .collect();
    let config = crontab(&lines, &[("RETRY_MAX", "100")]);
    let never = std::future::pending();
    let summary = once(config, sink.clone(), clock, never).await.unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    assert_eq!(summary.sent, 1500);
    let sizes: Vec<_> = sink.accepted().iter().map(|put| put.points.len()).collect();
    assert_eq!(sizes, [1000, 500]);
}

#[tokio::test(start_paused = true)]
async fn once_is_incomplete_if_a_point_is_held_refused_or_not_sampled() {
    let ways: [(RequestErrorKind, &str); 2] = [
        (no_answer(), "held"),
        (refused(400, "InvalidParameterValue"), "refused"),
    ];
    for (kind, way) in ways {
        let clock = FakeClock::new();
        let sink = FakeSink::down_until(&clock, TimeDelta::days(1), kind);
        let summary = once(config(&[]), sink.clone(), clock, std::future::pending());
        let summary = summary.await.unwrap();
        assert!(!summary.is_complete(), "{way}");
        let (held, refused) = (summary.unsent, summary.dropped.refused);
        assert_eq!((held, refused), if way == "held" { (1, 0) } else { (0, 1) });
        assert_eq!(sink.puts().len(), if way == "held" { 4 } else { 1 });
    }
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let mut slow = config(&[]);
    slow.entries[0].source = FakeSource::new(Duration::from_secs(3600));
    let summary = once(slow, sink, clock, std::future::pending())
        .await
        .unwrap();
    assert!(!summary.is_complete());
    assert_eq!(summary.failed_samples, 1);
}

/// A counter at its first reading.
#[derive(Debug)]
struct Silent;

impl Source for Silent {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(Readings::default()) })
    }
}

#[tokio::test(start_paused = true)]
async fn once_tells_of_what_has_no_value_yet() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let mut config = crontab("@daily name=A value=1\n@daily name=B value=1\n", &[]);
    config.entries[1].source = Arc::new(Silent);
    let summary = once(config, sink, clock, std::future::pending()).await;
    assert_eq!(summary.unwrap().sent, 1);
    let told = log.lines("source gave no value");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(text(&told[0], "metric"), "CustomMetrics/B");
}

/// One good value among twelve bad ones.
#[derive(Debug)]
struct MostlyBad;

impl Source for MostlyBad {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async {
            let mut readings = Readings::from(Value::try_from(1.0)?);
            readings.problems = (0..12).map(|i| format!("bad {i}").into()).collect();
            Ok(readings)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn bad_values_of_a_source_are_told_up_to_ten_and_all_counted() {
    let log = Capture::start();
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let mut config = config(&[]);
    config.entries[0].source = Arc::new(MostlyBad);
    let summary = once(config, sink, clock, std::future::pending()).await;
    let summary = summary.unwrap();
    assert_eq!((summary.sent, summary.failed_samples), (1, 12));
    let told = log.lines("source gave a bad value");
    let errors: Vec<_> = told.iter().map(|line| text(line, "error")).collect();
    let expected: Vec<_> = (0..10).map(|i| format!("bad {i}")).collect();
    assert_eq!(errors, expected);
}

#[tokio::test(start_paused = true)]
async fn once_that_is_stopped_in_a_retry_sends_once_more() {
    let clock = FakeClock::new();
    let sink = FakeSink::down_until(&clock, seconds(1), no_answer());
    let config = config(&[("RETRY_BASE", "1h"), ("RETRY_CAP", "1h")]);
    let began = Instant::now();
    let stop = sleep(Duration::from_secs(2));
    let summary = once(config, sink, clock, stop).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!((summary.sent, summary.unsent), (1, 0));
}
