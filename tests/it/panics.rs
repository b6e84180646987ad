//! Defects, and what they cost: a panic ends neither the run nor what it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use metric_source::{Sampling, Source, Tick};

use crate::support::{FakeClock, FakeSink, at, config, crontab, run_for};

/// A defect, for the test of what it costs.
#[derive(Debug)]
struct Panicking;

impl Source for Panicking {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        panic!("on purpose")
    }
}

#[tokio::test(start_paused = true)]
async fn source_that_panics_costs_only_its_own_points() {
    let clock = FakeClock::new();
    let sink = FakeSink::new(&clock, |_, _| Ok(()));
    let lines = "* * * * * name=A value=1\n* * * * * name=B value=2\n";
    let mut config = crontab(lines, &[("PUBLISH_ON_START", "false")]);
    config.entries[0].source = Arc::new(Panicking);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(3)).await;
    let points = sink.accepted().into_iter().flat_map(|put| put.points);
    let names: Vec<_> = points.map(|point| point.metric.name.to_string()).collect();
    assert_eq!(names, ["B", "B", "B"]);
    assert_eq!(summary.failed_samples, 3);
}

#[tokio::test(start_paused = true)]
async fn points_that_a_panic_left_unsent_go_out_at_the_next_beat() {
    let clock = FakeClock::new();
    let panicked = AtomicBool::new(false);
    let sink = FakeSink::new(&clock, move |_, _| {
        assert!(panicked.swap(true, Ordering::Relaxed), "on purpose");
        Ok(())
    });
    let config = config(&[("SCHEDULE", "@yearly")]);
    let summary = run_for(config, &clock, &sink, TimeDelta::minutes(2)).await;
    assert_eq!((summary.sent, summary.unsent), (1, 0));
    assert_eq!(sink.accepted()[0].at, at(TimeDelta::seconds(30)));
}
