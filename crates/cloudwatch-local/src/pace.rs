//! How fast the endpoint reads: a slow endpoint makes those who send to it hold what they have.

use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Largest piece that is read at a time.
pub(crate) const PIECE_MAX: usize = 16 * 1024;
/// Time that was not used and may be made up for, so that a late timer costs no speed.
const SLACK: Duration = Duration::from_millis(50);

/// The rate at which all connections together are read.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<Option<Schedule>>);

#[derive(Clone, Copy, Debug)]
struct Schedule {
    bytes_per_second: NonZeroU64,
    /// When what was read so far has had its time.
    free_at: Instant,
}

/// What a connection may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Everything,
    UpTo(usize),
    NotBefore(Instant),
}

impl Pace {
    /// Reads as fast as it comes, if no rate is named.
    pub(crate) fn set(&self, bytes_per_second: Option<NonZeroU64>, now: Instant) {
        *self.lock() = bytes_per_second.map(|bytes_per_second| Schedule {
            bytes_per_second,
            free_at: now,
        });
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.lock().is_some()
    }

    pub(crate) fn grant(&self, now: Instant) -> Grant {
        match *self.lock() {
            None => Grant::Everything,
            Some(schedule) if schedule.free_at > now => Grant::NotBefore(schedule.free_at),
            Some(schedule) => {
                // Twenty pieces a second, so that it flows.
                let piece = schedule.bytes_per_second.get() / 20;
                let piece = usize::try_from(piece).unwrap_or(PIECE_MAX);
                Grant::UpTo(piece.clamp(1, PIECE_MAX))
            }
        }
    }

    pub(crate) fn spend(&self, bytes: usize, now: Instant) {
        if let Some(schedule) = self.lock().as_mut() {
            let seconds = bytes as f64 / schedule.bytes_per_second.get() as f64;
            let earliest = now.checked_sub(SLACK).unwrap_or(now);
            schedule.free_at = schedule.free_at.max(earliest) + Duration::from_secs_f64(seconds);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Schedule>> {
        self.0.lock().expect("nobody panics with the lock held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_takes_its_time() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.grant(start), Grant::Everything);
        pace.set(NonZeroU64::new(1000), start);
        assert_eq!(pace.grant(start), Grant::UpTo(50));
        let later = start + Duration::from_secs(10);
        pace.spend(1050, later);
        let free_at = later + Duration::from_secs(1);
        assert_eq!(pace.grant(later), Grant::NotBefore(free_at));
        assert_eq!(pace.grant(free_at), Grant::UpTo(50));
        pace.set(None, later);
        assert_eq!(pace.grant(later), Grant::Everything);
    }
}
