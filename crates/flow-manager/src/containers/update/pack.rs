//! Tars that replace a folder exactly: the folder's name first as a file, which takes the place
//! of the folder with all that is in it, and then as a folder.

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tar::{Builder, EntryType, Header};

use super::shown;
use crate::policy::PathError;

/// Why a folder cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error(transparent)]
    Path(PathError),
    #[error("no folder")]
    NoFolder,
    #[error("{} is neither file, folder nor link", shown(.path))]
    Kind { path: PathBuf },
    #[error("more than {bytes} bytes or {files} files")]
    TooLarge { bytes: u64, files: u64 },
    #[error("read {}", shown(.path))]
    Read { path: PathBuf, source: io::Error },
}

/// Packs a folder under a name. Links go in as they are; owners become the container's user.
pub(super) fn pack(folder: &Path, name: &str, bytes: u64, files: u64) -> Result<Bytes, PackError> {
    if !folder.is_dir() {
        return Err(PackError::NoFolder);
    }
    let mut packer = Packer {
        tar: Builder::new(file_of(name)),
        left: (bytes, files),
        limits: (bytes, files),
    };
    packer.add(folder, Path::new(name))?;
    let tar = packer.tar.into_inner();
    let tar = tar.map_err(|source| PackError::Read {
        path: folder.to_owned(),
        source,
    })?;
    Ok(tar.into())
}

/// Makes a tar that came from a container replace the folder that it is of.
pub(super) fn as_replacement(name: &str, tar: &[u8]) -> Bytes {
    [&*file_of(name), tar].concat().into()
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
    fn add(&mut self, path: &Path, name: &Path) -> Result<(), PackError> {
        let read = |source| PackError::Read {
            path: path.to_owned(),
            source,
        };
        let metadata = fs::symlink_metadata(path).map_err(read)?;
        self.count(match metadata.is_file() {
            true => metadata.len(),
            false => 0,
        })?;
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
        header.set_size(0);
        if metadata.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let to = fs::read_link(path).map_err(read)?;
            return self.tar.append_link(&mut header, name, to).map_err(read);
        }
        if metadata.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(metadata.len());
            // A file that grew meanwhile is cut off, one that shrank filled up: the sizes must fit.
            let file = File::open(path).map_err(read)?;
            let mut content = Cursor::new(Vec::new());
            io::copy(&mut io::Read::take(file, metadata.len()), &mut content).map_err(read)?;
            let missing = metadata
                .len()
                .saturating_sub(content.get_ref().len() as u64);
            let filled = content.write_all(&vec![0; usize::try_from(missing).unwrap_or(0)]);
            filled.map_err(read)?;
            content.set_position(0);
            return self
                .tar
                .append_data(&mut header, name, content)
                .map_err(read);
        }
        if !metadata.is_dir() {
            return Err(PackError::Kind {
                path: path.to_owned(),
            });
        }
        header.set_entry_type(EntryType::Directory);
        self.tar
            .append_data(&mut header, name, io::empty())
            .map_err(read)?;
        for entry in fs::read_dir(path).map_err(read)? {
            let entry = entry.map_err(read)?;
            self.add(&entry.path(), &name.join(entry.file_name()))?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), PackError> {
        let (bytes_left, files_left) = self.left;
        let left = bytes_left.checked_sub(bytes).zip(files_left.checked_sub(1));
        let (bytes, files) = self.limits;
        self.left = left.ok_or(PackError::TooLarge { bytes, files })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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

    #[test]
    fn folder_takes_the_place_of_a_file_that_took_the_place_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("main.py"), "print()").unwrap();
        symlink("main.py", place.path().join("link")).unwrap();
        let tar = pack(place.path(), "app", 100, 10).unwrap();
        let mut found = entries(&tar);
        assert_eq!(found.remove(0), ("app".to_owned(), EntryType::Regular));
        assert_eq!(found.remove(0), ("app".to_owned(), EntryType::Directory));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let (link, file) = (
            ("app/link".to_owned(), EntryType::Symlink),
            ("app/main.py".to_owned(), EntryType::Regular),
        );
        assert_eq!(found, [link, file]);
        assert_eq!(entries(&as_replacement("app", &tar)).len(), 5);
    }

    #[test]
    fn size_and_number_are_bounded() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), "12345").unwrap();
        assert!(pack(place.path(), "app", 5, 2).is_ok());
        assert!(matches!(
            pack(place.path(), "app", 4, 2),
            Err(PackError::TooLarge { .. })
        ));
        assert!(matches!(
            pack(place.path(), "app", 5, 1),
            Err(PackError::TooLarge { .. })
        ));
        assert!(matches!(
            pack(&place.path().join("a"), "app", 5, 5),
            Err(PackError::NoFolder)
        ));
    }
}
