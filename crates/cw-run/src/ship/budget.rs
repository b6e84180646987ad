//! The bound on memory for lines that are not accepted yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// So much may be held. Who wants to hold more waits until something was given back.
#[derive(Debug)]
pub struct Budget {
    room: Semaphore,
    all: usize,
    most: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let all = bytes.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self {
            room: Semaphore::new(all),
            all,
            most: AtomicUsize::new(0),
        }
    }

    /// Waits for room. What is larger than the whole budget waits for all of it.
    pub async fn take(&self, bytes: usize) {
        let asked = u32::try_from(bytes.min(self.all)).unwrap_or(u32::MAX);
        let permit = self.room.acquire_many(asked).await;
        permit.expect("nobody closes it").forget();
        self.most.fetch_max(self.held(), Ordering::Relaxed);
    }

    /// Gives back what one `take` took, or a part of it.
    pub fn give_back(&self, bytes: usize) {
        self.room.add_permits(bytes.min(self.all));
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.all.saturating_sub(self.room.available_permits())
    }

    /// The most that was held.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_until_some_is_given_back() {
        let budget = Budget::new(100);
        assert!(budget.take(60).now_or_never().is_some());
        assert!(budget.take(60).now_or_never().is_none());
        budget.give_back(20);
        assert!(budget.take(60).now_or_never().is_some());
        assert_eq!((budget.held(), budget.most()), (100, 100));
    }
}
