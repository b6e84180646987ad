//! Points that were lost: how many, why, and of which moments.

use std::ops::{Add, AddAssign};

use chrono::{DateTime, Utc};

/// How many points were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Refused by the service for a fault of their own.
    pub refused: u64,
    /// Too old for the service to accept.
    pub expired: u64,
    /// Pushed out by newer ones at `BUFFER_LIMIT`.
    pub overflowed: u64,
    /// Pushed out by newer ones at `BUFFER_BYTES`.
    pub overflowed_bytes: u64,
}

impl Dropped {
    /// All reasons together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.refused + self.expired + self.overflowed + self.overflowed_bytes
    }

    pub(super) fn count(&mut self, reason: Reason, points: usize) {
        let lost = match reason {
            Reason::Age => &mut self.expired,
            Reason::Number => &mut self.overflowed,
            Reason::Bytes => &mut self.overflowed_bytes,
        };
        *lost += points as u64;
    }
}

impl Add for Dropped {
    type Output = Self;

    fn add(mut self, more: Self) -> Self {
        self += more;
        self
    }
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, more: Self) {
        self.refused += more.refused;
        self.expired += more.expired;
        self.overflowed += more.overflowed;
        self.overflowed_bytes += more.overflowed_bytes;
    }
}

/// Why points are lost that the service did not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// They are older than the service accepts.
    Age,
    /// More points would be held than are allowed.
    Number,
    /// The points held would take more memory than is allowed.
    Bytes,
}

/// Points that were lost for one reason; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub points: usize,
    /// The oldest moment.
    pub from: DateTime<Utc>,
    /// The newest moment.
    pub to: DateTime<Utc>,
}

impl Lost {
    /// One point.
    #[must_use]
    pub fn one(reason: Reason, at: DateTime<Utc>) -> Self {
        Self {
            reason,
            points: 1,
            from: at,
            to: at,
        }
    }

    /// Both together, for the reason of this one.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            reason: self.reason,
            points: self.points + more.points,
            from: self.from.min(more.from),
            to: self.to.max(more.to),
        }
    }
}

/// What is lost while something goes on, one entry for each reason.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<Lost>);

impl Tally {
    pub(super) fn add(&mut self, more: Lost) {
        match self.0.iter_mut().find(|lost| lost.reason == more.reason) {
            Some(lost) => *lost = lost.and(more),
            None => self.0.push(more),
        }
    }

    pub(super) fn into_vec(self) -> Vec<Lost> {
        self.0
    }
}
