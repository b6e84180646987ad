//! The outbox on disk (`SPOOL_DIR`): what is held survives a restart, `kill -9` and
//! the loss of the machine.
//!
//! The format is our own because the crates that would fit either are a whole
//! database, or read a damaged file not at all. It is an append-only file of points
//! and removals, each with its own CRC-32; ARCHITECTURE.md has the bytes.
//!
//! There is nothing to tell a spool but "write": [`Spool::sync`] asks the outbox for what
//! changed since the file was last like it, some points at a time. A failed write is taken
//! back and leaves more for the next time, so going on in memory and healing need no code
//! of their own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::outbox::{Change, Lend, Limits, Lost, Outbox, Restoring};

mod disk;
mod error;
mod log;
mod record;
mod scan;

use disk::{Disk, Folder, Found};
pub use error::SpoolError;
use log::Log;
pub use scan::Damage;
use scan::Scan;

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
    /// Those of them that the outbox does not hold, for its bounds or for their age.
    pub lost: Vec<Lost>,
    /// What could not be read.
    pub damage: Option<Damage>,
}

/// A change in how a spool does. Each is told once.
#[derive(Debug)]
pub enum Event {
    /// The disk does not take what is held: it is in memory only, until it does.
    Degraded(SpoolError),
    /// All that is held is on disk again.
    Healed,
}

/// What became of one [`Spool::sync`].
#[derive(Debug)]
pub struct Synced {
    /// The revision of the outbox that is on disk, or that could not be brought there.
    pub revision: u64,
    /// What is to be told.
    pub event: Option<Event>,
}

impl Spool {
    /// Opens the spool in a folder, which no other process can then open, and reads
    /// what it holds into an outbox with these limits. A damaged file is read as far as
    /// it can be; a full disk is told by the first [`Spool::sync`].
    pub fn open(dir: &Path, limits: Limits, now: DateTime<Utc>) -> Result<Opened, SpoolError> {
        let folder = Folder::lock(dir)?;
        Self::open_on(Box::new(folder), dir.join(disk::FILE), limits, now)
    }

    fn open_on(
        disk: Box<dyn Disk>,
        path: PathBuf,
        limits: Limits,
        now: DateTime<Utc>,
    ) -> Result<Opened, SpoolError> {
        let mut spool = Self {
            path,
            disk,
            log: None,
            is_degraded: false,
        };
        let mut restoring = Restoring::new(limits, now);
        let scan = spool.read(&mut restoring)?;
        let restored = restoring.len();
        let (mut outbox, lost) = restoring.done();
        let Some((file, scan)) = scan else {
            spool.begin(&mut outbox)?;
            return Ok(Opened {
                spool,
                outbox,
                restored,
                lost,
                damage: None,
            });
        };
        // A file that is not as the outbox is written anew.
        if let Some(end) = scan.end.filter(|_| lost.is_empty() && file.is_own) {
            spool.log = Some(Log::resume(file.file, end, restored, scan.dead));
            outbox.has_copy();
        }
        Ok(Opened {
            spool,
            outbox,
            restored,
            lost,
            damage: scan.damage,
        })
    }

    /// Reads the file, if there is one.
    fn read(&self, restoring: &mut Restoring) -> Result<Option<(Found, Scan)>, SpoolError> {
        let path = || self.path.clone();
        let failed = |source| SpoolError::Read {
            path: path(),
            source,
        };
        let Some(found) = self.disk.open().map_err(failed)? else {
            return Ok(None);
        };
        let scan = scan::scan(found.file.as_ref(), restoring).map_err(failed)?;
        match scan.newer {
            Some(version) => Err(SpoolError::Newer {
                path: path(),
                version,
            }),
            None => Ok(Some((found, scan))),
        }
    }

    /// Begins a spool in a folder that has none. A full disk is no reason not to
    /// start; anything else would not get better by itself.
    fn begin(&mut self, outbox: &mut Outbox) -> Result<(), SpoolError> {
        match self.replace(outbox) {
            Err(SpoolError::Replace { source, .. }) if is_full(&source) => Ok(()),
            begun => begun,
        }
    }

    /// Brings to disk what the outbox holds; to be called after every change of it. It
    /// blocks, but keeps the outbox for moments only.
    ///
    /// Points that are new are safe from a loss of power when this returns, and it
    /// waits for the disk that long. The absence of points that left is safe from
    /// `kill -9`. Without a difference nothing is written.
    pub fn sync(&mut self, outbox: &mut impl Lend) -> Synced {
        let written = self.write(outbox);
        let was_degraded = std::mem::replace(&mut self.is_degraded, written.is_err());
        match written {
            Ok(revision) => Synced {
                revision,
                event: was_degraded.then_some(Event::Healed),
            },
            Err(error) => Synced {
                revision: outbox.lend(|outbox| outbox.revision()),
                event: (!was_degraded).then_some(Event::Degraded(error)),
            },
        }
    }

    /// Whether the disk is behind the outbox, since a write failed.
    #[cfg(test)]
    fn is_degraded(&self) -> bool {
        self.is_degraded
    }

    /// Writes one change after the other until there is none; gives the revision that the
    /// file is then.
    fn write(&mut self, outbox: &mut impl Lend) -> Result<u64, SpoolError> {
        loop {
            let Some(log) = &mut self.log else {
                self.replace(outbox)?;
                continue;
            };
            let change = outbox.lend(Outbox::next_change);
            let written = match &change {
                Change::Removed(removed) if log.is_wasted_without(removed) => {
                    outbox.lend(|outbox| outbox.take_back(change));
                    self.replace(outbox)?;
                    continue;
                }
                Change::Removed(removed) => log.remove(removed),
                Change::Added(added) => log.add(added),
                Change::None(_) => log.flush(),
            };
            if !log.is_sound() {
                self.log = None;
                outbox.lend(Outbox::has_no_copy);
            }
            match (written, change) {
                (Ok(()), Change::None(revision)) => return Ok(revision),
                (Ok(()), _) => {}
                (Err(source), change) => {
                    outbox.lend(|outbox| outbox.take_back(change));
                    return Err(SpoolError::Write {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }

    /// Writes all that is held to a new file. Until that is complete the old one
    /// stays, and stays in use if there was no space for two.
    fn replace(&mut self, outbox: &mut impl Lend) -> Result<(), SpoolError> {
        outbox.lend(Outbox::begin_rewrite);
        let created = Log::create(self.disk.as_mut(), || outbox.lend(Outbox::next_to_rewrite));
        let replaced = created.and_then(|log| {
            // The old one may have lost its name even if this fails.
            self.log = None;
            outbox.lend(Outbox::has_no_copy);
            self.disk.publish()?;
            self.log = Some(log);
            Ok(())
        });
        outbox.lend(|outbox| outbox.end_rewrite(replaced.is_ok()));
        replaced.map_err(|source| SpoolError::Replace {
            path: self.path.clone(),
            source,
        })
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

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests;
