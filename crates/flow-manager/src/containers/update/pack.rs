//! Tars that replace a folder exactly: the folder's name first as a file, which takes the place
//! of the folder with all that is in it, and then as a folder.
//!
//! Who can write in the folder may exchange what is in it while it is packed. So each part is
//! opened in the folder that is open already, never by its path, and never through a link; what
//! counts is what was opened.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use tar::{Builder, EntryType, Header};

use super::shown;
use crate::policy::PathError;

/// Most folders in one another: each is open while those in it are packed.
const DEPTH_MAX: usize = 64;

/// Why a folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error(transparent)]
    Path(PathError),
    #[error("{} is neither file, folder nor link", shown(.path))]
    Kind { path: PathBuf },
    #[error("more than {bytes} bytes or {files} files")]
    TooLarge { bytes: u64, files: u64 },
    #[error("more than {DEPTH_MAX} folders in one another")]
    TooDeep,
    #[error("read {}", shown(.path))]
    Read { path: PathBuf, source: io::Error },
}

/// Packs a folder under a name. Links go in as they are; owners become the container's user.
pub(super) fn pack(
    folder: OwnedFd,
    name: &str,
    bytes: u64,
    files: u64,
) -> Result<Bytes, PackError> {
    let mut packer = Packer {
        tar: Builder::new(file_of(name)),
        left: (bytes, files),
        limits: (bytes, files),
    };
    let name = Path::new(name);
    let stat = fstat(&folder).map_err(|error| read_error(name, error))?;
    packer.count(&stat)?;
    packer.add_folder(folder, &stat, name, 1)?;
    let tar = packer.tar.into_inner();
    let tar = tar.map_err(|error| read_error(name, error))?;
    Ok(tar.into())
}

/// Makes a tar that came from a container, in pieces, replace the folder that it is of.
pub(super) fn as_replacement(name: &str, pieces: &[Bytes]) -> Bytes {
    let mut tar = file_of(name);
    tar.reserve_exact(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        tar.extend_from_slice(piece);
    }
    tar.into()
}

/// An empty file of this name, as the beginning of a tar.
fn file_of(name: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(0);
    header.set_mode(0o600);
    let mut tar = Builder::new(Vec::new());
    let added = tar.append_data(&mut header, name, io::empty());
    added.expect("memory can be written, and the name is part of a path");
    // Without the end mark that `finish` writes.
    std::mem::take(tar.get_mut())
}

struct Packer {
    tar: Builder<Vec<u8>>,
    left: (u64, u64),
    limits: (u64, u64),
}

impl Packer {
    /// Adds what has a name in a folder. `path` is its name in the tar.
    fn add(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), PackError> {
        let failed = |error: rustix::io::Errno| read_error(path, error);
        let kind = || PackError::Kind {
            path: path.to_owned(),
        };
        let seen = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        match FileType::from_raw_mode(seen.st_mode) {
            FileType::Symlink => {
                self.count(&seen)?;
                let to = readlinkat(folder, name, Vec::new()).map_err(failed)?;
                let mut header = header(&seen, EntryType::Symlink, 0);
                let to = Path::new(OsStr::from_bytes(to.as_bytes()));
                let added = self.tar.append_link(&mut header, path, to);
                return added.map_err(|error| read_error(path, error));
            }
            FileType::RegularFile | FileType::Directory => {}
            _ => return Err(kind()),
        }
        // Opening a FIFO that took the place of a file must not wait for who writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(folder, name, flags, Mode::empty()).map_err(failed)?;
        let stat = fstat(&opened).map_err(failed)?;
        self.count(&stat)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.add_file(opened.into(), &stat, path),
            FileType::Directory => self.add_folder(opened, &stat, path, depth + 1),
            _ => Err(kind()),
        }
    }

    /// A file that grew meanwhile is cut off, one that shrank filled up: the sizes must fit.
    fn add_file(&mut self, file: File, stat: &Stat, path: &Path) -> Result<(), PackError> {
        let failed = |error: io::Error| read_error(path, error);
        let size = size(stat);
        let mut content = Cursor::new(Vec::new());
        let copied = io::copy(&mut file.take(size), &mut content).map_err(failed)?;
        let missing = usize::try_from(size - copied).unwrap_or(0);
        content.write_all(&vec![0; missing]).map_err(failed)?;
        content.set_position(0);
        let mut header = header(stat, EntryType::Regular, size);
        let added = self.tar.append_data(&mut header, path, content);
        added.map_err(failed)
    }

    fn add_folder(
        &mut self,
        folder: OwnedFd,
        stat: &Stat,
        path: &Path,
        depth: usize,
    ) -> Result<(), PackError> {
        if depth > DEPTH_MAX {
            return Err(PackError::TooDeep);
        }
        let mut header = header(stat, EntryType::Directory, 0);
        let added = self.tar.append_data(&mut header, path, io::empty());
        added.map_err(|error| read_error(path, error))?;
        for name in self.names(folder.as_fd(), path)? {
            let path = path.join(OsStr::from_bytes(name.as_bytes()));
            self.add(folder.as_fd(), &name, &path, depth)?;
        }
        Ok(())
    }

    /// What is in a folder, but not more than may still be packed.
    fn names(&self, folder: BorrowedFd<'_>, path: &Path) -> Result<Vec<CString>, PackError> {
        let failed = |error: rustix::io::Errno| read_error(path, error);
        let mut names = Vec::new();
        for entry in Dir::read_from(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_owned();
            if matches!(name.as_bytes(), b"." | b"..") {
                continue;
            }
            names.push(name);
            if names.len() as u64 > self.left.1 {
                return Err(self.too_large());
            }
        }
        Ok(names)
    }

    fn count(&mut self, stat: &Stat) -> Result<(), PackError> {
        let bytes = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => size(stat),
            _ => 0,
        };
        let (bytes_left, files_left) = self.left;
        let left = bytes_left.checked_sub(bytes).zip(files_left.checked_sub(1));
        self.left = left.ok_or_else(|| self.too_large())?;
        Ok(())
    }

    fn too_large(&self) -> PackError {
        let (bytes, files) = self.limits;
        PackError::TooLarge { bytes, files }
    }
}

