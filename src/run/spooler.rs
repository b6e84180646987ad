//! Keeps the spool to what the outbox holds: a disk that is slow or hangs holds up no tick, and
//! what is sent for [`PATIENCE`] only.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use diagnostics::chain;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, info};

use super::shared_outbox::SharedOutbox;
use crate::format::millis;
use crate::spool::{Event, Synced};

mod thread;

pub(super) use thread::{SpoolThread, open};

/// How long the disk may take for one write before it counts as hanging. Network file
/// systems stall for a second or two when all is well.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const HINT: &str =
    "free some space or see to the disk; until then the points are held in memory only";

/// What the disk holds of an outbox.
#[derive(Clone, Copy, Debug, Default)]
struct OnDisk {
    /// The last revision of the outbox that was written, or could not be.
    revision: u64,
    /// Set while the disk refuses what it is given.
    refuses: bool,
    /// Set while the disk does not answer.
    hangs: bool,
}

/// Tells how far the writing is.
pub(super) struct Spooler {
    on_disk: watch::Receiver<OnDisk>,
    stop: Arc<Notify>,
}

impl Spooler {
    /// Begins a task that has every change of an outbox written.
    pub(super) fn start(
        thread: SpoolThread,
        outbox: Arc<SharedOutbox>,
        patience: Duration,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (sender, on_disk) = watch::channel(OnDisk::default());
        let mut changes = outbox.changes();
        // What was read of an earlier process may be on disk as it is, or not.
        changes.mark_changed();
        let stop = Arc::new(Notify::new());
        let writing = Writing {
            changes,
            outbox,
            on_disk: sender,
            patience,
            stop: stop.clone(),
        };
        tasks.spawn(writing.run(thread));
        Self { on_disk, stop }
    }

    /// Lets the task and its thread end when they have written what they are at.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits until a revision of the outbox is on disk, or the disk is known not to take
    /// it; a disk that hangs is waited for once.
    pub(super) async fn wait_durable(&self, revision: u64) {
        let mut on_disk = self.on_disk.clone();
        let settled = on_disk.wait_for(|disk| disk.revision >= revision || disk.hangs);
        // The writing has ended only if it panicked, which was told.
        let _ = settled.await;
    }

    /// Whether all of a revision of the outbox is on disk.
    pub(super) fn holds(&self, revision: u64) -> bool {
        let disk = *self.on_disk.borrow();
        disk.revision == revision && !disk.refuses && !disk.hangs
    }
}

struct Writing {
    changes: watch::Receiver<()>,
    outbox: Arc<SharedOutbox>,
    on_disk: watch::Sender<OnDisk>,
    patience: Duration,
    stop: Arc<Notify>,
}

impl Writing {
    /// One write at a time, each of all that changed until then.
    async fn run(mut self, mut thread: SpoolThread) {
        loop {
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    break;
                },
                () = self.stop.notified() => break,
            }
            thread.write(self.outbox.clone());
            let written = match timeout(self.patience, thread.written()).await {
                Ok(written) => written,
                Err(_) => {
                    self.log_hanging();
                    thread.written().await
                }
            };
            let Some(written) = written else {
                break;
            };
            self.log_written(written);
        }
        if let Err(panic) = thread.end().await {
            log_panicked(&*panic, self.outbox.lock().len());
        }
    }

    fn log_hanging(&self) {
        self.on_disk.send_modify(|disk| disk.hangs = true);
        error!(
            points_held = self.outbox.lock().len(),
            error = "the disk does not answer",
            waited_ms = millis(self.patience),
            hint = HINT,
            "spool failed"
        );
    }

    fn log_written(&self, written: Synced) {
        let Synced { revision, event } = written;
        let points = self.outbox.lock().len();
        let before = *self.on_disk.borrow();
        let refuses = match &event {
            Some(Event::Degraded(failure)) => {
                error!(
                    points_held = points,
                    error = chain(failure),
                    hint = HINT,
                    "spool failed"
                );
                true
            }
            Some(Event::Healed) => false,
            None => before.refuses,
        };
        if (before.refuses || before.hangs) && !refuses {
            info!(points_held = points, "spool recovered");
        }
        self.on_disk.send_replace(OnDisk {
            revision,
            refuses,
            hangs: false,
        });
    }
}

