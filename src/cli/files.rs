//! The files and folders that settings name. One may lie on a file system whose server is
//! gone, and signals are still to be heard: so all are asked on threads of their own,
//! within bounds.

use std::io::{self, ErrorKind};
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
}

impl Default for Files {
    fn default() -> Self {
        Self {
            files: files::Files::default(),
            folders: Calls::new(HANGING_MAX),
            certificates: Calls::new(1),
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
