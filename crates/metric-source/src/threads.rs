//! Threads for the wait for programs and for disks.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// The most that are held at a time: programs may run long.
pub(crate) const THREADS_MAX: usize = 64;

static FREE: Semaphore = Semaphore::const_new(THREADS_MAX);

/// The right to one thread.
#[derive(Debug)]
pub(super) struct Thread(SemaphorePermit<'static>);

impl Thread {
    /// Waits until one is free.
    pub(super) async fn free() -> Self {
        Self(FREE.acquire().await.expect("it is never closed"))
    }

    /// Runs something that blocks. The thread is free again when that ends, whoever still
    /// waits for it.
    pub(super) fn run<T: Send + 'static>(
        self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let Self(permit) = self;
        spawn_blocking(move || {
            let result = f();
            drop(permit);
            result
        })
    }
}

/// Runs something that blocks for a short time.
pub(super) async fn run<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    Thread::free().await.run(f).await
}