fn log_panicked(panic: &(dyn Any + Send), points: usize) {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    error!(
        points_held = points,
        error = format!(
            "its thread panicked: {}",
            message.unwrap_or("unknown reason")
        ),
        hint =
            "restart, and report this as a defect; until then the points are held in memory only",
        "spool failed"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::outbox::Lend;
    use crate::run::shared_outbox::tests::{holding, point};
    use crate::spool::SpoolError;

    fn outbox() -> Arc<SharedOutbox> {
        Arc::new(holding(100))
    }

    /// Gives the outbox one more point and tells its revision.
    fn push(outbox: &SharedOutbox) -> u64 {
        outbox.push(vec![point()]);
        outbox.lock().revision()
    }

    fn degraded() -> Event {
        Event::Degraded(SpoolError::Write {
            path: "spool".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        })
    }

    /// Begins to have the outbox written by `sync`, which is given how many points it holds.
    async fn start(
        mut sync: impl FnMut(usize) -> Option<Event> + Send + 'static,
        outbox: &Arc<SharedOutbox>,
        patience: Duration,
        tasks: &mut JoinSet<()>,
    ) -> Spooler {
        let sync = move |mut outbox: &SharedOutbox| {
            let (revision, held) = outbox.lend(|outbox| (outbox.revision(), outbox.len()));
            let event = sync(held);
            Synced { revision, event }
        };
        let opened = SpoolThread::open(|| Ok(((), sync))).await;
        let ((), thread) = opened.unwrap_or_else(|error| panic!("{error}"));
        Spooler::start(thread, outbox.clone(), patience, tasks)
    }

    #[tokio::test]
    async fn settled_revision_is_on_disk() {
        let (outbox, mut tasks) = (outbox(), JoinSet::new());
        let (written, writes) = mpsc::channel();
        let sync = move |held| {
            written.send(held).unwrap();
            None
        };
        let spooler = start(sync, &outbox, PATIENCE, &mut tasks).await;
        for count in 1..=3 {
            let revision = push(&outbox);
            assert!(!spooler.holds(revision));
            spooler.wait_durable(revision).await;
            assert!(spooler.holds(revision));
            assert_eq!(writes.try_iter().last(), Some(count));
        }
    }

    #[tokio::test]
    async fn disk_that_hangs_is_waited_for_once_and_gets_the_newest_then() {
        let (outbox, mut tasks) = (outbox(), JoinSet::new());
        let (go_on, hanging) = mpsc::channel();
        let (written, mut writes) = tokio::sync::mpsc::unbounded_channel();
        let sync = move |held| {
            hanging.recv().unwrap();
            written.send(held).unwrap();
            None
        };
        let patience = Duration::from_millis(20);
        let spooler = start(sync, &outbox, patience, &mut tasks).await;
        for _ in 0..3 {
            let revision = push(&outbox);
            spooler.wait_durable(revision).await;
            assert!(!spooler.holds(revision));
        }
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert_eq!(writes.recv().await, Some(1));
        assert_eq!(writes.recv().await, Some(3));
        let revision = outbox.lock().revision();
        let mut on_disk = spooler.on_disk.clone();
        let answered = on_disk.wait_for(|disk| disk.revision == revision && !disk.hangs);
        answered.await.unwrap();
        assert!(spooler.holds(revision));
    }

    #[tokio::test]
    async fn refused_write_settles_but_does_not_hold() {
        let (outbox, mut tasks) = (outbox(), JoinSet::new());
        let mut events = vec![None, Some(Event::Healed), None, Some(degraded())];
        let sync = move |_| events.pop().unwrap();
        let spooler = start(sync, &outbox, PATIENCE, &mut tasks).await;
        for holds in [false, false, true, true] {
            let revision = push(&outbox);
            spooler.wait_durable(revision).await;
            assert_eq!(spooler.holds(revision), holds);
        }
    }

    #[tokio::test]
    async fn panic_of_the_spool_holds_nothing_up() {
        let (outbox, mut tasks) = (outbox(), JoinSet::new());
        let sync = |_| panic!("on purpose");
        let spooler = start(sync, &outbox, PATIENCE, &mut tasks).await;
        let revision = push(&outbox);
        spooler.wait_durable(revision).await;
        assert!(!spooler.holds(revision));
        tasks.join_next().await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn thread_has_let_go_of_the_folder_when_the_task_has_ended() {
        let (outbox, mut tasks) = (outbox(), JoinSet::new());
        let folder = Arc::new(());
        let held = folder.clone();
        let sync = move |_| {
            let _ = &held;
            None
        };
        let spooler = start(sync, &outbox, PATIENCE, &mut tasks).await;
        push(&outbox);
        spooler.stop();
        tasks.join_next().await.unwrap().unwrap();
        assert_eq!(Arc::strong_count(&folder), 1);
    }

    /// Threads for what blocks are few, and all may hang.
    #[test]
    fn spool_needs_none_of_the_threads_that_others_share() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).enable_all().build();
        let (go_on, hanging) = mpsc::channel::<()>();
        runtime.unwrap().block_on(async {
            let other = tokio::task::spawn_blocking(move || hanging.recv());
            let (outbox, mut tasks) = (outbox(), JoinSet::new());
            let spooler = start(|_| None, &outbox, PATIENCE, &mut tasks).await;
            let revision = push(&outbox);
            spooler.wait_durable(revision).await;
            assert!(spooler.holds(revision));
            go_on.send(()).unwrap();
            other.await.unwrap().unwrap();
        });
    }
}
