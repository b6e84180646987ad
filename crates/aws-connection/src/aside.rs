//! The SDK reads files (profiles, tokens, certificates) where it is polled and with calls
//! that block. One of them may be a pipe, or lie on a file system whose server is gone, so
//! all that reads is polled on a thread beside the runtime's. What it waits for of the
//! network and of time is still the runtime's to drive.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use blocking_io::Threads;
use futures_util::future::{self, Either};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// It did not come to an end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it did not come to an end within {after:?}")]
pub(crate) struct Late {
    pub(crate) after: Duration,
}

/// A place for work that may block, for one at a time: what hangs there is waited for and
/// not begun again beside it. Clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Aside(Threads);

impl Default for Aside {
    fn default() -> Self {
        Self(Threads::new(1))
    }
}

impl Aside {
    /// Does some work there. It is dropped when this is, or after so long, as soon as its
    /// thread is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Late> {
        let late = |_| Late { after: patience };
        timeout(patience, self.run_unbounded(work))
            .await
            .map_err(late)?
            .ok_or(Late { after: patience })
    }

    /// `None` if the runtime goes down.
    async fn run_unbounded<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let runtime = Handle::current();
        let (_wanted, given_up) = oneshot::channel::<()>();
        let answer = self.0.run(move || {
            runtime.block_on(async {
                // The one that was given up comes first, for at the end of the process
                // there are no timers that the work could ask for.
                match future::select(given_up, pin!(work)).await {
                    Either::Left(_) => None,
                    Either::Right((answer, _)) => Some(answer),
                }
            })
        });
        answer.await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    use tokio::time::sleep;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn work_that_blocks_its_thread_is_given_up_and_not_begun_again_beside_it() {
        let aside = Aside::default();
        let (unblock, blocked) = mpsc::channel::<()>();
        let hanging = async move {
            let _ = blocked.recv();
        };
        assert_eq!(aside.run(SHORT, hanging).await, Err(Late { after: SHORT }));
        let begun = Arc::new(AtomicBool::new(false));
        let beginning = |begun: Arc<AtomicBool>| async move {
            begun.store(true, Ordering::Relaxed);
        };
        let second = aside.run(SHORT, beginning(begun.clone())).await;
        assert_eq!(second, Err(Late { after: SHORT }));
        assert!(!begun.load(Ordering::Relaxed));
        drop(unblock);
        aside.run(LONG, beginning(begun.clone())).await.unwrap();
        assert!(begun.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn work_that_only_waits_is_dropped_when_it_is_given_up() {
        let aside = Aside::default();
        assert!(aside.run(SHORT, future::pending::<()>()).await.is_err());
        assert_eq!(aside.run(LONG, async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn timers_and_tasks_of_the_work_are_driven() {
        let work = async {
            sleep(Duration::from_millis(1)).await;
            tokio::spawn(async { 1 }).await.unwrap()
        };
        assert_eq!(Aside::default().run(LONG, work).await, Ok(1));
    }
}
