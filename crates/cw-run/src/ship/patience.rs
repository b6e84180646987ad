//! How long is waited before a request is made again.

use std::time::Duration;

use retry_policy::Retry;

/// The service or the way to it is at fault: it may be over at once.
const SOON: Retry = Retry {
    max: u32::MAX,
    base: Duration::from_millis(200),
    cap: Duration::from_secs(5),
};
/// The service asks for less. Ten tries take half a minute, so that one in ten is enough.
const LATER: Retry = Retry {
    max: u32::MAX,
    base: Duration::from_millis(500),
    cap: Duration::from_secs(10),
};
/// Somebody must act, which takes its time, and is then to show soon.
const HELD: Retry = Retry {
    max: u32::MAX,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(30),
};
/// Nothing is asked again sooner: a delay is drawn from 0 on.
const LEAST: Duration = Duration::from_millis(50);

/// Why a request is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Soon,
    Later,
    Held,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// The delay before the next try.
    pub(super) fn delay(&mut self, reason: Reason, asked: Option<Duration>) -> Duration {
        let ladder = match reason {
            Reason::Soon => SOON,
            Reason::Later => LATER,
            Reason::Held => HELD,
        };
        let delay = ladder.delay(self.failures, asked, &mut rand::rng());
        self.failures = self.failures.saturating_add(1);
        delay.max(LEAST)
    }

    /// How many there were.
    pub(super) fn failures(self) -> u32 {
        self.failures
    }

    /// Something succeeded.
    pub(super) fn over(&mut self) {
        self.failures = 0;
    }
}
