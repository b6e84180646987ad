//! A Unix socket that only our own user can open.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Who listens takes a connection at once, or has so many that it is there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Where a socket is, as long as it is ours: it is removed with this.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_ours = |metadata: Metadata| file(&metadata) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn file(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Listens on a socket that nobody else can open at any moment: it is made in a folder that only
/// we can enter, and gets its name when it has its mode. A socket on which nobody listens any more
/// is replaced, anything else is not.
pub(super) async fn bind_private(path: &Path) -> io::Result<(UnixListener, Place)> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(_) => match timeout(ANSWERS_WITHIN, UnixStream::connect(path)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {}
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) | Err(_) => return Err(ErrorKind::AddrInUse.into()),
        },
        Err(_) => {}
    }
    let name = format!(".flow-manager.{:016x}", rand::random::<u64>());
    let folder = path.parent().unwrap_or(Path::new("/")).join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = bind_in(&folder, path);
    let _ = fs::remove_dir_all(&folder);
    bound
}

/// The folder's own path may be longer than an address, so it is named by its descriptor.
fn bind_in(folder: &Path, path: &Path) -> io::Result<(UnixListener, Place)> {
    let opened = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    let new = short.join(path.file_name().unwrap_or(OsStr::new("socket")));
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    let file = file(&fs::symlink_metadata(&new)?);
    fs::rename(&new, path)?;
    let path = path.to_owned();
    Ok((listener, Place { path, file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn socket_is_private_replaced_when_it_is_dead_and_removed_with_its_owner() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(format!("{}.sock", "x".repeat(60)));
        // What has a name like ours is nobody's business of ours.
        let other = path.with_extension("new");
        fs::write(&other, "").unwrap();
        let (listener, ours) = bind_private(&path).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = bind_private(&path).await.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).await.unwrap();
        // It is dead, though its file is there.
        drop(listener);
        let (_listener, next) = bind_private(&path).await.unwrap();
        // The first owner does not remove what the second has.
        drop(ours);
        UnixStream::connect(&path).await.unwrap();
        drop(next);
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
        assert!(other.exists() && left.len() == 1, "{left:?}");
        fs::write(&path, "").unwrap();
        let refused = bind_private(&path).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    }
}
