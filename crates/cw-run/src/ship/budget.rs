//! The bound on memory for lines that are not accepted yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, Semaphore};

/// So much may be held. Who wants to hold more waits until something was given back.
#[derive(Debug)]
pub struct Budget {
    room: Semaphore,
    all: usize,
    most: AtomicUsize,
    shares: AtomicUsize,
}

/// What one container may hold of it: one whose lines are not accepted leaves room for the others.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: AtomicUsize,
    freed: Notify,
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
            shares: AtomicUsize::new(0),
        }
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

impl Share {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        budget.shares.fetch_add(1, Ordering::Relaxed);
        Self {
            budget: budget.clone(),
            held: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// How much it may hold.
    pub(crate) fn all(&self) -> usize {
        let shares = self.budget.shares.load(Ordering::Relaxed).max(1);
        self.budget.all / shares
    }

    /// Whether so much fits. A line that is larger than the share goes alone.
    fn fits(&self, bytes: usize) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        held == 0 || held + bytes <= self.all()
    }

    /// Waits for room. A line is smaller than the smallest budget.
    pub(crate) async fn take(&self, bytes: usize) {
        while !self.fits(bytes) {
            self.freed.notified().await;
        }
        let asked = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = self.budget.room.acquire_many(asked).await;
        permit.expect("nobody closes it").forget();
        self.held.fetch_add(bytes, Ordering::Relaxed);
        let held = self.budget.held();
        self.budget.most.fetch_max(held, Ordering::Relaxed);
    }

    /// Gives back what one `take` took, or a part of it.
    pub(crate) fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.held.fetch_sub(bytes, Ordering::Relaxed);
            self.budget.room.add_permits(bytes);
            self.freed.notify_one();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.shares.fetch_sub(1, Ordering::Relaxed);
        let held = self.held.load(Ordering::Relaxed);
        self.budget.room.add_permits(held);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_finds_no_room_waits_until_some_is_given_back() {
        let budget = Arc::new(Budget::new(100));
        let share = Share::new(&budget);
        assert!(share.take(60).now_or_never().is_some());
        assert!(share.take(60).now_or_never().is_none());
        share.give_back(20);
        assert!(share.take(60).now_or_never().is_some());
        assert_eq!((budget.held(), budget.most()), (100, 100));
        drop(share);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn one_leaves_room_for_the_others() {
        let budget = Arc::new(Budget::new(100));
        let (first, second) = (Share::new(&budget), Share::new(&budget));
        assert!(first.take(50).now_or_never().is_some());
        assert!(first.take(1).now_or_never().is_none());
        assert!(second.take(50).now_or_never().is_some());
        drop(second);
        assert!(first.take(50).now_or_never().is_some());
    }
}
