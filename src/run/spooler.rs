//! Keeps the spool to what the store holds. The disk is written on a thread of its own:
//! one that is slow or hangs holds up no tick, and what is sent for [`PATIENCE`] only.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracing::{error, info};

use super::millis;
use super::store::SharedStore;
use crate::outbox::Held;
use crate::spool::Event;
use crate::telemetry::chain;

/// How long the disk may take for one write before it counts as hanging. Network file
/// systems stall for a second or two when all is well.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const HINT: &str =
    "free some space or see to the disk; until then the points are held in memory only";

/// What the disk holds of a store.
#[derive(Clone, Copy, Debug, Default)]
struct OnDisk {
    /// The last revision of the store that was written, or could not be.
    revision: u64,
    /// Set while the disk refuses what it is given.
    refuses: bool,
    /// Set while the disk does not answer.
    hangs: bool,
}

/// Tells how far the writing is.
pub(super) struct Spooler {
    on_disk: watch::Receiver<OnDisk>,
}

impl Spooler {
    /// Begins a task that gives every change of a store to `sync`, which may block.
    pub(super) fn start(
        sync: impl FnMut(&[Held]) -> Option<Event> + Send + 'static,
        store: Arc<SharedStore>,
        patience: Duration,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (sender, on_disk) = watch::channel(OnDisk::default());
        let changes = store.lock().changes();
        let writing = Writing {
            changes,
            store,
            on_disk: sender,
            patience,
        };
        tasks.spawn(writing.run(sync));
        Self { on_disk }
    }

    /// Waits until a revision of the store is on disk, or the disk is known not to take
    /// it; a disk that hangs is waited for once.
    pub(super) async fn settle(&self, revision: u64) {
        let mut on_disk = self.on_disk.clone();
        let settled = on_disk.wait_for(|disk| disk.revision >= revision || disk.hangs);
        // The writing has ended only if it panicked, which was told.
        let _ = settled.await;
    }

    /// Whether all of a revision of the store is on disk.
    pub(super) fn holds(&self, revision: u64) -> bool {
        let disk = *self.on_disk.borrow();
        disk.revision == revision && !disk.refuses && !disk.hangs
    }
}

struct Writing {
    changes: watch::Receiver<u64>,
    store: Arc<SharedStore>,
    on_disk: watch::Sender<OnDisk>,
    patience: Duration,
}

impl Writing {
    /// One write at a time, each of the newest state.
    async fn run(mut self, mut sync: impl FnMut(&[Held]) -> Option<Event> + Send + 'static) {
        while self.changes.changed().await.is_ok() {
            let (revision, held) = self.store.lock().snapshot();
            let points = held.len();
            let mut write = spawn_blocking(move || {
                let event = sync(&held);
                (sync, event)
            });
            let written = match timeout(self.patience, &mut write).await {
                Ok(written) => written,
                Err(_) => {
                    self.tell_hanging(points);
                    write.await
                }
            };
            let event = match written {
                Ok((back, event)) => {
                    sync = back;
                    event
                }
                Err(failure) => return tell_ended(&chain(&failure), points),
            };
            self.tell_written(revision, event, points);
        }
    }

    fn tell_hanging(&self, points: usize) {
        self.on_disk.send_modify(|disk| disk.hangs = true);
        error!(
            points_held = points,
            error = "the disk does not answer",
            waited_ms = millis(self.patience),
            hint = HINT,
            "spool failed"
        );
    }

    fn tell_written(&self, revision: u64, event: Option<Event>, points: usize) {
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
            info!(points_held = points, "spool healed");
        }
        self.on_disk.send_replace(OnDisk {
            revision,
            refuses,
            hangs: false,
        });
    }
}

fn tell_ended(failure: &str, points: usize) {
    error!(
        points_held = points,
        error = failure,
        hint =
            "restart, and report this as a defect; until then the points are held in memory only",
        "spool failed"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::outbox::Outbox;
    use crate::run::store::Store;
    use crate::run::store::tests::point;
    use crate::spool::SpoolError;

    fn store() -> Arc<SharedStore> {
        Arc::new(SharedStore::new(Store::new(Outbox::new(100))))
    }

    /// Gives the store one more point and tells its revision.
    fn push(store: &SharedStore) -> u64 {
        store.lock().push(vec![point()]);
        store.lock().revision()
    }

    fn degraded() -> Event {
        Event::Degraded(SpoolError::Write {
            path: "spool".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        })
    }

    #[tokio::test]
    async fn settled_revision_is_on_disk() {
        let (store, mut tasks) = (store(), JoinSet::new());
        let (written, writes) = mpsc::channel();
        let sync = move |held: &[Held]| {
            written.send(held.len()).unwrap();
            None
        };
        let spooler = Spooler::start(sync, store.clone(), PATIENCE, &mut tasks);
        for count in 1..=3 {
            let revision = push(&store);
            assert!(!spooler.holds(revision));
            spooler.settle(revision).await;
            assert!(spooler.holds(revision));
            assert_eq!(writes.try_iter().last(), Some(count));
        }
    }

    #[tokio::test]
    async fn disk_that_hangs_is_waited_for_once_and_gets_the_newest_then() {
        let (store, mut tasks) = (store(), JoinSet::new());
        let (go_on, hanging) = mpsc::channel();
        let (written, mut writes) = tokio::sync::mpsc::unbounded_channel();
        let sync = move |held: &[Held]| {
            hanging.recv().unwrap();
            written.send(held.len()).unwrap();
            None
        };
        let patience = Duration::from_millis(20);
        let spooler = Spooler::start(sync, store.clone(), patience, &mut tasks);
        for _ in 0..3 {
            let revision = push(&store);
            spooler.settle(revision).await;
            assert!(!spooler.holds(revision));
        }
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert_eq!(writes.recv().await, Some(1));
        assert_eq!(writes.recv().await, Some(3));
        let revision = store.lock().revision();
        let mut on_disk = spooler.on_disk.clone();
        let answered = on_disk.wait_for(|disk| disk.revision == revision && !disk.hangs);
        answered.await.unwrap();
        assert!(spooler.holds(revision));
    }

    #[tokio::test]
    async fn refused_write_settles_but_does_not_hold() {
        let (store, mut tasks) = (store(), JoinSet::new());
        let mut events = vec![None, Some(Event::Healed), None, Some(degraded())];
        let sync = move |_: &[Held]| events.pop().unwrap();
        let spooler = Spooler::start(sync, store.clone(), PATIENCE, &mut tasks);
        for holds in [false, false, true, true] {
            let revision = push(&store);
            spooler.settle(revision).await;
            assert_eq!(spooler.holds(revision), holds);
        }
    }

    #[tokio::test]
    async fn panic_of_the_spool_holds_nothing_up() {
        let (store, mut tasks) = (store(), JoinSet::new());
        let sync = |_: &[Held]| panic!("on purpose");
        let spooler = Spooler::start(sync, store.clone(), PATIENCE, &mut tasks);
        let revision = push(&store);
        spooler.settle(revision).await;
        assert!(!spooler.holds(revision));
        tasks.join_next().await.unwrap().unwrap();
    }
}
