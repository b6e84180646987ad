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
    /// Once a refusal that nobody knows outlived its retries: after this many attempts
    /// the points that it may be about are no longer looked for.
    search_end: Option<u32>,
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
    /// The first half of a batch that was refused for what nobody knows.
    Probe,
    /// The second half, the first having been refused alike. If it is, too, it is not a
    /// point that is at fault.
    CounterProbe,
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
    /// Some points stay held: what the delivery has not delivered when it is done.
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
            search_end: None,
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
            Role::FirstHalf | Role::Probe => {
                if let Some(second) = self.parts.last_mut().filter(|p| p.batch.len() > 1) {
                    second.role = Role::KnownBad;
                }
            }
            Role::Suspect => self.trust_names = false,
            Role::Plain | Role::KnownBad | Role::CounterProbe => {}
        }
    }

    fn failed(&mut self, part: Part, failure: Failure, rng: &mut impl Rng) -> Option<Outcome> {
        match failure.verdict() {
            Verdict::Retry { after } if self.retries < self.retry.max => {
                Some(self.again(part, failure, after, rng))
            }
            Verdict::Unknown { after }
                if self.retries < self.retry.max && self.search_end.is_none() =>
            {
                Some(self.again(part, failure, after, rng))
            }
            Verdict::Retry { .. } | Verdict::Hold => Some(self.hold_all(failure)),
            Verdict::Unknown { .. } => Some(self.search(part, failure)),
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

    fn again(
        &mut self,
        part: Part,
        failure: Failure,
        after: Option<Duration>,
        rng: &mut impl Rng,
    ) -> Outcome {
        let delay = self.retry.delay(self.retries, after, rng);
        self.retries += 1;
        // A search counts only what it asks for itself.
        self.search_end = self.search_end.map(|end| end + 1);
        self.wait = Some(delay);
        self.parts.push(part);
        Outcome::Retrying { failure, delay }
    }

    fn hold_all(&mut self, failure: Failure) -> Outcome {
        self.parts.clear();
        Outcome::Held(failure)
    }

    /// Parts what was refused for what nobody knows, lest one point block the others for
    /// two weeks. As nobody knows, no point is dropped, and the search ends as soon as it
    /// looks as if the points were not to blame: when both halves of the first batch are
    /// refused, or after the requests that it takes to find one point.
    fn search(&mut self, part: Part, failure: Failure) -> Outcome {
        let Part { batch, role } = part;
        // A probe that is throttled is sent again, as any request is.
        self.retries = 0;
        let begins = self.search_end.is_none();
        let halvings = batch.len().next_power_of_two().ilog2();
        let end = *self.search_end.get_or_insert(self.attempts + 2 * halvings);
        if self.attempts > end || role == Role::CounterProbe {
            return self.hold_all(failure);
        }
        if role == Role::Probe
            && let Some(other_half) = self.parts.last_mut()
        {
            other_half.role = Role::CounterProbe;
        }
        if batch.len() == 1 {
            return Outcome::Held(failure.of(&batch));
        }
        if begins {
            self.push_halves(batch, Role::Probe);
        } else {
            self.push_below_its_other_half(batch, role);
        }
        Outcome::Parting(failure)
    }

    /// The other half may be good and goes first: the search may end early.
    fn push_below_its_other_half(&mut self, batch: Batch, role: Role) {
        let is_first = matches!(role, Role::Probe | Role::FirstHalf);
        let place = self.parts.len() - usize::from(is_first && !self.parts.is_empty());
        let role = Role::KnownBad;
        self.parts.insert(place, Part { batch, role });
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
