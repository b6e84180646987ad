//! What is read again while the publisher runs: the crontab when a signal asks for it or its
//! file has changed, the credentials when a signal asks for them.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diagnostics::chain;
use settings::{Problem, log_problems, log_warnings};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;
use tracing::{error, info};

use super::destination::Destination;
use super::files::{Files, Look};
use super::load::reload;
use crate::cloudwatch::CloudWatch;
use crate::config::crontab::Defaults;
use crate::config::{Config, CrontabOrigin, Entry};

/// How long a changed file must look the same before it is read: who writes one in place
/// does so in pieces, and half a crontab may be a good one.
const SETTLING: Duration = Duration::from_secs(1);

/// How often that is waited for after a tick; the next tick looks again.
const SETTLING_MAX: u32 = 30;

/// What the run hears of, and what it is told.
pub(super) struct Reloads<'a> {
    /// A signal asked for it.
    pub(super) asked: &'a Notify,
    /// A tick has passed.
    pub(super) ticked: Arc<Notify>,
    /// Where new entries go.
    pub(super) entries: mpsc::Sender<Vec<Entry>>,
    /// Who holds the credentials.
    pub(super) destination: Destination,
}

/// The file of the crontab.
pub(super) struct CrontabFile {
    path: PathBuf,
    defaults: Defaults,
    files: Files,
    /// What it looked like when it was read last, good or bad.
    seen: Option<Look>,
    /// Whether it is looked at with each tick.
    is_watched: bool,
}

/// The entries of a crontab and what looks wrong in it, or why it is refused.
type Read = Result<(Vec<Entry>, Vec<Problem>), Vec<Problem>>;

impl Reloads<'_> {
    /// Reads what can be read again whenever it is asked for. What is asked for while one is
    /// under way is one more together.
    pub(super) async fn serve(self, mut crontab: Option<CrontabFile>) -> Infallible {
        loop {
            tokio::select! {
                () = self.asked.notified() => {
                    if let Some(crontab) = &mut crontab {
                        let read = crontab.read().await;
                        self.take_entries(read).await;
                    }
                    if let Destination::CloudWatch(holder) = &self.destination {
                        take_credentials(holder).await;
                    }
                }
                read = changed(crontab.as_mut(), &self.ticked) => self.take_entries(read).await,
            }
        }
    }

    async fn take_entries(&self, read: Read) {
        match read {
            Ok((new, warnings)) => {
                log_warnings(&warnings);
                info!(metrics = new.len(), "crontab reloaded");
                // The run is gone only when it stops; then there is nothing to tell it.
                let _ = self.entries.send(new).await;
            }
            // The old entries stay.
            Err(problems) => log_problems(&problems, "crontab rejected, keeping the old one"),
        }
    }
}

impl CrontabFile {
    /// The file that the entries came from, if they came from one. `look` is what it looked
    /// like before it was read.
    pub(super) fn new(config: &Config, look: Option<Look>) -> Option<Self> {
        let path = config.crontab.as_ref().and_then(CrontabOrigin::file)?;
        Some(Self {
            path: path.to_owned(),
            defaults: config.defaults.clone(),
            files: Files::default(),
            seen: look,
            is_watched: config.reload,
        })
    }

    /// Reads it, however it looks.
    async fn read(&mut self) -> Read {
        self.seen = Some(self.files.look(&self.path).await);
        reload(&self.path, &self.defaults, &self.files).await
    }

    /// Reads it if it looks otherwise than it did, and goes on looking the same.
    async fn read_changed(&mut self) -> Option<Read> {
        let mut look = self.files.look(&self.path).await;
        for _ in 0..SETTLING_MAX {
            if self.seen == Some(look) {
                return None;
            }
            sleep(SETTLING).await;
            let before = std::mem::replace(&mut look, self.files.look(&self.path).await);
            if look != before {
                continue;
            }
            let read = reload(&self.path, &self.defaults, &self.files).await;
            let before = std::mem::replace(&mut look, self.files.look(&self.path).await);
            if look == before {
                self.seen = Some(look);
                return Some(read);
            }
        }
        None
    }
}

/// What is read of a file that has changed, looked at with each tick.
async fn changed(crontab: Option<&mut CrontabFile>, ticked: &Notify) -> Read {
    let Some(crontab) = crontab.filter(|crontab| crontab.is_watched) else {
        return std::future::pending().await;
    };
    loop {
        ticked.notified().await;
        if let Some(read) = crontab.read_changed().await {
            return read;
        }
    }
}

/// Credentials that cannot be had are refused and the old ones stay.
async fn take_credentials(holder: &CloudWatch) {
    match holder.renew().await {
        Ok(()) => info!("credentials reloaded"),
        Err(failure) => error!(
            error = chain(&failure),
            "credentials not reloaded, keeping the old ones"
        ),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn file_that_looks_as_it_did_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        // To read a pipe is an error, to look at it is none.
        let path = dir.path().join("pipe");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let mut crontab = CrontabFile {
            path,
            defaults: Defaults::default(),
            files: Files::default(),
            seen: None,
            is_watched: true,
        };
        let read = crontab.read_changed().await;
        assert!(matches!(read, Some(Err(_))), "{read:?}");
        let read = crontab.read_changed().await;
        assert!(read.is_none(), "{read:?}");
    }
}
