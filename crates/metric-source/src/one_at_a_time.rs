//! Blocking calls that may never come back.

use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

use super::threads::Thread;

/// Runs something that may hang for good (a network file system whose server is
/// gone) on a thread, and never on a second one while the first still hangs.
#[derive(Debug)]
pub(super) struct OneAtATime<T> {
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
    pub(super) async fn run(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        let mut running = self.running.lock().await;
        let hung = running.take().filter(|handle| !handle.is_finished());
        let handle = match hung {
            Some(hung) => hung,
            None => Thread::free().await.run(f),
        };
        // If this future is dropped here, the handle stays for the next run.
        let result = running.insert(handle).await;
        *running = None;
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

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
