//! Threads beside the runtime's, of a bounded number: what blocks on them may never come back.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// Threads for work of one kind, which so takes none from another. Clones share them.
#[derive(Clone, Debug)]
pub struct Threads(Arc<Semaphore>);

/// The right to one thread.
#[derive(Debug)]
pub struct Thread(OwnedSemaphorePermit);

impl Threads {
    /// So many may be held at a time; who wants more waits until one comes back.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// Waits until one is free.
    pub async fn free(&self) -> Thread {
        let permit = self.0.clone().acquire_owned().await;
        Thread(permit.expect("it is never closed"))
    }

    /// Does some work on the next one that is free.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        self.free().await.run(work).await
    }
}

impl Thread {
    /// Does some work there. The thread is free again when that ends, whoever still waits
    /// for it.
    pub fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let Self(permit) = self;
        spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
    }
}
