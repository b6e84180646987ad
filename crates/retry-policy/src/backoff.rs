//! Exponential backoff with full jitter.
//!
//! Full jitter draws each delay between zero and the doubled bound, which spreads a
//! fleet best ("Exponential Backoff And Jitter", AWS Architecture Blog).

use std::time::Duration;

use rand::{Rng, RngExt};

/// How often and how long apart a batch is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Retries after the first attempt.
    pub max: u32,
    /// The bound of the first delay.
    pub base: Duration,
    /// The bound of every delay, one that the service asks for included.
    pub cap: Duration,
}

impl Retry {
    /// One attempt and no more.
    pub const NEVER: Self = Self {
        max: 0,
        base: Duration::ZERO,
        cap: Duration::ZERO,
    };

    /// The longest delay before retry number `retry`, counted from 0.
    #[must_use]
    pub fn bound(&self, retry: u32) -> Duration {
        let doubled = self.base.saturating_mul(2u32.saturating_pow(retry));
        doubled.min(self.cap)
    }

    /// A delay before retry number `retry`. What the service asks for is the least,
    /// within the cap.
    pub fn delay(&self, retry: u32, asked: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let drawn = self.bound(retry).mul_f64(rng.random_range(0.0..=1.0));
        drawn.max(asked.unwrap_or_default()).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        max: 3,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(20),
    };

    #[test]
    fn bound_doubles_up_to_the_cap() {
        let bounds: Vec<_> = (0..7).map(|n| RETRY.bound(n).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 20, 20]);
        assert_eq!(RETRY.bound(u32::MAX), RETRY.cap);
    }

    #[test]
    fn delay_is_spread_over_the_whole_bound() {
        let mut rng = rand::rng();
        let delays: Vec<_> = (0..1000).map(|_| RETRY.delay(2, None, &mut rng)).collect();
        assert!(delays.iter().all(|d| *d <= Duration::from_secs(4)));
        assert!(delays.iter().any(|d| *d < Duration::from_secs(1)));
        assert!(delays.iter().any(|d| *d > Duration::from_secs(3)));
    }

    #[test]
    fn what_the_service_asks_for_is_honoured_within_the_cap() {
        let mut rng = rand::rng();
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(RETRY.delay(0, asked(9), &mut rng), Duration::from_secs(9));
        assert_eq!(RETRY.delay(0, asked(90), &mut rng), RETRY.cap);
    }
}
