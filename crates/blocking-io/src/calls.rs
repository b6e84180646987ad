//! Calls that block and may never come back: a file on a dead mount, a name that no
//! server answers for. They run on threads beside the runtime's, of a bounded number.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Threads;

/// Calls of one kind. Each is about something, and there are never two at a time about the
/// same: who asks meanwhile gets the answer of the one under way. Clones share all of it.
#[derive(Debug)]
pub struct Calls<K, T> {
    threads: Threads,
    running: Running<K, T>,
}

type Running<K, T> = Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>;

/// A call that gave no answer at all.
#[derive(Debug, thiserror::Error)]
#[error("the thread that was to answer ended in disorder")]
pub struct Lost;

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        Self::other(lost)
    }
}

impl<K, T> Clone for Calls<K, T> {
    fn clone(&self) -> Self {
        Self {
            threads: self.threads.clone(),
            running: self.running.clone(),
        }
    }
}

impl<K, T> Calls<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Calls of which so many may hang at a time. More wait until one comes back.
    pub fn new(threads_max: usize) -> Self {
        Self::on(Threads::new(threads_max))
    }

    /// Calls on threads that others hold, too.
    pub fn on(threads: Threads) -> Self {
        Self {
            threads,
            running: Arc::default(),
        }
    }

    /// The answer to `call`, which is about `key`. It goes on to its end, whoever still
    /// waits for it.
    pub async fn answer(
        &self,
        key: K,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let running = lock(&self.running).get(&key).cloned();
        if let Some(running) = running {
            return wait(running).await;
        }
        let thread = self.threads.free().await;
        let answer = {
            let mut running = lock(&self.running);
            match running.get(&key) {
                // Another began while this one waited for a thread.
                Some(other) => other.clone(),
                None => {
                    let (sender, answer) = watch::channel(None);
                    running.insert(key.clone(), answer.clone());
                    let ended = Ended {
                        running: self.running.clone(),
                        key,
                    };
                    thread.run(move || {
                        let answer = call();
                        drop(ended);
                        sender.send_replace(Some(answer));
                    });
                    answer
                }
            }
        };
        wait(answer).await
    }
}

async fn wait<T: Clone>(mut answer: watch::Receiver<Option<T>>) -> Result<T, Lost> {
    let answer = answer.wait_for(Option::is_some).await.map_err(|_| Lost)?;
    answer.clone().ok_or(Lost)
}

/// Takes a call off the list, also when it panics.
struct Ended<K: Eq + Hash, T> {
    running: Running<K, T>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Ended<K, T> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn hanging_call_is_waited_for_again_and_not_made_twice() {
        let calls = Calls::new(2);
        let (release, hang) = mpsc::channel();
        // Polled once, then dropped, as at the time-out.
        let first = calls.answer("a", move || hang.recv().unwrap());
        assert!(first.now_or_never().is_none());
        let mut second = Box::pin(calls.answer("a", || unreachable!("the first still runs")));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(calls.answer("b", || 2).await.unwrap(), 2);
        release.send(1).unwrap();
        assert_eq!(second.await.unwrap(), 1);
        assert_eq!(calls.answer("a", || 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn no_more_hang_than_there_are_threads() {
        let calls = Calls::new(1);
        let (release, hang) = mpsc::channel();
        assert!(
            calls
                .answer("a", move || hang.recv().unwrap())
                .now_or_never()
                .is_none()
        );
        let mut second = Box::pin(calls.answer("b", || 2));
        assert!((&mut second).now_or_never().is_none());
        release.send(1).unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn call_that_panics_is_an_error_and_leaves_nothing_behind() {
        let calls = Calls::<_, u8>::new(1);
        calls
            .answer("a", || panic!("as it must"))
            .await
            .unwrap_err();
        // On the one thread that there is.
        for answer in 1..=2 {
            assert_eq!(calls.answer("a", move || answer).await.unwrap(), answer);
        }
    }
}
