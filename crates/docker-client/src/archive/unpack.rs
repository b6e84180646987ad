//! A tar into a local folder, and nowhere else: what a container hands out is not trusted.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tar::{Archive, Entry, EntryType};

use crate::archive::ArchiveLimits;
use crate::error::DockerClientError;

/// Unpacks `tar` into the folder `target`, which is made if it is not there.
///
/// Every folder on an entry's way is a real one below the target, so nothing is written through
/// a symbolic link; and a link is made only if it cannot lead outside.
pub(super) fn unpack(
    tar: impl Read,
    target: &Path,
    limits: ArchiveLimits,
) -> Result<(), DockerClientError> {
    fs::create_dir_all(target).map_err(|error| local("make", target, error))?;
    let mut unpacking = Unpacking {
        target,
        limits,
        bytes: 0,
        folders: Vec::new(),
    };
    let mut archive = Archive::new(tar);
    let entries = archive.entries().map_err(damaged)?;
    for (number, entry) in entries.enumerate() {
        let entry = entry.map_err(damaged)?;
        if number as u64 >= limits.entries {
            return Err(refused(
                &name(&entry),
                "the archive has more entries than the limit",
            ));
        }
        unpacking.take(entry)?;
    }
    unpacking.finish()
}

struct Unpacking<'a> {
    target: &'a Path,
    limits: ArchiveLimits,
    bytes: u64,
    /// Folders, and the permissions that they get at the end: some cannot be written to.
    folders: Vec<(PathBuf, u32)>,
}

impl Unpacking<'_> {
    fn take(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), DockerClientError> {
        let name = name(&entry);
        let path = relative(&entry.path_bytes(), &name)?;
        let Some(file_name) = path.file_name() else {
            // The folder itself.
            return Ok(());
        };
        let parent = self.make_folders(path.parent().unwrap_or(Path::new("")), &name)?;
        let file = parent.join(file_name);
        let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
        match entry.header().entry_type() {
            EntryType::Directory => {
                self.make_folder(&file, &name)?;
                self.folders.push((file, mode));
                Ok(())
            }
            EntryType::Symlink => {
                let to = link_target(&entry, &name)?;
                check_link(&path, &to, &name)?;
                self.clear(&file, &name)?;
                symlink(&to, &file).map_err(|error| local("make", &file, error))
            }
            EntryType::Link => {
                let to = link_target(&entry, &name)?;
                let to = relative(to.as_os_str().as_encoded_bytes(), &name)?;
                let folder = self.existing(to.parent().unwrap_or(Path::new("")), &name)?;
                let to = folder.join(to.file_name().unwrap_or_default());
                if !fs::symlink_metadata(&to).is_ok_and(|metadata| metadata.is_file()) {
                    return Err(refused(
                        &name,
                        "it is a link to what is no file of the archive",
                    ));
                }
                self.clear(&file, &name)?;
                fs::hard_link(&to, &file).map_err(|error| local("make", &file, error))
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.clear(&file, &name)?;
                self.write(&mut entry, &file, mode)
            }
            _ => Err(refused(&name, "it is neither file nor folder nor link")),
        }
    }

    fn write(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        mode: u32,
    ) -> Result<(), DockerClientError> {
        let failed = |error| local("write", path, error);
        let mut file = File::create_new(path).map_err(failed)?;
        let left = self.limits.bytes - self.bytes;
        // Of a sparse file the archive has less than is written.
        let written =
            io::copy(&mut entry.take(left.saturating_add(1)), &mut file).map_err(failed)?;
        if written > left {
            let what = "the archive".to_owned();
            return Err(DockerClientError::TooLarge {
                what,
                limit: self.limits.bytes,
            });
        }
        self.bytes += written;
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(failed)?;
        if let Ok(seconds) = entry.header().mtime()
            && let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        {
            // A time that the file system cannot hold is of no weight.
            let _ = file.set_modified(time);
        }
        Ok(())
    }

    /// Makes the folders on the way to an entry.
    fn make_folders(&self, path: &Path, name: &str) -> Result<PathBuf, DockerClientError> {
        let mut folder = self.target.to_owned();
        for part in path {
            folder.push(part);
            self.make_folder(&folder, name)?;
        }
        Ok(folder)
    }

    fn make_folder(&self, folder: &Path, name: &str) -> Result<(), DockerClientError> {
        match fs::symlink_metadata(folder) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(refused(name, "a folder on its way is a file or a link")),
            Err(_) => fs::create_dir(folder).map_err(|error| local("make", folder, error)),
        }
    }

    /// A folder that is there, without links on the way.
    fn existing(&self, path: &Path, name: &str) -> Result<PathBuf, DockerClientError> {
        let mut folder = self.target.to_owned();
        for part in path {
            folder.push(part);
            if !fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
                return Err(refused(name, "a folder on its link's way is no folder"));
            }
        }
        Ok(folder)
    }

    /// Makes room for a file or link; what is there is replaced, not written through.
    fn clear(&self, path: &Path, name: &str) -> Result<(), DockerClientError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(refused(name, "a folder stands in its place")),
            Ok(_) => fs::remove_file(path).map_err(|error| local("replace", path, error)),
            Err(_) => Ok(()),
        }
    }

    fn finish(self) -> Result<(), DockerClientError> {
        for (folder, mode) in self.folders.iter().rev() {
            fs::set_permissions(folder, Permissions::from_mode(*mode))
                .map_err(|error| local("set the permissions of", folder, error))?;
        }
        Ok(())
    }
}

/// The path of an entry below the target.
fn relative(bytes: &[u8], name: &str) -> Result<PathBuf, DockerClientError> {
    let text = std::str::from_utf8(bytes).map_err(|_| refused(name, "its name is no UTF-8"))?;
    let mut path = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => {
                return Err(refused(name, "its path is absolute"));
            }
            Component::ParentDir => return Err(refused(name, "its path has `..`")),
        }
    }
    Ok(path)
}

/// A link may go up, then down: `..` behind a name would go up from wherever that name leads.
fn check_link(path: &Path, to: &Path, name: &str) -> Result<(), DockerClientError> {
    let outside = || refused(name, "it is a link that leads outside");
    let mut depth = path.components().count() - 1;
    let mut down = false;
    for component in to.components() {
        match component {
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir if !down => depth = depth.checked_sub(1).ok_or_else(outside)?,
            _ => return Err(outside()),
        }
    }
    Ok(())
}

fn link_target(entry: &Entry<'_, impl Read>, name: &str) -> Result<PathBuf, DockerClientError> {
    let target = entry.link_name().map_err(damaged)?;
    target
        .map(|target| target.into_owned())
        .ok_or_else(|| refused(name, "it is a link to nothing"))
}

fn name(entry: &Entry<'_, impl Read>) -> String {
    String::from_utf8_lossy(&entry.path_bytes())
        .chars()
        .take(200)
        .collect()
}

fn refused(entry: &str, reason: &'static str) -> DockerClientError {
    DockerClientError::ArchiveEntry {
        entry: entry.to_owned(),
        reason,
    }
}

fn damaged(source: io::Error) -> DockerClientError {
    let operation = "read the archive".to_owned();
    DockerClientError::Decode {
        operation,
        source: Box::new(source),
    }
}

fn local(operation: &'static str, path: &Path, source: io::Error) -> DockerClientError {
    DockerClientError::LocalFile {
        operation,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
