//! What became of each request, and why some were refused.

use std::collections::VecDeque;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::refusal::Refusal;

/// Any request that reached the endpoint, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When its headers had arrived, by the endpoint's clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
    /// The operation that its headers name, for example `PutLogEvents`.
    pub operation: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: it is being read, held back, or was given up by the client.
    Open,
    /// It was done; the answer may have been cut off all the same.
    Accepted,
    /// It was refused by a rule, with this code.
    Refused(String),
    /// It met a fault.
    Faulted,
}

/// A request that was refused, by a rule or on command.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedRequest {
    /// When its headers had arrived, by the endpoint's clock.
    pub at: SystemTime,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
    /// The operation that its headers name.
    pub operation: String,
    /// What was answered.
    pub refusal: Refusal,
    /// The points, or the log events, that it held, where it could be read.
    pub points: usize,
}

/// The requests to one of the two APIs, the latest of them.
#[derive(Debug)]
pub(crate) struct Journal {
    attempts: VecDeque<Attempt>,
    attempts_gone: usize,
    refused: VecDeque<RefusedRequest>,
    refused_seen: usize,
    /// How many of each are kept.
    keep: usize,
}

impl Journal {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            attempts: VecDeque::new(),
            attempts_gone: 0,
            refused: VecDeque::new(),
            refused_seen: 0,
            keep,
        }
    }

    /// Notes a request and gives its number, from 0.
    pub(crate) fn open(&mut self, at: SystemTime, instant: Instant, operation: String) -> usize {
        self.attempts.push_back(Attempt {
            at,
            instant,
            operation,
            outcome: Outcome::Open,
        });
        if self.attempts.len() > self.keep {
            self.attempts.pop_front();
            self.attempts_gone += 1;
        }
        self.attempts_seen() - 1
    }

    pub(crate) fn close(&mut self, number: usize, outcome: Outcome) {
        let kept = number.checked_sub(self.attempts_gone);
        if let Some(attempt) = kept.and_then(|i| self.attempts.get_mut(i)) {
            attempt.outcome = outcome;
        }
    }

    pub(crate) fn refuse(&mut self, refused: RefusedRequest) {
        self.refused_seen += 1;
        self.refused.push_back(refused);
        if self.refused.len() > self.keep {
            self.refused.pop_front();
        }
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter()
    }

    pub(crate) fn attempts_seen(&self) -> usize {
        self.attempts_gone + self.attempts.len()
    }

    pub(crate) fn refused(&self) -> impl DoubleEndedIterator<Item = &RefusedRequest> {
        self.refused.iter()
    }

    pub(crate) fn refused_seen(&self) -> usize {
        self.refused_seen
    }
}
