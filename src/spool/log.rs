//! Writing a spool file, so that what it held before a failed write it holds after it.

use std::io;
use std::ops::RangeInclusive;

use super::disk::{Disk, DiskFile};
use super::record::{self, END_LEN, HEADER_LEN};
use crate::outbox::{Held, Id};

/// How many dead records are let be, whatever the number of points: writing the file
/// anew waits for the disk three times, so it should be seldom.
const DEAD_MAX: usize = 1000;

/// How much is encoded before it is written, which bounds the memory that it takes.
pub(super) const CHUNK: usize = 64 * 1024;

/// A file that ends with an end mark, and what it holds.
pub(super) struct Log {
    file: Box<dyn DiskFile>,
    /// Where the end mark begins, and the next record will.
    end: u64,
    /// The points that the file holds, in ascending order.
    ids: Vec<Id>,
    /// How many records are no point held.
    dead: usize,
    /// Whether all of the above is known to be so.
    sound: bool,
}

/// How a file differs from what it should hold.
pub(super) struct Change<'a> {
    /// Runs of neighbours in the file that are held no more.
    removed: Vec<RangeInclusive<Id>>,
    kept: Vec<Id>,
    added: &'a [&'a Held],
    /// How many more records are dead.
    dead: usize,
}

impl Log {
    /// Takes up an undamaged file.
    pub(super) fn resume(file: Box<dyn DiskFile>, end: u64, ids: Vec<Id>, dead: usize) -> Self {
        Self {
            file,
            end,
            ids,
            dead,
            sound: true,
        }
    }

    /// Writes a new file, which is on disk but not yet in its place.
    pub(super) fn create(disk: &mut dyn Disk, held: &[&Held]) -> io::Result<Self> {
        let mut log = Self::resume(disk.create()?, HEADER_LEN as u64, Vec::new(), 0);
        let written = log.fill(held);
        if written.is_err() {
            // Whatever it took of a disk that may be full is given back.
            let _ = log.file.truncate(0);
        }
        written.map(|()| log)
    }

    fn fill(&mut self, held: &[&Held]) -> io::Result<()> {
        self.file.write_at(&record::header(), 0)?;
        self.write(held)?;
        self.file.sync()
    }

    /// Whether the file can be written on after an error.
    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    /// What to do for the file to hold `held`, which is in ascending order of id.
    pub(super) fn change_to<'a>(&self, held: &'a [&'a Held]) -> Change<'a> {
        // An outbox never gives out a lower id than before, so what the file lacks is
        // newer than all it has.
        let newest = self.ids.last();
        let known = newest.map_or(0, |newest| held.partition_point(|held| held.id <= *newest));
        let (known, added) = held.split_at(known);
        let mut change = Change {
            removed: Vec::new(),
            kept: Vec::with_capacity(known.len()),
            added,
            dead: 0,
        };
        let mut known = known.iter().peekable();
        let mut last_is_removed = false;
        for &id in &self.ids {
            let is_kept = known.next_if(|held| held.id == id).is_some();
            if is_kept {
                change.kept.push(id);
            } else if let Some(run) = change.removed.last_mut().filter(|_| last_is_removed) {
                *run = *run.start()..=id;
            } else {
                change.removed.push(id..=id);
            }
            last_is_removed = !is_kept;
        }
        change.dead = self.ids.len() - change.kept.len() + change.removed.len();
        change
    }

    /// Whether most of the file would be dead after a change.
    pub(super) fn is_wasted_by(&self, change: &Change<'_>) -> bool {
        let live = change.kept.len() + change.added.len();
        !change.kept.is_empty() && self.dead + change.dead > live + DEAD_MAX
    }

    /// Brings the change to the file. What is added is on disk then; what is removed
    /// is only written, since a loss of power can at worst bring it back.
    pub(super) fn apply(&mut self, change: Change<'_>) -> io::Result<()> {
        let added = change.added;
        if !change.removed.is_empty() {
            self.remove(change)?;
        }
        if added.is_empty() {
            return Ok(());
        }
        self.append(|log| log.write(added))?;
        let synced = self.file.sync();
        // Once a flush has failed nobody knows what of the file is on disk
        // (fsync(2), "EIO").
        self.sound = synced.is_ok();
        synced
    }

    fn remove(&mut self, change: Change<'_>) -> io::Result<()> {
        if change.kept.is_empty() {
            return self.clear();
        }
        self.append(|log| {
            let mut bytes = Vec::new();
            for ids in &change.removed {
                record::put_removed(&mut bytes, ids);
            }
            log.write_end(bytes, log.end, change.kept.len())
        })?;
        self.dead += change.dead;
        self.ids = change.kept;
        Ok(())
    }

    /// Cuts the file back to one that holds nothing. The end mark alone does it, as
    /// nothing behind it counts; it takes no new space, so it works on a full disk.
    fn clear(&mut self) -> io::Result<()> {
        self.ids.clear();
        self.dead = 0;
        self.end = HEADER_LEN as u64;
        let cleared = self.put_end();
        self.sound = cleared.is_ok();
        cleared
    }

    /// Writes records behind the last, or else puts the end mark back before them.
    fn append(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        let written = write(self);
        if written.is_err() {
            self.sound = self.put_end().is_ok();
        }
        written
    }

    /// Writes points and the end mark, a chunk at a time.
    fn write(&mut self, added: &[&Held]) -> io::Result<()> {
        let live = self.ids.len() + added.len();
        let mut at = self.end;
        let mut bytes = Vec::new();
        for held in added {
            record::put_point(&mut bytes, held);
            if bytes.len() >= CHUNK {
                self.file.write_at(&bytes, at)?;
                at += bytes.len() as u64;
                bytes.clear();
            }
        }
        self.write_end(bytes, at, live)?;
        self.ids.extend(added.iter().map(|held| held.id));
        Ok(())
    }

    fn write_end(&mut self, mut records: Vec<u8>, at: u64, live: usize) -> io::Result<()> {
        let end = at + records.len() as u64;
        record::put_end(&mut records, live);
        self.file.write_at(&records, at)?;
        self.end = end;
        Ok(())
    }

    /// Writes the end mark where it belongs and cuts off what follows it.
    fn put_end(&mut self) -> io::Result<()> {
        let mut mark = Vec::new();
        record::put_end(&mut mark, self.ids.len());
        self.file.write_at(&mark, self.end)?;
        self.file.truncate(self.end + END_LEN)
    }
}
