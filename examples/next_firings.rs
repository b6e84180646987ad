//! Prints when schedules fire, for comparison with other programs
//! (`tests/peer/croniter_oracle.py`).
//!
//! Reads lines `expression <tab> zone <tab> Unix seconds` and answers each with the next
//! five firings in Unix seconds, or with `error` and the reason.

use std::io::{self, BufRead, Write};
use std::iter::successors;

use chrono::DateTime;
use cron_schedule::Schedule;

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match answer(&line?) {
            Ok(firings) => writeln!(output, "{firings}")?,
            Err(error) => writeln!(output, "error {error}")?,
        }
    }
    Ok(())
}

fn answer(line: &str) -> Result<String, Box<dyn std::error::Error>> {
    let fields: Vec<_> = line.split('\t').collect();
    let [expression, zone, start] = fields[..] else {
        return Err("expected three fields with tabs between them".into());
    };
    let schedule = Schedule::parse(expression, zone.parse()?)?;
    let start = DateTime::from_timestamp(start.parse()?, 0).ok_or("the start is out of range")?;
    let firings: Vec<_> = successors(schedule.next_after(start), |at| schedule.next_after(*at))
        .take(5)
        .map(|at| at.timestamp().to_string())
        .collect();
    Ok(firings.join(" "))
}
