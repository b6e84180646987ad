//! The one way to read a file that the configuration names. One may have no end, be a pipe
//! or a device, or lie on a file system whose server is gone, and all else is to go on: so
//! only regular files are read, up to a bound, on threads of their own, and never twice at
//! a time.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::Calls;

/// How many reads may hang at a time.
pub const HANGING_MAX: usize = 64;

/// Files, as something that may not answer. Clones share what is under way.
#[derive(Clone, Debug)]
pub struct Files(Calls<(PathBuf, usize), Content>);

/// All who asked for a file at a time share what was read.
type Content = Result<Arc<Vec<u8>>, Arc<io::Error>>;

impl Default for Files {
    fn default() -> Self {
        Self(Calls::new(HANGING_MAX))
    }
}

impl Files {
    /// The content of a regular file that has up to `most` bytes. The caller bounds the time.
    pub async fn read(&self, path: &Path, most: usize) -> Content {
        let asked = path.to_owned();
        let read = move || read(&asked, most).map(Arc::new).map_err(Arc::new);
        let answer = self.0.answer((path.to_owned(), most), read).await;
        answer.unwrap_or_else(|lost| Err(Arc::new(lost.into())))
    }
}

/// Reads a regular file of up to `most` bytes. That does not wait for anybody, but it may
/// hang with the file system, so it is for a thread where that does not matter.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    if !kind.is_file() {
        return Err(not_regular(kind));
    }
    let mut content = Vec::new();
    // One more byte than is taken. The length is not asked for: files in /proc tell none.
    file.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        let message = format!("it is longer than {most} bytes, the most that is read");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(content)
}

/// Opens without waiting for who writes to a pipe. A terminal does not become this
/// process's own.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    #[expect(
        clippy::cast_possible_wrap,
        reason = "the type differs between systems"
    )]
    let flags = flags.bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    // What open(2) says of a socket: "no such device or address".
    opened.map_err(|error| match path.metadata().map(|of| of.file_type()) {
        Ok(kind) if kind.is_socket() => not_regular(kind),
        _ => error,
    })
}

fn not_regular(kind: FileType) -> io::Error {
    let kind = if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let message = format!("it is {kind}, and only regular files are read");
    io::Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn told(path: &Path) -> String {
        read(path, 10).unwrap_err().to_string()
    }

    #[test]
    fn longest_file_is_read_and_a_longer_one_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (size, expected) in [
            (0, Ok(0)),
            (10, Ok(10)),
            (11, Err(ErrorKind::FileTooLarge)),
            (1 << 40, Err(ErrorKind::FileTooLarge)),
        ] {
            file.as_file().set_len(size).unwrap();
            let length = read(file.path(), 10).map(|content| content.len());
            assert_eq!(length.map_err(|error| error.kind()), expected, "{size}");
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        mkfifoat(CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        assert!(told(&path("pipe")).contains("it is a pipe"));
        let _socket = UnixListener::bind(path("socket")).unwrap();
        assert!(told(&path("socket")).contains("it is a socket"));
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        assert!(told(&path("link")).contains("it is a device"));
        assert!(told(&path("absent")).contains("No such file"));
        assert_eq!(
            read(dir.path(), 10).unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_of_the_kernel_are_regular_though_they_tell_no_length() {
        assert!(!read(Path::new("/proc/self/stat"), 4096).unwrap().is_empty());
        let error = read(Path::new("/proc/self/stat"), 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }
}
