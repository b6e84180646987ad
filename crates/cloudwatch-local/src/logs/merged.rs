//! The events of several streams as one row.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::store::{Key, Stream};

/// The keys of several streams in order of time, or against it.
pub(super) struct Merged<'a> {
    sources: Vec<Box<dyn Iterator<Item = Key> + 'a>>,
    /// The next key of each source that is not at its end, as it is sorted.
    next: BinaryHeap<Reverse<(Key, usize)>>,
    forward: bool,
}

impl<'a> Merged<'a> {
    pub(super) fn of(streams: &[&'a Stream], within: &Range<Key>, forward: bool) -> Self {
        let sources = streams.iter().map(|stream| {
            let keys = keys(stream, within.clone());
            let keys: Box<dyn Iterator<Item = Key>> = match forward {
                true => Box::new(keys),
                false => Box::new(keys.rev()),
            };
            keys
        });
        let mut merged = Self {
            sources: sources.collect(),
            next: BinaryHeap::new(),
            forward,
        };
        for source in 0..merged.sources.len() {
            merged.advance(source);
        }
        merged
    }

    fn advance(&mut self, source: usize) {
        if let Some(key) = self.sources[source].next() {
            self.next.push(Reverse((self.sorted(key), source)));
        }
    }

    /// A key such that the one to come next is the least; it is its own inverse.
    fn sorted(&self, (at, number): Key) -> Key {
        match self.forward {
            true => (at, number),
            false => (!at, !number),
        }
    }
}

impl Iterator for Merged<'_> {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        let Reverse((key, source)) = self.next.pop()?;
        self.advance(source);
        Some(self.sorted(key))
    }
}

/// The keys of a stream within a range.
pub(super) fn keys(
    stream: &Stream,
    within: Range<Key>,
) -> impl DoubleEndedIterator<Item = Key> + '_ {
    // A range that ends before it begins is an error of the set, not an empty one.
    let end = within.end.max(within.start);
    stream.keys.range(within.start..end).copied()
}
