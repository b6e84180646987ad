//! The files and folders that settings name. One may lie on a file system whose server is
//! gone, and signals are still to be heard: so all are asked on threads of their own,
//! within bounds.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_connection::{Certificates, NamedCertificates};
use blocking_io::Calls;
use blocking_io::{self as files};
use rustix::fs::{Access, access};
use tokio::time::{sleep, timeout};

use crate::config::crontab;

/// The largest file that is read: a bundle of all the certificates that browsers trust has a
/// quarter of a million bytes.
const SIZE_MAX: usize = crontab::SIZE_MAX;

/// The longest that an answer is waited for: a signal to stop that comes while the
/// publisher starts is heard then, and Docker kills after 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many folders may hang at a time.
const HANGING_MAX: usize = 8;

/// The file system, as one that may not answer.
#[derive(Debug)]
pub(super) struct Files {
    files: files::Files,
    folders: Calls<PathBuf, Result<(), Arc<io::Error>>>,
    certificates: Calls<(), Arc<Certificates>>,
    looks: Calls<PathBuf, Look>,
}

/// What a look at a file shows of it, links followed. Another file in its place, or another
/// content, shows otherwise; so does one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    File {
        device: u64,
        inode: u64,
        bytes: u64,
        /// When it was written to, in seconds and nanoseconds.
        modified: (i64, i64),
        /// The same of its content and all that is said of it, which nobody can set back.
        changed: (i64, i64),
    },
    Unseen(ErrorKind),
}

impl Default for Files {
    fn default() -> Self {
        Self {
            files: files::Files::default(),
            folders: Calls::new(HANGING_MAX),
            certificates: Calls::new(1),
            looks: Calls::new(1),
        }
    }
}

impl Files {
    /// Reads a whole file.
    pub(super) async fn read(&self, path: PathBuf) -> io::Result<Vec<u8>> {
        let content = in_time(self.files.read(&path, SIZE_MAX)).await?;
        Ok(unshared(content.map_err(owned)?).await)
    }

    /// Reads a whole file of text.
    pub(super) async fn read_text(&self, path: PathBuf) -> io::Result<String> {
        let bytes = self.read(path).await?;
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("line {line} is not UTF-8 text");
            io::Error::new(ErrorKind::InvalidData, message)
        })
    }

    /// Looks at a file without opening it.
    pub(super) async fn look(&self, path: &Path) -> Look {
        let asked = path.to_owned();
        let look = self.looks.answer(path.to_owned(), move || look(&asked));
        match in_time(look).await {
            Ok(Ok(look)) => look,
            Ok(Err(lost)) => Look::Unseen(io::Error::from(lost).kind()),
            Err(late) => Look::Unseen(late.kind()),
        }
    }

    /// Whether files can be made in a folder; asking leaves no trace there.
    pub(super) async fn takes_files(&self, dir: PathBuf) -> io::Result<()> {
        let asked = dir.clone();
        let ask = move || takes_files(&asked).map_err(Arc::new);
        in_time(self.folders.answer(dir, ask))
            .await??
            .map_err(owned)
    }

    /// The certificates in a file and in folders.
    pub(super) async fn certificates(
        &self,
        named: NamedCertificates,
    ) -> io::Result<Arc<Certificates>> {
        let read = move || Arc::new(named.read());
        Ok(in_time(self.certificates.answer((), read)).await??)
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> io::Result<T> {
    timeout(PATIENCE, answer).await.map_err(|_| {
        let message = format!("it did not come to an end within {PATIENCE:?}");
        io::Error::new(ErrorKind::TimedOut, message)
    })
}

/// What nobody else has any more: a crontab is not to be held twice. The thread that read it
/// lets go of it in a moment.
async fn unshared(mut content: Arc<Vec<u8>>) -> Vec<u8> {
    for _ in 0..100 {
        match Arc::try_unwrap(content) {
            Ok(content) => return content,
            Err(shared) => content = shared,
        }
        sleep(Duration::from_millis(1)).await;
    }
    Arc::unwrap_or_clone(content)
}

/// An error that others may have got too.
fn owned(error: Arc<io::Error>) -> io::Error {
    io::Error::new(error.kind(), error)
}

fn look(path: &Path) -> Look {
    match path.metadata() {
        Ok(file) => Look::File {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        },
        Err(error) => Look::Unseen(error.kind()),
    }
}

fn takes_files(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn largest_file_is_read_and_a_larger_one_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (size, expected) in [
            (SIZE_MAX, Ok(SIZE_MAX)),
            (SIZE_MAX + 1, Err(ErrorKind::FileTooLarge)),
        ] {
            file.as_file().set_len(size as u64).unwrap();
            let read = Files::default().read(file.path().to_owned()).await;
            let length = read.map(|content| content.len());
            assert_eq!(length.map_err(|error| error.kind()), expected, "{size}");
        }
    }

    #[tokio::test]
    async fn look_differs_with_the_file_behind_a_link_its_content_and_its_absence() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let files = Files::default();
        std::fs::write(at("a"), "1").unwrap();
        std::fs::write(at("b"), "1").unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        let first = files.look(&at("link")).await;
        assert_eq!(files.look(&at("link")).await, first);
        std::os::unix::fs::symlink("b", at("new")).unwrap();
        std::fs::rename(at("new"), at("link")).unwrap();
        let second = files.look(&at("link")).await;
        assert_ne!(second, first);
        std::fs::write(at("b"), "12").unwrap();
        let third = files.look(&at("link")).await;
        assert_ne!(third, second);
        std::fs::remove_file(at("b")).unwrap();
        let gone = files.look(&at("link")).await;
        assert_eq!(gone, Look::Unseen(ErrorKind::NotFound));
    }

    #[tokio::test(start_paused = true)]
    async fn file_system_that_hangs_is_not_waited_for() {
        let error = in_time(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn error_of_the_file_system_is_told_as_it_is() {
        let error = Files::default().read("/no/such".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "No such file or directory (os error 2)");
        let error = Files::default().takes_files("/proc/stat".into()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}
