//! Which parts of a batch are still to be sent, and the search for the points that the
//! service refuses: by the member that it names, else by halving.
//!
//! Until something was accepted the batch is searched from both its ends in turn: where
//! the first or the last point is good, that is found in as many requests as the batch can
//! be halved, twice. From then on it is searched in order.

use std::collections::VecDeque;

use crate::outbox::Batch;

/// What is still to be sent of one batch.
#[derive(Debug)]
pub(super) struct Isolation {
    /// What is being sent.
    current: Option<Part>,
    /// In the order of the batch, until members are named.
    parts: VecDeque<Part>,
    /// Single points that the service named as the bad ones, sent alone to make sure.
    named: Vec<Part>,
    /// How many parts were split in two so far.
    pairs: u32,
    any_accepted: bool,
    end: End,
    names: Names,
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
    /// One half of a refused part: if one of the two is good, the other is not.
    Half(u32),
    /// One point that the service named.
    Named,
    /// Holds a bad point for certain: it is split without being sent.
    KnownBad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Front,
    Back,
}

/// Whether the members that a message names are singled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Trusted,
    /// Not before something was accepted: one at a time they would take too many requests.
    Later,
    /// One of them turned out to be good.
    Wrong,
}

impl Isolation {
    pub(super) fn new(batch: Batch) -> Self {
        let origin = Origin::Plain;
        Self {
            current: None,
            parts: VecDeque::from([Part { batch, origin }]),
            named: Vec::new(),
            pairs: 0,
            any_accepted: false,
            // The first half comes before the second.
            end: End::Back,
            names: Names::Trusted,
        }
    }

    /// What is to be sent next.
    pub(super) fn next(&mut self) -> Option<&Batch> {
        if self.current.is_none() {
            self.current = self.choose();
        }
        self.current.as_ref().map(|part| &part.batch)
    }

    fn choose(&mut self) -> Option<Part> {
        // They are judged once something was accepted, so the others come before.
        if self.any_accepted
            && let Some(part) = self.named.pop()
        {
            return Some(part);
        }
        loop {
            let part = match self.end {
                End::Front => self.parts.pop_front(),
                End::Back => self.parts.pop_back(),
            };
            match part {
                Some(part) if part.origin == Origin::KnownBad => self.push_halves(&part.batch),
                Some(part) => return Some(part),
                None => return self.named.pop(),
            }
        }
    }

    /// Takes out what was sent.
    pub(super) fn take(&mut self) -> Option<Part> {
        self.current.take()
    }

    /// Puts back what is to be sent again as it is.
    pub(super) fn put_back(&mut self, part: Part) {
        self.current = Some(part);
    }

    /// Draws the conclusion from a part that was accepted.
    pub(super) fn accepted(&mut self, part: &Part) {
        self.any_accepted = true;
        self.end = End::Front;
        if self.names == Names::Later {
            self.names = Names::Trusted;
        }
        match part.origin {
            Origin::Half(_) => {
                let other = self.parts.iter_mut().find(|p| p.origin == part.origin);
                if let Some(other) = other.filter(|other| other.batch.len() > 1) {
                    other.origin = Origin::KnownBad;
                }
            }
            Origin::Named => self.names = Names::Wrong,
            Origin::Plain | Origin::KnownBad => {}
        }
    }

    /// Splits a part that holds a bad point, one at the `members` if there are any.
    pub(super) fn narrow(&mut self, part: &Part, members: &[usize]) {
        // That this one is bad says nothing of the other.
        if let Origin::Half(_) = part.origin
            && let Some(other) = self.parts.iter_mut().find(|p| p.origin == part.origin)
        {
            other.origin = Origin::Plain;
        }
        let batch = &part.batch;
        let are_members = members.last().is_some_and(|last| *last < batch.len());
        if are_members && self.names == Names::Trusted {
            self.single_out(batch, members);
        } else {
            self.push_halves(batch);
        }
        if !self.any_accepted {
            self.end = match self.end {
                End::Front => End::Back,
                End::Back => End::Front,
            };
        }
    }

    /// Splits a part that is too large; either half may be good.
    pub(super) fn halve(&mut self, part: &Part) {
        self.push_parts(&part.batch, Origin::Plain);
    }

    pub(super) fn is_done(&self) -> bool {
        self.current.is_none() && self.parts.is_empty() && self.named.is_empty()
    }

    /// Sends no more.
    pub(super) fn give_up(&mut self) {
        self.current = None;
        self.parts.clear();
        self.named.clear();
    }

    /// Sends each named point alone, so that a misread message costs no good point.
    fn single_out(&mut self, batch: &Batch, members: &[usize]) {
        for position in members.iter().rev() {
            let named = batch.part(*position..position + 1);
            let origin = Origin::Named;
            self.named.extend(named.map(|batch| Part { batch, origin }));
        }
        let others = batch.without(members).map(|batch| Part {
            batch,
            origin: Origin::Plain,
        });
        match self.end {
            End::Front => others
                .into_iter()
                .for_each(|part| self.parts.push_front(part)),
            End::Back => self.parts.extend(others),
        }
        if !self.any_accepted {
            self.names = Names::Later;
        }
    }

    fn push_halves(&mut self, batch: &Batch) {
        self.pairs += 1;
        self.push_parts(batch, Origin::Half(self.pairs));
    }

    /// Puts the two halves where the whole was.
    fn push_parts(&mut self, batch: &Batch, origin: Origin) {
        let middle = batch.len() / 2;
        let part = |range| batch.part(range).map(|batch| Part { batch, origin });
        let (first, second) = (part(0..middle), part(middle..batch.len()));
        match self.end {
            End::Front => {
                for part in [second, first].into_iter().flatten() {
                    self.parts.push_front(part);
                }
            }
            End::Back => self.parts.extend([first, second].into_iter().flatten()),
        }
    }
}
