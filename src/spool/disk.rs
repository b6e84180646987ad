//! What a spool asks of a disk, and the folder that answers. The tests have a second
//! answer, which fills up, fails and remembers every step.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::SpoolError;

#[cfg(test)]
pub(super) mod memory;

/// The spool's file.
pub(super) const FILE: &str = "outbox.spool";
/// What becomes the spool's file once it is complete.
const NEW_FILE: &str = "outbox.spool.new";
/// Locked as long as a process uses the folder. It is a file of its own because the
/// spool's file is replaced, and no folder because NFS locks only files.
const LOCK_FILE: &str = "outbox.lock";

/// A place for one file, which is replaced as a whole.
pub(super) trait Disk: Send {
    /// The file, if there is one.
    fn open(&self) -> io::Result<Option<Box<dyn DiskFile>>>;

    /// An empty new file beside it.
    fn create(&mut self) -> io::Result<Box<dyn DiskFile>>;

    /// Puts the new file in the place of the old one. After an error either may be
    /// in the place.
    fn publish(&mut self) -> io::Result<()>;
}

/// A file that is read and written by position.
pub(super) trait DiskFile: Send {
    /// Reads some bytes from `at` on, none only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all bytes. After an error some may be written.
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts the file off.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Returns once a loss of power cannot undo what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder that no other process uses as a spool.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The kernel unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    pub(super) fn lock(path: &Path) -> Result<Self, SpoolError> {
        let dir = || path.to_owned();
        if !path.is_dir() {
            return Err(SpoolError::NotAFolder { dir: dir() });
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))
            .map_err(|source| SpoolError::NotWritable { dir: dir(), source })?;
        match lock.try_lock() {
            Ok(()) => {
                // A process that was killed may have left half of one.
                let _ = std::fs::remove_file(path.join(NEW_FILE));
                Ok(Self {
                    path: dir(),
                    _lock: lock,
                })
            }
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { dir: dir() }),
            Err(TryLockError::Error(source)) => Err(SpoolError::Lock { dir: dir(), source }),
        }
    }
}

impl Disk for Folder {
    fn open(&self) -> io::Result<Option<Box<dyn DiskFile>>> {
        let path = self.path.join(FILE);
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(self.path.join(NEW_FILE))?))
    }

    fn publish(&mut self) -> io::Result<()> {
        std::fs::rename(self.path.join(NEW_FILE), self.path.join(FILE))?;
        File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, at)
    }

    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
