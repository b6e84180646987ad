//! One operation at a time on each container, in the order in which they were asked for.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::failure::{ErrorCode, Failure};

/// Most operations that wait for one container.
const WAITING_MAX: usize = 64;
/// So many names that nobody waits for are kept before they are looked through.
const SPARE: usize = 256;

/// The queues, by the name that a container was created with or that none has yet.
#[derive(Debug, Default)]
pub(crate) struct Turns(StdMutex<HashMap<String, Arc<Mutex<()>>>>);

/// A place in a queue. It is given up when this is dropped.
pub(crate) struct Turn(State);

enum State {
    Waits(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
    Has(#[allow(dead_code, reason = "it is held")] OwnedMutexGuard<()>),
}

impl Turns {
    /// Takes a place in the queue, now.
    pub(crate) fn take(&self, key: &str) -> Result<Turn, Failure> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.len() > SPARE && queues.len().is_power_of_two() || queues.len() > 16 * SPARE {
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        let queue = queues.entry(key.to_owned()).or_default();
        if Arc::strong_count(queue) > WAITING_MAX {
            let message = "Too many operations wait for the container";
            return Err(Failure::new(ErrorCode::ContainerBusy, message));
        }
        let mut waits = Box::pin(queue.clone().lock_owned());
        // The first look takes the place, which the later ones keep.
        let looked = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        Ok(Turn(match looked {
            std::task::Poll::Ready(has) => State::Has(has),
            std::task::Poll::Pending => State::Waits(waits),
        }))
    }
}

impl Turn {
    /// Waits until it is its turn.
    pub(crate) async fn come(&mut self) {
        if let State::Waits(waits) = &mut self.0 {
            self.0 = State::Has(waits.await);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_taken() {
        let turns = Turns::default();
        let mut taken: Vec<_> = (0..WAITING_MAX).map(|_| turns.take("a").unwrap()).collect();
        assert_eq!(turns.take("a").unwrap_err().code, ErrorCode::ContainerBusy);
        turns.take("b").unwrap().come().await;
        let order = Arc::new(StdMutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        // They are asked in the other order, and one gave up.
        drop(taken.remove(5));
        for (number, mut turn) in taken.into_iter().enumerate().rev() {
            let order = order.clone();
            tasks.spawn(async move {
                turn.come().await;
                order.lock().unwrap().push(number);
            });
        }
        while tasks.join_next().await.is_some() {}
        assert!(order.lock().unwrap().is_sorted());
        turns.take("a").unwrap().come().await;
    }
}
