//! `host:disk:/path`: the used share of the file system that holds a path.

use std::path::{Path, PathBuf};

use blocking_io::Calls;
use rustix::fs::statvfs;

use super::error::HostError;
use crate::threads::THREADS;

#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    asked: Calls<(), rustix::io::Result<Option<f64>>>,
}

impl Disk {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            asked: Calls::on(THREADS.clone()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn percent(&self) -> Result<f64, HostError> {
        let path = || self.path.clone();
        let asked = path();
        let percent = self.asked.answer((), move || percent(&asked)).await;
        match percent.map_err(|source| HostError::Thread { source })? {
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

#[cfg(test)]
mod tests {
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
}
