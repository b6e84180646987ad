//! The delivery of one batch as a state machine: what to send or wait for next, and
//! what each answer means. It neither waits nor sends, so every path is tested
//! without a clock or a socket.

use std::time::Duration;

use rand::Rng;

use super::{Failure, Retry, Verdict};
use crate::outbox::Batch;

/// One batch on its way, whole or in parts.
#[derive(Debug)]
pub struct Delivery {
    retry: Retry,
    /// What is still to be sent; the last goes next.
    parts: Vec<Part>,
    wait: Option<Duration>,
    retries: u32,
    attempts: u32,
    /// Cleared when a member that the service named turned out to be good.
    trust_names: bool,
    any_accepted: bool,
    too_large: Vec<(Batch, Failure)>,
}

#[derive(Debug)]
struct Part {
    batch: Batch,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nothing is known of it.
    Plain,
    /// The first half of a refused batch. If it is good, the second half, which lies
    /// below it, must be the bad one.
    FirstHalf,
    /// One point that the service named as the bad one, sent alone to make sure.
    Suspect,
    /// Holds a bad point for certain: it is parted without being sent.
    KnownBad,
}

/// What a delivery needs next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Send this and report the answer.
    Send(Batch),
    /// Wait before the next attempt.
    Wait(Duration),
    /// Nothing is left to do.
    Done,
}

/// What one answer meant.
#[derive(Debug)]
pub enum Outcome {
    /// The service has these points.
    Accepted(Batch),
    /// The service refused these points for a fault of their own.
    Refused(Batch, Failure),
    /// The same points will be sent again after a delay.
    Retrying {
        /// What the attempt ended with.
        failure: Failure,
        /// How long until the next one.
        delay: Duration,
    },
    /// The points are being sent in smaller parts.
    Parting(Failure),
    /// The delivery ended; what it had not delivered stays held.
    Held(Failure),
}

impl Delivery {
    /// The delivery of a batch that was not sent yet.
    #[must_use]
    pub fn new(batch: Batch, retry: Retry) -> Self {
        Self {
            retry,
            parts: vec![Part {
                batch,
                role: Role::Plain,
            }],
            wait: None,
            retries: 0,
            attempts: 0,
            trust_names: true,
            any_accepted: false,
            too_large: Vec::new(),
        }
    }

    /// How many requests were sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        if let Some(delay) = self.wait.take() {
            return Step::Wait(delay);
        }
        while let Some(part) = self.parts.pop_if(|part| part.role == Role::KnownBad) {
            self.halve(part.batch);
        }
        match self.parts.last() {
            Some(part) => Step::Send(part.batch.clone()),
            None => Step::Done,
        }
    }

    /// Takes the answer to what [`Step::Send`] asked to send.
    pub fn answer(&mut self, answer: Result<(), Failure>, rng: &mut impl Rng) -> Vec<Outcome> {
        self.attempts += 1;
        let Some(part) = self.parts.pop() else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        match answer {
            Ok(()) => {
                self.accepted(part.role);
                outcomes.push(Outcome::Accepted(part.batch));
            }
            Err(failure) => outcomes.extend(self.failed(part, failure, rng)),
        }
        if self.parts.is_empty() {
            outcomes.extend(self.judge_too_large());
        }
        outcomes
    }

    fn accepted(&mut self, role: Role) {
        self.any_accepted = true;
        self.retries = 0;
        match role {
            Role::FirstHalf => {
                if let Some(second) = self.parts.last_mut().filter(|p| p.batch.len() > 1) {
                    second.role = Role::KnownBad;
                }
            }
            Role::Suspect => self.trust_names = false,
            Role::Plain | Role::KnownBad => {}
        }
    }

    fn failed(&mut self, part: Part, failure: Failure, rng: &mut impl Rng) -> Option<Outcome> {
        match failure.verdict() {
            Verdict::Retry { after } if self.retries < self.retry.max => {
                let delay = self.retry.delay(self.retries, after, rng);
                self.retries += 1;
                self.wait = Some(delay);
                self.parts.push(part);
                Some(Outcome::Retrying { failure, delay })
            }
            Verdict::Retry { .. } | Verdict::Hold => {
                self.parts.clear();
                Some(Outcome::Held(failure))
            }
            Verdict::Isolate { .. } if part.batch.len() == 1 => {
                self.retries = 0;
                Some(Outcome::Refused(part.batch, failure))
            }
            Verdict::Isolate { members } => {
                self.retries = 0;
                if self.trust_names && members.last().is_some_and(|last| *last < part.batch.len()) {
                    self.single_out(&part.batch, &members);
                } else {
                    self.halve(part.batch);
                }
                Some(Outcome::Parting(failure))
            }
            Verdict::Split if part.batch.len() == 1 => {
                self.too_large.push((part.batch, failure));
                None
            }
            Verdict::Split => {
                self.push_halves(part.batch, Role::Plain);
                Some(Outcome::Parting(failure))
            }
        }
    }

    /// Sends each named point alone, so that a misread message costs no good point,
    /// then the others.
    fn single_out(&mut self, batch: &Batch, members: &[usize]) {
        if let Some(others) = batch.without(members) {
            self.push(others, Role::Plain);
        }
        for position in members.iter().rev() {
            if let Some(suspect) = batch.part(*position..position + 1) {
                self.push(suspect, Role::Suspect);
            }
        }
    }

    fn halve(&mut self, batch: Batch) {
        self.push_halves(batch, Role::FirstHalf);
    }

    /// The first half is the smaller one: it is the one that may be sent in vain.
    fn push_halves(&mut self, batch: Batch, first: Role) {
        let middle = batch.len() / 2;
        for (half, role) in [
            (batch.part(middle..batch.len()), Role::Plain),
            (batch.part(0..middle), first),
        ] {
            if let Some(half) = half {
                self.push(half, role);
            }
        }
    }

    fn push(&mut self, batch: Batch, role: Role) {
        self.parts.push(Part { batch, role });
    }

    /// A single point that is "too large" is at fault if others got through; if none
    /// did, something on the way refuses everything, and nothing may be lost to that.
    fn judge_too_large(&mut self) -> Vec<Outcome> {
        let any_accepted = self.any_accepted;
        let judged = self.too_large.drain(..).map(|(batch, failure)| {
            if any_accepted {
                Outcome::Refused(batch, failure)
            } else {
                Outcome::Held(failure)
            }
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests;