fn header(stat: &Stat, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(size);
    header
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn read_error(path: &Path, error: impl Into<io::Error>) -> PackError {
    PackError::Read {
        path: path.to_owned(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;

    fn entries(tar: &[u8]) -> Vec<(String, EntryType)> {
        let mut archive = tar::Archive::new(tar);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            (
                entry.path().unwrap().display().to_string(),
                entry.header().entry_type(),
            )
        });
        entries.collect()
    }

    fn packed(folder: &Path, bytes: u64, files: u64) -> Result<Bytes, PackError> {
        pack(File::open(folder).unwrap().into(), "app", bytes, files)
    }

    #[test]
    fn folder_takes_the_place_of_a_file_that_took_the_place_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("main.py"), "print()").unwrap();
        symlink("main.py", place.path().join("link")).unwrap();
        let tar = packed(place.path(), 100, 10).unwrap();
        let mut found = entries(&tar);
        assert_eq!(found.remove(0), ("app".to_owned(), EntryType::Regular));
        assert_eq!(found.remove(0), ("app".to_owned(), EntryType::Directory));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let (link, file) = (
            ("app/link".to_owned(), EntryType::Symlink),
            ("app/main.py".to_owned(), EntryType::Regular),
        );
        assert_eq!(found, [link, file]);
        assert_eq!(entries(&as_replacement("app", &[tar])).len(), 5);
    }

    #[test]
    fn size_number_and_depth_are_bounded() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), "12345").unwrap();
        assert!(packed(place.path(), 5, 2).is_ok());
        for (bytes, files) in [(4, 2), (5, 1)] {
            let refused = packed(place.path(), bytes, files);
            assert!(matches!(refused, Err(PackError::TooLarge { .. })));
        }
        let path = |depth| place.path().join(vec!["d"; depth].join("/"));
        fs::create_dir_all(path(DEPTH_MAX - 1)).unwrap();
        assert!(packed(place.path(), 100, 100).is_ok());
        fs::create_dir(path(DEPTH_MAX)).unwrap();
        let refused = packed(place.path(), 100, 100);
        assert!(matches!(refused, Err(PackError::TooDeep)));
    }

    #[test]
    fn link_that_takes_the_place_of_a_file_while_it_is_packed_is_not_followed() {
        let (place, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret");
        fs::write(&secret, "hunter2").unwrap();
        let (at, other) = (place.path().join("x"), outside.path().join("x"));
        fs::write(&at, "harmless").unwrap();
        symlink(&secret, &other).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let exchanging = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                renameat_with(CWD, &at, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let (mut links, mut files) = (0, 0);
        while links < 5000 || files < 5000 {
            match packed(place.path(), 1000, 10) {
                Ok(tar) => match entries(&tar).pop().unwrap().1 {
                    EntryType::Symlink => links += 1,
                    _ => {
                        files += 1;
                        assert!(!tar.windows(7).any(|bytes| bytes == b"hunter2"));
                    }
                },
                Err(error) => assert!(matches!(error, PackError::Read { .. }), "{error}"),
            }
        }
        ends.store(true, Ordering::Relaxed);
        exchanging.join().unwrap();
    }

    #[test]
    fn fifo_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let refused = packed(place.path(), 100, 10);
        assert!(matches!(refused, Err(PackError::Kind { .. })));
    }
}
