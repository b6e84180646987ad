//! What a spool asks of a disk, and the folder that answers. The tests have a second
//! answer, which fills up, fails and remembers every step.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::SpoolError;

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
    fn open(&self) -> io::Result<Option<Found>>;

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

/// A file that is there.
pub(super) struct Found {
    /// The file.
    pub(super) file: Box<dyn DiskFile>,
    /// Whether nobody else has a hand in it. One that belongs to another user, or has a
    /// second name somewhere, is read but never written on: a new file takes its place.
    pub(super) is_own: bool,
}

/// A folder that no other process uses as a spool.
///
/// Whoever else may write to the folder shall not have the publisher write elsewhere, wait
/// for ever, or show what it holds: its files are regular ones, of one name, for one user
/// alone. The folder itself may be a symbolic link, as volumes are.
#[derive(Debug)]
pub(super) struct Folder {
    dir: OwnedFd,
    /// The kernel unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    pub(super) fn lock(path: &Path) -> Result<Self, SpoolError> {
        let dir = || path.to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match open(path, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(SpoolError::NotAFolder { dir: dir() }),
            Err(error) => {
                let source = error.into();
                return Err(SpoolError::NotWritable { dir: dir(), source });
            }
        };
        let lock = match open_file(&folder, LOCK_FILE, OFlags::CREATE) {
            Ok((lock, _)) => lock,
            Err(source) if is_refusal(&source) => {
                return Err(SpoolError::NotWritable { dir: dir(), source });
            }
            Err(source) => {
                let path = path.join(LOCK_FILE);
                return Err(SpoolError::LockFile { path, source });
            }
        };
        match lock.try_lock() {
            Ok(()) => {
                // A process that was killed may have left half of one.
                let _ = unlinkat(&folder, NEW_FILE, AtFlags::empty());
                Ok(Self {
                    dir: folder,
                    _lock: lock,
                })
            }
            Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { dir: dir() }),
            Err(TryLockError::Error(source)) => Err(SpoolError::Lock { dir: dir(), source }),
        }
    }
}

/// Whether the folder takes no file, whatever stands in it.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

/// Opens a regular file, and no other, for reading and writing. Tells whether it is this
/// user's alone.
fn open_file(dir: &OwnedFd, name: &str, how: OFlags) -> io::Result<(File, bool)> {
    let private = Mode::RUSR | Mode::WUSR;
    // Not blocking: opening a pipe or a device may take for ever. A regular file knows no
    // difference.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(dir, name, flags | how, private) {
        Ok(file) => File::from(file),
        // What comes of a symbolic link, on Linux or elsewhere, and of a socket or a device.
        Err(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::NODEV) => return Err(not_regular()),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_regular());
    }
    let is_own = metadata.uid() == geteuid().as_raw() && metadata.nlink() == 1;
    if is_own && metadata.mode() & 0o777 != 0o600 {
        // A umask, or an earlier version, made it so. Some file systems have one mode for
        // all files, which is no reason not to use them.
        let _ = fchmod(&file, private);
    }
    Ok((file, is_own))
}

fn not_regular() -> io::Error {
    let message = "it is no regular file, remove it";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

impl Disk for Folder {
    fn open(&self) -> io::Result<Option<Found>> {
        match open_file(&self.dir, FILE, OFlags::empty()) {
            Ok((file, is_own)) => {
                let file = Box::new(file);
                Ok(Some(Found { file, is_own }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self) -> io::Result<Box<dyn DiskFile>> {
        // Whatever stands there is not written on. If it stays, the next step fails.
        let _ = unlinkat(&self.dir, NEW_FILE, AtFlags::empty());
        let (file, _) = open_file(&self.dir, NEW_FILE, OFlags::CREATE | OFlags::EXCL)?;
        Ok(Box::new(file))
    }

    fn publish(&mut self) -> io::Result<()> {
        renameat(&self.dir, NEW_FILE, &self.dir, FILE)?;
        Ok(fsync(&self.dir)?)
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
