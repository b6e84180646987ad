//! The files and folders that settings name. One may have no end, be a pipe that nobody
//! writes to, or lie on a file system whose server is gone, and signals are still to be
//! heard: so all are asked on threads of their own, within bounds.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The largest file that is read. A crontab of ten thousand metrics, the most that the
/// publisher is measured with, may have 1600 bytes a line; a bundle of all the certificates
/// that browsers trust has a quarter of a million.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// The longest that an answer is waited for: a signal to stop that comes while the
/// publisher starts is heard then, and Docker kills after 10 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many questions may hang at a time, of the threads that all share.
const HANGING_MAX: usize = 8;

/// The file system, as one that may not answer.
#[derive(Debug)]
pub(super) struct Files {
    threads: Arc<Semaphore>,
}

impl Default for Files {
    fn default() -> Self {
        let threads = Arc::new(Semaphore::new(HANGING_MAX));
        Self { threads }
    }
}

impl Files {
    /// Reads a whole file.
    pub(super) async fn read(&self, path: PathBuf) -> io::Result<Vec<u8>> {
        self.ask(move || read(&path)).await
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
        self.ask(move || takes_files(&dir)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Ok(thread) = self.threads.clone().try_acquire_owned() else {
            let message = format!("{HANGING_MAX} earlier attempts still hang, start anew");
            return Err(io::Error::new(ErrorKind::ResourceBusy, message));
        };
        let answer = spawn_blocking(move || {
            let answer = question();
            drop(thread);
            answer
        });
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panicked)) => Err(panicked.into()),
            Err(_) => {
                let message = format!("it did not come to an end within {PATIENCE:?}");
                Err(io::Error::new(ErrorKind::TimedOut, message))
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut file = File::open(path)?.take(SIZE_MAX);
    file.read_to_end(&mut content)?;
    // One more byte than is taken.
    if file.into_inner().read(&mut [0])? > 0 {
        let message = format!(
            "it is larger than {} MiB, the most that is read",
            SIZE_MAX >> 20
        );
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(content)
}

fn takes_files(dir: &Path) -> io::Result<()> {
    if !std::fs::metadata(dir)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[tokio::test]
    async fn largest_file_is_read_and_a_larger_one_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (size, expected) in [
            (0, Ok(0)),
            (SIZE_MAX, Ok(SIZE_MAX as usize)),
            (SIZE_MAX + 1, Err(ErrorKind::FileTooLarge)),
        ] {
            file.as_file().set_len(size).unwrap();
            let read = Files::default().read(file.path().to_owned()).await;
            let length = read.map(|content| content.len());
            assert_eq!(length.map_err(|error| error.kind()), expected, "{size}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pipe_that_nobody_writes_to_is_given_up_and_few_are_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        let files = Files::default();
        for _ in 0..HANGING_MAX {
            let mut reading = Box::pin(files.read(pipe.clone()));
            assert!((&mut reading).now_or_never().is_none());
            tokio::time::advance(PATIENCE).await;
            let error = reading.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        }
        let error = files.read(pipe.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
        // A thread ends when somebody opens the pipe and closes it, and then there is room.
        while files.threads.available_permits() < HANGING_MAX {
            drop(File::options().read(true).write(true).open(&pipe).unwrap());
            std::thread::yield_now();
        }
        std::fs::remove_file(&pipe).unwrap();
        std::fs::write(&pipe, "now a file").unwrap();
        assert_eq!(files.read(pipe).await.unwrap(), b"now a file");
    }
}
