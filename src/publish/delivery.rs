//! The delivery of one batch as a state machine: what to send or wait for next, and
//! what each answer means. It neither waits nor sends, so every path is tested
//! without a clock or a socket.
//!
//! Whatever the service refuses a batch for, the points at fault are found in the same
//! way. What then becomes of a point that was refused in a request of its own depends
//! on the reason: one that blames the point drops it, an unknown one only parks it.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;

use super::isolation::{Isolation, Part};
use super::{RequestError, Retry, Verdict, named_members, sent_alone};
use crate::outbox::Batch;

/// One batch on its way, whole or in parts.
#[derive(Debug)]
pub struct Delivery {
    retry: Retry,
    isolation: Isolation,
    wait: Option<Duration>,
    /// Retries in a row.
    retries: u32,
    attempts: u32,
    /// Of the attempts, those that ended in a retry.
    retried: u32,
    any_accepted: bool,
    /// In so many requests something must have been accepted if single points are to
    /// blame: to halve the batch down to its first point and to its last takes one less.
    /// Retries do not count.
    fruitless_max: u32,
    /// Set once an unknown refusal outlived its retries: its parts are not retried.
    retries_spent: bool,
    /// An unknown refusal that is known to last.
    lasting: Option<Arc<str>>,
    /// What was refused in a request of its own, until it is clear what that means.
    refused_alone: Vec<RefusedAlone>,
}

#[derive(Debug)]
struct RefusedAlone {
    batch: Batch,
    failure: RequestError,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The point has a fault that the service knows and names.
    BadPoint,
    /// The request is too large, of whatever size.
    TooLarge,
    /// Nobody knows.
    Unknown,
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
    Rejected(Batch, RequestError),
    /// The service refused this point alone for what nobody knows.
    Parked(Batch, RequestError),
    /// The same points will be sent again after a delay.
    Retrying {
        /// What the attempt ended with.
        failure: RequestError,
        /// How long until the next one.
        delay: Duration,
    },
    /// The points are being sent in smaller parts.
    Splitting(RequestError),
    /// Some points stay held: what the delivery has not delivered when it is done.
    Held(RequestError),
}

impl Delivery {
    /// The delivery of a batch that was not sent yet.
    #[must_use]
    pub fn new(batch: Batch, retry: Retry) -> Self {
        let halvings = batch.len().next_power_of_two().ilog2();
        Self {
            retry,
            isolation: Isolation::new(batch),
            wait: None,
            retries: 0,
            attempts: 0,
            retried: 0,
            any_accepted: false,
            fruitless_max: 2 * halvings + 2,
            retries_spent: false,
            lasting: None,
            refused_alone: Vec::new(),
        }
    }

    /// The same, but an unknown refusal with this [`RequestError::reason`] is not retried: it
    /// has outlived its retries before.
    #[must_use]
    pub fn expecting(mut self, lasting: Option<Arc<str>>) -> Self {
        self.lasting = lasting;
        self
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
        match self.isolation.next() {
            Some(batch) => Step::Send(batch.clone()),
            None => Step::Done,
        }
    }

    /// Takes the answer to what [`Step::Send`] asked to send.
    pub fn answer(&mut self, answer: Result<(), RequestError>, rng: &mut impl Rng) -> Vec<Outcome> {
        self.attempts += 1;
        let Some(part) = self.isolation.take() else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        match answer {
            Ok(()) => {
                self.retries = 0;
                self.any_accepted = true;
                self.isolation.accepted(&part);
                outcomes.push(Outcome::Accepted(part.batch));
            }
            Err(failure) => outcomes.extend(self.failed(part, failure, rng)),
        }
        if self.any_accepted || self.isolation.is_done() {
            outcomes.extend(self.judge());
        }
        outcomes
    }

    fn failed(&mut self, part: Part, failure: RequestError, rng: &mut impl Rng) -> Option<Outcome> {
        let reason = match failure.verdict() {
            Verdict::Retry { after } if self.retries < self.retry.max => {
                return Some(self.again(part, failure, after, rng));
            }
            Verdict::Unknown { after } if self.may_pass(&failure) => {
                return Some(self.again(part, failure, after, rng));
            }
            Verdict::Retry { .. } | Verdict::Hold => return Some(self.hold_all(failure)),
            Verdict::Unknown { .. } => Reason::Unknown,
            Verdict::Isolate => Reason::BadPoint,
            Verdict::Split => Reason::TooLarge,
        };
        self.retries = 0;
        self.retries_spent |= reason == Reason::Unknown;
        if reason == Reason::Unknown && self.is_fruitless() {
            return Some(self.hold_all(failure));
        }
        if part.batch.len() == 1 {
            let batch = part.batch;
            self.refused_alone.push(RefusedAlone {
                batch,
                failure,
                reason,
            });
            return None;
        }
        match reason {
            Reason::TooLarge => self.isolation.halve(&part),
            _ => self.isolation.narrow(&part, &named_members(&failure)),
        }
        Some(Outcome::Splitting(failure))
    }

    /// Whether an unknown refusal is worth a retry: only that of the whole is.
    fn may_pass(&self, failure: &RequestError) -> bool {
        self.retries < self.retry.max
            && !self.retries_spent
            && self.lasting.as_deref() != Some(&*failure.reason())
    }

    /// Whether it looks as if no single point were to blame.
    fn is_fruitless(&self) -> bool {
        !self.any_accepted && self.attempts - self.retried >= self.fruitless_max
    }

    fn again(
        &mut self,
        part: Part,
        failure: RequestError,
        after: Option<Duration>,
        rng: &mut impl Rng,
    ) -> Outcome {
        let delay = self.retry.delay(self.retries, after, rng);
        self.retries += 1;
        self.retried += 1;
        self.wait = Some(delay);
        self.isolation.put_back(part);
        Outcome::Retrying { failure, delay }
    }

    fn hold_all(&mut self, failure: RequestError) -> Outcome {
        self.isolation.give_up();
        self.refused_alone.clear();
        Outcome::Held(failure)
    }

    /// Decides on the points that were refused alone, once something was accepted or
    /// nothing is left to send. Where nothing gets through, something on the way may
    /// refuse everything: then nothing is lost to an unknown refusal, nor to its size.
    fn judge(&mut self) -> Vec<Outcome> {
        let service_works = self.any_accepted;
        let is_known = |refused: &RefusedAlone| refused.reason != Reason::Unknown;
        let all_known = self.refused_alone.iter().all(is_known);
        let judged = self.refused_alone.drain(..).map(|refused| {
            let RefusedAlone { batch, failure, .. } = refused;
            match refused.reason {
                Reason::BadPoint if service_works || all_known => Outcome::Rejected(batch, failure),
                Reason::TooLarge if service_works => Outcome::Rejected(batch, failure),
                Reason::Unknown if service_works => Outcome::Parked(batch, failure),
                _ => Outcome::Held(sent_alone(failure, &batch)),
            }
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests;
