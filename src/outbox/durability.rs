//! What has to be written so that a copy of the outbox on disk is like it.

use super::Outbox;
use super::copy::{DiskCopy, Removed};
use super::queued_point::QueuedPoint;

/// What a copy lacks, or has too much.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// These points are held no more.
    Removed(Vec<Removed>),
    /// These are held, and newer than all that the copy has.
    Added(Vec<QueuedPoint>),
    /// It is up to this revision.
    None(u64),
}

impl Outbox {
    /// There is a copy from now on, and it has exactly what is held.
    pub(crate) fn has_copy(&mut self) {
        self.on_disk = Some(DiskCopy::up_to(self.next_id));
    }

    /// There is no copy that can be changed, until one is written anew.
    pub(crate) fn has_no_copy(&mut self) {
        self.on_disk = None;
    }

    /// What is to be changed next of the copy. It counts as done with the next call,
    /// unless it is taken back before.
    pub(crate) fn next_change(&mut self) -> Change {
        let Some(copy) = &mut self.on_disk else {
            return Change::None(self.revision);
        };
        copy.added();
        let removed = copy.give_removed();
        if !removed.is_empty() {
            return Change::Removed(removed);
        }
        let added = copy.give_added(&self.points);
        if !added.is_empty() {
            return Change::Added(added);
        }
        Change::None(self.revision)
    }

    /// The copy could not be changed so.
    pub(crate) fn take_back(&mut self, change: Change) {
        let Some(copy) = &mut self.on_disk else {
            return;
        };
        match change {
            Change::Removed(runs) => copy.take_back_removed(runs),
            Change::Added(_) => copy.take_back_added(),
            Change::None(_) => {}
        }
    }

    /// A new copy is begun, to take the place of the old one.
    pub(crate) fn begin_rewrite(&mut self) {
        self.rewritten = Some(DiskCopy::default());
    }

    /// The next points of the new copy, none at its end.
    pub(crate) fn next_to_rewrite(&mut self) -> Vec<QueuedPoint> {
        let copy = self.rewritten.as_mut();
        copy.map_or_else(Vec::new, |copy| copy.give_added(&self.points))
    }

    /// The new copy is in the place of the old one, or was given up.
    pub(crate) fn end_rewrite(&mut self, in_place: bool) {
        let copy = self.rewritten.take();
        if in_place {
            self.on_disk = copy;
        }
    }
}

/// Lends an outbox that others use as well.
pub trait Lend {
    /// Gives it to `f`, which is to be quick.
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T;
}

impl Lend for Outbox {
    fn lend<T>(&mut self, f: impl FnOnce(&mut Outbox) -> T) -> T {
        f(self)
    }
}
