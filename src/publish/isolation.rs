//! Which parts of a batch are still to be sent, and the search for the points that the
//! service refuses: by the member that it names, else by halving.

use crate::outbox::Batch;

/// What is still to be sent of one batch.
#[derive(Debug)]
pub(super) struct Isolation {
    /// The last goes next.
    parts: Vec<Part>,
    /// Cleared when a member that the service named turned out to be good.
    trust_names: bool,
}

/// Some points of the batch.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) batch: Batch,
    origin: Origin,
}

/// Where a part comes from, and so what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Nothing is known of it.
    Plain,
    /// The first half of a refused batch. If it is good, the second half, which lies
    /// below it, must be the bad one.
    FirstHalf,
    /// Its second half, the first having been refused too.
    SecondHalf,
    /// One point that the service named as the bad one, sent alone to make sure.
    Candidate,
    /// Holds a bad point for certain: it is split without being sent.
    KnownBad,
}

impl Isolation {
    pub(super) fn new(batch: Batch) -> Self {
        let origin = Origin::Plain;
        Self {
            parts: vec![Part { batch, origin }],
            trust_names: true,
        }
    }

    /// What is to be sent next.
    pub(super) fn next(&mut self) -> Option<&Batch> {
        while let Some(part) = self.parts.pop_if(|part| part.origin == Origin::KnownBad) {
            self.push_halves(&part.batch, Origin::FirstHalf);
        }
        self.parts.last().map(|part| &part.batch)
    }

    /// Takes out what was sent.
    pub(super) fn take(&mut self) -> Option<Part> {
        self.parts.pop()
    }

    /// Puts back what is to be sent again as it is.
    pub(super) fn put_back(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// Draws the conclusion from a part that was accepted.
    pub(super) fn accepted(&mut self, part: &Part) {
        match part.origin {
            Origin::FirstHalf => {
                if let Some(second) = self.parts.last_mut().filter(|p| p.batch.len() > 1) {
                    second.origin = Origin::KnownBad;
                }
            }
            Origin::Candidate => self.trust_names = false,
            Origin::Plain | Origin::SecondHalf | Origin::KnownBad => {}
        }
    }

    /// Splits a part that holds a bad point, one at the `members` if there are any.
    pub(super) fn narrow(&mut self, part: Part, members: &[usize]) {
        let batch = &part.batch;
        if self.trust_names && members.last().is_some_and(|last| *last < batch.len()) {
            self.single_out(batch, members);
        } else if part.origin == Origin::SecondHalf {
            // Larger parts come first: should points be to blame, one of them is good.
            let origin = Origin::KnownBad;
            self.parts.insert(0, Part { origin, ..part });
        } else {
            self.push_halves(batch, Origin::FirstHalf);
        }
    }

    /// Splits a part that is too large; either half may be good.
    pub(super) fn halve(&mut self, part: &Part) {
        self.push_halves(&part.batch, Origin::Plain);
    }

    pub(super) fn is_done(&self) -> bool {
        self.parts.is_empty()
    }

    /// Sends no more.
    pub(super) fn give_up(&mut self) {
        self.parts.clear();
    }

    /// Sends each named point alone, so that a misread message costs no good point,
    /// then the others.
    fn single_out(&mut self, batch: &Batch, members: &[usize]) {
        self.push(batch.without(members), Origin::Plain);
        for position in members.iter().rev() {
            self.push(batch.part(*position..position + 1), Origin::Candidate);
        }
    }

    /// The first half is the smaller one: it is the one that may be sent in vain.
    fn push_halves(&mut self, batch: &Batch, first: Origin) {
        let middle = batch.len() / 2;
        let second = match first {
            Origin::FirstHalf => Origin::SecondHalf,
            other => other,
        };
        self.push(batch.part(middle..batch.len()), second);
        self.push(batch.part(0..middle), first);
    }

    fn push(&mut self, batch: Option<Batch>, origin: Origin) {
        self.parts.extend(batch.map(|batch| Part { batch, origin }));
    }
}
