//! The disk is read and written on a thread of its own, which names being resolved and sources
//! that hang cannot take.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self as requests, SyncSender};
use std::thread::{self, JoinHandle};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::outbox::{Limits, Outbox};
use crate::run::shared_outbox::{SharedOutbox, log_dropped};
use crate::spool::{Damage, Opened, Spool, SpoolError, Synced};

/// An outbox with these limits, with what an earlier process left in the folder and the
/// thread that writes there, if a folder is given.
pub(in crate::run) async fn open(
    limits: Limits,
    dir: Option<PathBuf>,
    now: DateTime<Utc>,
) -> Result<(Outbox, Option<SpoolThread>), SpoolError> {
    let Some(dir) = dir else {
        return Ok((Outbox::new(limits), None));
    };
    let open = move || {
        let Opened {
            mut spool,
            outbox,
            restored,
            lost,
            damage,
        } = Spool::open(&dir, limits, now)?;
        let sync = move |mut outbox: &SharedOutbox| spool.sync(&mut outbox);
        Ok(((outbox, restored, lost, damage), sync))
    };
    let ((outbox, restored, lost, damage), thread) = SpoolThread::open(open).await?;
    log_opened(restored, damage);
    lost.iter().for_each(log_dropped);
    Ok((outbox, Some(thread)))
}

fn log_opened(restored: usize, damage: Option<Damage>) {
    if let Some(damage) = damage {
        warn!(
            bytes_skipped = damage.bytes,
            points_lost = damage.points,
            "spool was damaged"
        );
    }
    if restored > 0 {
        info!(points = restored, "spool read");
    }
}

/// The thread on which the disk is read and written.
pub(in crate::run) struct SpoolThread {
    /// One that waits is enough: the outbox is written as it is then.
    requests: SyncSender<Arc<SharedOutbox>>,
    written: mpsc::Receiver<Synced>,
    thread: JoinHandle<()>,
}

impl SpoolThread {
    /// Begins a thread that opens a spool, and waits until that is done. What `open` gives
    /// beside is the answer, its last is what writes; both may block.
    pub(in crate::run) async fn open<T, S>(
        open: impl FnOnce() -> Result<(T, S), SpoolError> + Send + 'static,
    ) -> Result<(T, Self), SpoolError>
    where
        T: Send + 'static,
        S: FnMut(&SharedOutbox) -> Synced + 'static,
    {
        let (opened, answer) = oneshot::channel();
        let (requests, requested) = requests::sync_channel::<Arc<SharedOutbox>>(1);
        let (writes, written) = mpsc::channel(1);
        let work = move || {
            let (with, mut sync) = match open() {
                Ok(found) => found,
                Err(failure) => return drop(opened.send(Err(failure))),
            };
            if opened.send(Ok(with)).is_err() {
                // The run was stopped meanwhile.
                return;
            }
            while let Ok(outbox) = requested.recv() {
                if writes.blocking_send(sync(&outbox)).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("spool".to_owned()).spawn(work);
        let thread = thread.map_err(|source| SpoolError::Thread { source })?;
        let opened = answer.await.expect("its panic is one of the run")?;
        Ok((
            opened,
            Self {
                requests,
                written,
                thread,
            },
        ))
    }

    /// Asks it to write what an outbox holds. The answer to the last request was awaited.
    pub(super) fn write(&self, outbox: Arc<SharedOutbox>) {
        // So there is room.
        let _ = self.requests.try_send(outbox);
    }

    /// What it wrote; none if it panicked.
    pub(super) async fn written(&mut self) -> Option<Synced> {
        self.written.recv().await
    }

    /// Ends the thread when it has written what it was asked to, if it did not panic. It
    /// has let go of the folder then.
    pub(super) async fn end(self) -> thread::Result<()> {
        let Self {
            requests,
            mut written,
            thread,
        } = self;
        drop(requests);
        while written.recv().await.is_some() {}
        // Its end of the channel was the last thing that it had.
        thread.join()
    }
}
