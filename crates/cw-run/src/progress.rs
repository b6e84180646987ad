//! A line on a terminal that says how far shipping is.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::now_ms;
use crate::job::{Format, Job};
use crate::ship::{Summary, Tally};

const EVERY: Duration = Duration::from_secs(1);

/// Shows the line until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress(JoinHandle<()>);

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abort();
        let _ = write!(io::stderr(), "\x1b[K");
    }
}

/// Begins to show it, if there is a terminal that shows text.
pub(crate) fn show(job: &Job, tally: &Arc<Tally>) -> Option<Progress> {
    if job.output.log_format == Format::Json || !io::stderr().is_terminal() {
        return None;
    }
    let tally = tally.clone();
    Some(Progress(tokio::spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let text = line(&tally.summary(), now_ms());
            // The cursor goes back to the front: a line of the log writes over this one. A terminal
            // that was stopped holds up this line alone.
            let write = move || write!(io::stderr(), "{text}\x1b[K\r");
            let _ = spawn_blocking(write).await;
        }
    })))
}

fn line(summary: &Summary, now: i64) -> String {
    let lag = summary.oldest.map_or(0, |oldest| (now - oldest).max(0));
    let bytes = summary.bytes as f64 / 1e6;
    format!(
        "{} lines, {bytes:.1} MB shipped, {:.1} s behind",
        summary.lines,
        lag as f64 / 1e3
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_says_how_far_it_is_behind() {
        let summary = Summary {
            lines: 1200,
            bytes: 3_400_000,
            oldest: Some(8_500),
            ..Summary::default()
        };
        assert_eq!(
            line(&summary, 10_000),
            "1200 lines, 3.4 MB shipped, 1.5 s behind"
        );
        assert_eq!(
            line(&Summary::default(), 10_000),
            "0 lines, 0.0 MB shipped, 0.0 s behind"
        );
    }
}
