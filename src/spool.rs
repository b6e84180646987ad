//! The outbox on disk (`SPOOL_DIR`): what is held survives a restart, `kill -9` and
//! the loss of the machine.
//!
//! The format is our own because the crates that would fit either are a whole
//! database, or read a damaged file not at all. It is an append-only file of points
//! and removals, each with its own CRC-32; ARCHITECTURE.md has the bytes.
//!
//! There is nothing to tell a spool but "this is held now": [`Spool::sync`] compares
//! what the file holds with what the outbox holds, and writes the difference. A failed
//! write leaves a larger difference for the next time, so going on in memory and healing
//! need no code of their own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::outbox::{Held, Id, Outbox};

mod disk;
mod log;
mod record;
mod scan;

use disk::{Disk, Folder};
use log::Log;

/// A file that holds what an outbox holds.
pub struct Spool {
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// The file in use; none if there is none that can be written on, so that the
    /// next write must be a new file.
    log: Option<Log>,
    is_degraded: bool,
}

/// A spool, and what an earlier process left in it.
#[derive(Debug)]
pub struct Opened {
    /// The spool.
    pub spool: Spool,
    /// The outbox to go on with: its points are those of the spool, as backlog.
    pub outbox: Outbox,
    /// How many points were read.
    pub restored: usize,
    /// The oldest of them, which the limit pushed out again.
    pub overflowed: Vec<Held>,
    /// What could not be read.
    pub damage: Option<Damage>,
}

/// What of a spool could not be read. It is gone: the next write leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that were passed over.
    pub bytes: u64,
    /// How many points were lost with them; unknown if the end of the file is among
    /// what was lost, as it is when a write was cut short.
    pub points: Option<u64>,
}

/// A change in how a spool does. Each is told once.
#[derive(Debug)]
pub enum Event {
    /// The disk does not take what is held: it is in memory only, until it does.
    Degraded(SpoolError),
    /// All that is held is on disk again.
    Healed,
}

/// Why a spool cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SpoolError {
    #[error("{dir} is not a folder, create it or mount a volume there")]
    NotAFolder { dir: PathBuf },
    #[error("cannot write to {dir}, make it writable for the user that this process runs as")]
    NotWritable { dir: PathBuf, source: io::Error },
    #[error("{dir} is in use by another process, give each process a folder of its own")]
    InUse { dir: PathBuf },
    #[error("lock {dir}, use a file system with file locks")]
    Lock { dir: PathBuf, source: io::Error },
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path} has format {version}, this program reads up to {}; run a newer one, or move the file away and lose its points",
        record::VERSION
    )]
    Newer { path: PathBuf, version: u32 },
    #[error("write to {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("write {path} anew")]
    Replace { path: PathBuf, source: io::Error },
}

impl Spool {
    /// Opens the spool in a folder, which no other process can then open, and reads
    /// what it holds into an outbox of at most `limit` points. A damaged file is read
    /// as far as it can be; a full disk is told by the first [`Spool::sync`].
    pub fn open(dir: &Path, limit: usize) -> Result<Opened, SpoolError> {
        let folder = Folder::lock(dir)?;
        Self::open_on(Box::new(folder), dir.join(disk::FILE), limit)
    }

    fn open_on(disk: Box<dyn Disk>, path: PathBuf, limit: usize) -> Result<Opened, SpoolError> {
        let mut opened = Opened {
            spool: Self {
                path,
                disk,
                log: None,
                is_degraded: false,
            },
            outbox: Outbox::new(limit),
            restored: 0,
            overflowed: Vec::new(),
            damage: None,
        };
        opened.read()?;
        Ok(opened)
    }

    /// Brings to disk what the outbox holds; to be called after every change of it. It
    /// blocks.
    ///
    /// Points that are new are safe from a loss of power when this returns, and it
    /// waits for the disk that long. The absence of points that left is safe from
    /// `kill -9`. Without a difference nothing is written.
    pub fn sync<'a>(&mut self, held: impl IntoIterator<Item = &'a Held>) -> Option<Event> {
        let mut held: Vec<_> = held.into_iter().collect();
        held.sort_by_key(|held| held.id);
        let written = self.write(&held);
        let was_degraded = std::mem::replace(&mut self.is_degraded, written.is_err());
        match written {
            Err(error) if !was_degraded => Some(Event::Degraded(error)),
            Ok(()) if was_degraded => Some(Event::Healed),
            _ => None,
        }
    }

    /// Whether the disk is behind the outbox, since a write failed.
    #[cfg(test)]
    fn is_degraded(&self) -> bool {
        self.is_degraded
    }

    fn write(&mut self, held: &[&Held]) -> Result<(), SpoolError> {
        if let Some(log) = &mut self.log {
            let change = log.change_to(held);
            if !log.is_wasted_by(&change) {
                let applied = log.apply(change);
                if !log.is_sound() {
                    self.log = None;
                }
                return applied.map_err(|source| SpoolError::Write {
                    path: self.path.clone(),
                    source,
                });
            }
        }
        self.replace(held).map_err(|source| SpoolError::Replace {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes all that is held to a new file. Until that is complete the old one
    /// stays, and stays in use if there was no space for two.
    fn replace(&mut self, held: &[&Held]) -> io::Result<()> {
        let log = Log::create(self.disk.as_mut(), held)?;
        // The old one may have lost its name even if this fails.
        self.log = None;
        self.disk.publish()?;
        self.log = Some(log);
        Ok(())
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("path", &self.path)
            .field("is_degraded", &self.is_degraded)
            .finish_non_exhaustive()
    }
}

impl Opened {
    fn read(&mut self) -> Result<(), SpoolError> {
        let spool = &mut self.spool;
        let path = || spool.path.clone();
        let read = |source| SpoolError::Read {
            path: path(),
            source,
        };
        let Some(file) = spool.disk.open().map_err(read)? else {
            return self.begin();
        };
        let scan = scan::scan(file.as_ref()).map_err(read)?;
        if let Some(version) = scan.newer {
            return Err(SpoolError::Newer {
                path: path(),
                version,
            });
        }
        let ids: Vec<Id> = scan.held.keys().copied().collect();
        self.restored = ids.len();
        self.damage = scan.damage;
        let held = scan.held.into_iter();
        self.overflowed = self
            .outbox
            .restore(held.map(|(id, point)| Held { id, point }));
        let resume = |end| Log::resume(file, end, ids, scan.dead);
        spool.log = scan.end.map(resume);
        Ok(())
    }

    /// Begins a spool in a folder that has none. A full disk is no reason not to
    /// start; anything else would not get better by itself.
    fn begin(&mut self) -> Result<(), SpoolError> {
        match self.spool.replace(&[]) {
            Err(source) if !is_full(&source) => Err(SpoolError::Replace {
                path: self.spool.path.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests;
