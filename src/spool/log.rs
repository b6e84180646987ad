//! Writing a spool file, so that what it held before a failed write it holds after it.

use std::io;

use super::disk::{Disk, DiskFile};
use super::record::{self, END_LEN, HEADER_LEN};
use crate::outbox::{QueuedPoint, Removed};

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
    /// How many points the file holds.
    live: usize,
    /// How many records are no point held.
    dead: usize,
    /// Whether points were added that a loss of power would take.
    unflushed: bool,
    /// Whether all of the above is known to be so.
    sound: bool,
}

impl Log {
    /// Takes up an undamaged file.
    pub(super) fn resume(file: Box<dyn DiskFile>, end: u64, live: usize, dead: usize) -> Self {
        Self {
            file,
            end,
            live,
            dead,
            unflushed: false,
            sound: true,
        }
    }

    /// Writes a new file, which is on disk but not yet in its place. `next` gives the
    /// points to write, some at a time, and none at their end.
    pub(super) fn create(
        disk: &mut dyn Disk,
        next: impl FnMut() -> Vec<QueuedPoint>,
    ) -> io::Result<Self> {
        let mut log = Self::resume(disk.create()?, HEADER_LEN as u64, 0, 0);
        let written = log.fill(next);
        if written.is_err() {
            // Whatever it took of a disk that may be full is given back.
            let _ = log.file.truncate(0);
        }
        written.map(|()| log)
    }

    fn fill(&mut self, mut next: impl FnMut() -> Vec<QueuedPoint>) -> io::Result<()> {
        self.file.write_at(&record::header(), 0)?;
        loop {
            let held = next();
            self.write(&held)?;
            if held.is_empty() {
                break;
            }
        }
        self.unflushed = false;
        self.file.sync()
    }

    /// Whether the file can be written on after an error.
    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Whether most of the file would be dead without these points.
    pub(super) fn is_wasted_without(&self, removed: &[Removed]) -> bool {
        let live = self.live.saturating_sub(points(removed));
        live > 0 && self.dead + dead(removed) > live + DEAD_MAX
    }

    /// Takes points out. This is only written: a loss of power can at worst bring them back.
    pub(super) fn remove(&mut self, removed: &[Removed]) -> io::Result<()> {
        let live = self.live.saturating_sub(points(removed));
        if live == 0 {
            return self.clear();
        }
        self.append(|log| {
            let mut bytes = Vec::new();
            for run in removed {
                record::put_removed(&mut bytes, &(run.first..=run.last));
            }
            log.write_end(bytes, log.end, live)
        })?;
        self.dead += dead(removed);
        Ok(())
    }

    /// Adds points, which are on disk after the next [`Log::flush`].
    pub(super) fn add(&mut self, added: &[QueuedPoint]) -> io::Result<()> {
        self.append(|log| log.write(added))
    }

    /// Waits until a loss of power cannot take what was added.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.unflushed {
            return Ok(());
        }
        let synced = self.file.sync();
        // Once a flush has failed nobody knows what of the file is on disk
        // (fsync(2), "EIO").
        self.sound = synced.is_ok();
        self.unflushed = false;
        synced
    }

    /// Cuts the file back to one that holds nothing. The end mark alone does it, as
    /// nothing behind it counts; it takes no new space, so it works on a full disk.
    fn clear(&mut self) -> io::Result<()> {
        self.live = 0;
        self.dead = 0;
        self.end = HEADER_LEN as u64;
        self.unflushed = false;
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
    fn write(&mut self, added: &[QueuedPoint]) -> io::Result<()> {
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
        self.write_end(bytes, at, self.live + added.len())?;
        self.unflushed = true;
        Ok(())
    }

    fn write_end(&mut self, mut records: Vec<u8>, at: u64, live: usize) -> io::Result<()> {
        let end = at + records.len() as u64;
        record::put_end(&mut records, live);
        self.file.write_at(&records, at)?;
        self.end = end;
        self.live = live;
        Ok(())
    }

    /// Writes the end mark where it belongs and cuts off what follows it.
    fn put_end(&mut self) -> io::Result<()> {
        let mut mark = Vec::new();
        record::put_end(&mut mark, self.live);
        self.file.write_at(&mark, self.end)?;
        self.file.truncate(self.end + END_LEN)
    }
}

fn points(removed: &[Removed]) -> usize {
    removed.iter().map(|run| run.points).sum()
}

/// How many records become dead with these points: theirs, and the removals.
fn dead(removed: &[Removed]) -> usize {
    points(removed) + removed.len()
}
