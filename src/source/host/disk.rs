//! `host:disk:/path`: the used share of the file system that holds a path.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::HostError;

#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    asked: OneAtATime<rustix::io::Result<Option<f64>>>,
}

impl Disk {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            asked: OneAtATime::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn percent(&self) -> Result<f64, HostError> {
        let path = || self.path.clone();
        let asked = path();
        match self.asked.run(move || percent(&asked)).await? {
            Ok(Some(percent)) => Ok(percent),
            Ok(None) => Err(HostError::NoBlocks { path: path() }),
            Err(source) => Err(HostError::Disk {
                path: path(),
                source: source.into(),
            }),
        }
    }
}

/// As `df` shows it: what only the superuser may still use counts as used.
#[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
fn percent(path: &Path) -> rustix::io::Result<Option<f64>> {
    let stat = statvfs(path)?;
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let usable = used.saturating_add(stat.f_bavail);
    Ok((usable > 0).then(|| 100.0 * used as f64 / usable as f64))
}

/// Runs something that may hang for good (a network file system whose server is
/// gone) on a thread, and never on a second one while the first still hangs.
#[derive(Debug)]
struct OneAtATime<T> {
    running: Mutex<Option<JoinHandle<T>>>,
}

impl<T> Default for OneAtATime<T> {
    fn default() -> Self {
        Self {
            running: Mutex::new(None),
        }
    }
}

impl<T: Send + 'static> OneAtATime<T> {
    /// The fresh result, or, where an earlier run still hangs, that one's once it is there.
    async fn run(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, HostError> {
        let mut running = self.running.lock().await;
        let hung = running.take().filter(|handle| !handle.is_finished());
        // If this future is dropped here, the handle stays for the next run.
        let handle = running.insert(hung.unwrap_or_else(|| tokio::task::spawn_blocking(f)));
        let result = handle.await;
        *running = None;
        result.map_err(|source| HostError::Thread { source })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn share_is_that_of_df() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Disk::new(dir.path().to_owned()).percent().await.unwrap();
        let df = std::process::Command::new("df")
            .arg("-P")
            .arg(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8(df.stdout).unwrap();
        let shown = text.split_whitespace().find_map(|w| w.strip_suffix('%'));
        let shown: f64 = shown.unwrap().parse().unwrap();
        // df rounds up; others may write meanwhile.
        assert!(
            (shown - 1.5..=shown + 0.5).contains(&ours),
            "{ours} {shown}"
        );
    }

    #[tokio::test]
    async fn path_that_is_not_there_and_one_without_blocks_are_errors() {
        let error = Disk::new("/no/such".into()).percent().await.unwrap_err();
        assert!(error.to_string().contains("/no/such"), "{error}");
        #[cfg(target_os = "linux")]
        {
            let error = Disk::new("/proc".into()).percent().await.unwrap_err();
            assert!(error.to_string().contains("pseudo"), "{error}");
        }
    }

    #[tokio::test]
    async fn hanging_run_is_waited_for_again_and_not_started_twice() {
        let once = OneAtATime::default();
        let (release, hang) = mpsc::channel();
        // Polled once, then dropped, as at the timeout.
        assert!(
            once.run(move || hang.recv().unwrap())
                .now_or_never()
                .is_none()
        );
        let mut second = Box::pin(once.run(|| unreachable!("the first still runs")));
        assert!((&mut second).now_or_never().is_none());
        release.send(1).unwrap();
        assert_eq!(second.await.unwrap(), 1);
        assert_eq!(once.run(|| 2).await.unwrap(), 2);
    }
}
