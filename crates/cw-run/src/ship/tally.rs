//! What was done, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::Lane;

/// Why an event was not shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Older than the service takes.
    TooOld,
    /// Further ahead than the service takes.
    TooNew,
    /// The service refused it alone.
    Refused,
}

/// Counts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    read: Pair,
    accepted: Pair,
    events: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
    /// Lines in requests that got no answer.
    duplicates_possible: AtomicU64,
    too_old: AtomicU64,
    too_new: AtomicU64,
    refused: AtomicU64,
    gaps: AtomicU64,
    lanes: Mutex<Vec<Weak<Lane>>>,
    moments: Mutex<Moments>,
}

#[derive(Debug, Default)]
struct Pair {
    lines: AtomicU64,
    bytes: AtomicU64,
}

impl Pair {
    fn add(&self, lines: u64, bytes: usize) {
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (get(&self.lines), get(&self.bytes))
    }
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    accepted: Option<Instant>,
    throttled: Option<Instant>,
    failing: Option<Instant>,
}

/// What was done, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines that the containers printed, as far as they were read.
    pub lines_read: u64,
    /// Lines that were accepted.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events that they made.
    pub events: u64,
    /// Requests to put events.
    pub requests: u64,
    /// Those that failed.
    pub retries: u64,
    /// Lines that may be there twice, for a request that held them got no answer.
    pub duplicates_possible: u64,
    /// Lines older than the service takes.
    pub too_old: u64,
    /// Lines further ahead than the service takes.
    pub too_new: u64,
    /// Lines that the service refused alone.
    pub refused: u64,
    /// Places where the engine had thrown lines away.
    pub gaps: u64,
    /// The time of the oldest line that is held, in milliseconds since the Unix epoch.
    pub oldest: Option<i64>,
}

impl Summary {
    /// Lines that were read and have not come to an end.
    #[must_use]
    pub fn lines_held(&self) -> u64 {
        self.lines_read
            .saturating_sub(self.lines + self.too_old + self.too_new + self.refused)
    }
}

impl Tally {
    pub(crate) fn watch(&self, lane: Weak<Lane>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(lane);
    }

    pub(crate) fn read(&self, lines: u64, bytes: usize) {
        self.read.add(lines, bytes);
    }

    /// So many lines that were read are read again, or not at all.
    pub(crate) fn unread(&self, lines: u64) {
        self.read.lines.fetch_sub(lines, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self, events: u64, lines: u64, bytes: usize) {
        self.accepted.add(lines, bytes);
        self.events.fetch_add(events, Ordering::Relaxed);
        let moments = Moments {
            accepted: Some(Instant::now()),
            throttled: None,
            failing: None,
        };
        *self.moments.lock().unwrap_or_else(PoisonError::into_inner) = moments;
    }

    pub(crate) fn dropped(&self, reason: Dropped, lines: u64) {
        let count = match reason {
            Dropped::TooOld => &self.too_old,
            Dropped::TooNew => &self.too_new,
            Dropped::Refused => &self.refused,
        };
        count.fetch_add(lines, Ordering::Relaxed);
    }

    pub(crate) fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.failing.get_or_insert_with(Instant::now);
    }

    /// A batch came to its end, whatever became of its events: the service takes what it can.
    pub(crate) fn settled(&self) {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.failing = None;
    }

    /// The service asked for less: it is there, and takes what it can.
    pub(crate) fn throttled(&self) {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.throttled = Some(Instant::now());
    }

    pub(crate) fn unanswered(&self, lines: u64) {
        self.duplicates_possible.fetch_add(lines, Ordering::Relaxed);
    }

    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// How long nothing was accepted that was asked for.
    #[must_use]
    pub fn failing_for(&self) -> Option<Duration> {
        let moments = *self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.failing.map(|since| since.elapsed())
    }

    /// When something was accepted last.
    #[must_use]
    pub fn last_accepted(&self) -> Option<Instant> {
        self.moments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .accepted
    }

    /// When the service asked for less, if it did since it accepted something.
    #[must_use]
    pub fn last_throttled(&self) -> Option<Instant> {
        self.moments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .throttled
    }

    /// All counts.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let (lines, bytes) = self.accepted.get();
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = lanes
            .iter()
            .filter_map(Weak::upgrade)
            .filter_map(|lane| lane.oldest())
            .min();
        Summary {
            lines_read: self.read.get().0,
            lines,
            bytes,
            events: get(&self.events),
            requests: get(&self.requests),
            retries: get(&self.retries),
            duplicates_possible: get(&self.duplicates_possible),
            too_old: get(&self.too_old),
            too_new: get(&self.too_new),
            refused: get(&self.refused),
            gaps: get(&self.gaps),
            oldest,
        }
    }
}
