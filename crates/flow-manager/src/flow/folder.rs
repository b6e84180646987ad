//! The folder of a container on the host: its socket, which is mounted into it, and beside it
//! what is not.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Where the folder of the socket is in the container.
pub const SOCKET_MOUNT: &str = "/run/flow";
/// What `FLOW_SOCKET` is in the container's environment. The id, which names the socket, is
/// not known before the container is created, so this is a link.
pub const SOCKET_IN_CONTAINER: &str = "/run/flow/flow.sock";

/// The part that is mounted.
const MOUNTED: &str = "run";
const LINK: &str = "flow.sock";

/// What failed in the folder.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}", .path.display())]
pub struct FolderError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FolderError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self {
            operation,
            path,
            source,
        }
    }
}

/// The folder of one container. Its methods work on the disk: they are called where that may
/// take its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFolder(PathBuf);

impl FlowFolder {
    /// The folder at this path, whether it is there or not.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself, which only flow-manager's user can enter.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is mounted, read-only, at [`SOCKET_MOUNT`].
    #[must_use]
    pub fn mounted(&self) -> PathBuf {
        self.0.join(MOUNTED)
    }

    /// The socket of a container.
    #[must_use]
    pub fn socket(&self, id: &str) -> PathBuf {
        self.mounted().join(format!("{id}.sock"))
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// [`FolderError`], also if it is there already.
    pub fn create(&self) -> Result<(), FolderError> {
        let make = |path: &Path, mode| {
            let made = DirBuilder::new().mode(mode).create(path);
            // The mode above is less the process's mask.
            let made = made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)));
            made.map_err(|error| FolderError::new("make", path, error))
        };
        make(&self.0, 0o700)?;
        make(&self.mounted(), 0o755)
    }

    /// Listens on the socket of a container; one that is there is replaced, so that no flow
    /// finds none. Any user of the container can connect.
    ///
    /// The socket is made through the folder's file descriptor: a socket's address has 108
    /// bytes at most, however long the path is.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn listen(&self, id: &str) -> Result<UnixListener, FolderError> {
        let mounted = self.mounted();
        let folder =
            File::open(&mounted).map_err(|error| FolderError::new("open", &mounted, error))?;
        let below = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let (new, socket) = (
            below.join(format!("{id}.new")),
            below.join(format!("{id}.sock")),
        );
        remove_file(&new).map_err(|error| FolderError::new("remove", &new, error))?;
        let listener = UnixListener::bind(&new);
        let listener =
            listener.map_err(|error| FolderError::new("bind", &self.socket(id), error))?;
        fs::set_permissions(&new, Permissions::from_mode(0o666))
            .and_then(|()| fs::rename(&new, &socket))
            .map_err(|error| FolderError::new("publish", &self.socket(id), error))?;
        Ok(listener)
    }

    /// Makes the link that `FLOW_SOCKET` names.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn link(&self, id: &str) -> Result<(), FolderError> {
        let link = self.mounted().join(LINK);
        match symlink(format!("{id}.sock"), &link) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(FolderError::new("make", &link, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the socket.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn unlink(&self, id: &str) -> Result<(), FolderError> {
        let socket = self.socket(id);
        remove_file(&socket).map_err(|error| FolderError::new("remove", &socket, error))
    }

    /// Removes all of it; none there is a success.
    ///
    /// # Errors
    ///
    /// [`FolderError`].
    pub fn remove(&self) -> Result<(), FolderError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(FolderError::new("remove", &self.0, error))
            }
            _ => Ok(()),
        }
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn socket_can_be_reached_by_all_and_its_folder_changed_by_none() {
        let place = tempfile::tempdir().unwrap();
        let folder = FlowFolder::at(place.path().join("f"));
        folder.create().unwrap();
        let id = "ab".repeat(32);
        let _listener = folder.listen(&id).unwrap();
        folder.link(&id).unwrap();
        folder.link(&id).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.mounted()), 0o755);
        assert_eq!(mode(&folder.socket(&id)), 0o666);
        let link = fs::read_link(folder.mounted().join("flow.sock")).unwrap();
        assert_eq!(link, PathBuf::from(format!("{id}.sock")));
        assert!(folder.create().is_err());
        folder.remove().unwrap();
        folder.remove().unwrap();
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn path_may_be_longer_than_an_address_and_a_socket_that_is_there_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let deep = (0..10).fold(place.path().to_owned(), |path, _| {
            path.join("x".repeat(100))
        });
        fs::create_dir_all(&deep).unwrap();
        let folder = FlowFolder::at(deep.join("f"));
        folder.create().unwrap();
        let id = "cd".repeat(32);
        let first = folder.listen(&id).unwrap();
        let second = folder.listen(&id).unwrap();
        let open = File::open(folder.mounted()).unwrap();
        let short = format!("/proc/self/fd/{}/{id}.sock", open.as_raw_fd());
        let _flow = UnixStream::connect(short).unwrap();
        second.accept().await.unwrap();
        drop(first);
        folder.unlink(&id).unwrap();
        assert!(!folder.socket(&id).exists());
    }
}
