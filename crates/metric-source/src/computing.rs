//! What takes the processor's time: reading long texts. It is done beside the runtime's
//! thread, which has signals, health and all other sources to see to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use blocking_io::Threads;

/// How many run at a time. More than there are processors make none faster, but a few that
/// use all of their `SOURCE_TIMEOUT` leave room for others.
pub(crate) const COMPUTING_MAX: usize = 16;

/// A shorter text is read in place: that takes less than a millisecond.
const SHORT_MAX: usize = 16 * 1024;

static THREADS: LazyLock<Threads> = LazyLock::new(|| Threads::new(COMPUTING_MAX));

/// Whether somebody still waits for the result.
#[derive(Debug, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

/// Why there is no result: the time was up, or there is a defect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading it was given up")]
pub(super) struct Stopped;

impl Wanted {
    /// To be called every few milliseconds by what may take long.
    pub(super) fn check(&self) -> Result<(), Stopped> {
        if self.0.load(Ordering::Relaxed) {
            Err(Stopped)
        } else {
            Ok(())
        }
    }
}

/// Tells the computation that nobody waits for it any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a computation on a thread. It is not wanted any more once this future is dropped,
/// as it is at `SOURCE_TIMEOUT`.
pub(super) async fn run<T: Send + 'static>(
    computation: impl FnOnce(&Wanted) -> T + Send + 'static,
) -> Result<T, Stopped> {
    let wanted = Wanted::default();
    let _waiting = Waiting(wanted.0.clone());
    let computed = THREADS.run(move || computation(&wanted)).await;
    computed.map_err(|_| Stopped)
}

/// Does so if what is read has many bytes.
pub(super) async fn by_size<T: Send + 'static>(
    size: usize,
    computation: impl FnOnce(&Wanted) -> T + Send + 'static,
) -> Result<T, Stopped> {
    if size <= SHORT_MAX {
        Ok(computation(&Wanted::default()))
    } else {
        run(computation).await
    }
}

#[cfg(test)]
impl Wanted {
    pub(super) fn stopped() -> Self {
        Self(Arc::new(true.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn computation_that_nobody_waits_for_is_told_to_stop() {
        let (stopped, told) = mpsc::channel();
        let computing = run(move |wanted| {
            while wanted.check().is_ok() {
                std::thread::yield_now();
            }
            stopped.send(()).unwrap();
        });
        // Polled once, then dropped, as at the time-out.
        assert!(computing.now_or_never().is_none());
        told.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    #[tokio::test]
    async fn long_text_is_read_on_another_thread() {
        let here = std::thread::current().id();
        let thread = |_: &Wanted| std::thread::current().id();
        assert_eq!(by_size(SHORT_MAX, thread).await.unwrap(), here);
        assert_ne!(by_size(SHORT_MAX + 1, thread).await.unwrap(), here);
    }
}
