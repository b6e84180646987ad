//! Signals, as a stream of what they ask for, and a watchdog for when nobody reads it.
//! What stopping means is the program's own.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use shutdown::{Request, Requests};
//!
//! let mut requests = Requests::catch()?;
//! while requests.next().await != Request::Stop {}
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::{Signals, SignalsInfo};

mod watchdog;

pub use watchdog::Watchdog;

/// Signals to stop that come this soon after the first are the same request. GNU
/// `timeout`, `dumb-init` and shells signal the process and then its group, so the second
/// arrives within milliseconds; whoever means two presses Ctrl-C no faster than this.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Stop: SIGTERM, as Docker and Kubernetes send it, or SIGINT, Ctrl-C.
    Stop,
    /// Read again what can be read again: SIGHUP.
    Reload,
}

/// The signals of the process. As PID 1 in a container it gets only those that it
/// asks for, so this comes first.
pub struct Requests(SignalsInfo);

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Requests").finish_non_exhaustive()
    }
}

impl Requests {
    /// Catches the signals from now on.
    pub fn catch() -> io::Result<Self> {
        Ok(Self(Signals::new([SIGTERM, SIGINT, SIGHUP])?))
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Request {
        match self.0.next().await {
            Some(SIGHUP) => Request::Reload,
            Some(_) => Request::Stop,
            // The stream ends only when its handle is closed, which nobody does.
            None => std::future::pending().await,
        }
    }

    /// Waits until the process shall stop; what is to be read again was not read yet.
    pub async fn stop(&mut self) {
        while self.next().await != Request::Stop {}
    }
}

/// Tells a second request to stop from a second signal of the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stops {
    first: Option<Instant>,
}

/// What a signal to stop means after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Stop within the grace.
    First,
    /// Nothing new.
    Same,
    /// Stop at once.
    Again,
}

impl Stops {
    /// Takes the next signal to stop.
    pub fn take(&mut self, now: Instant) -> Stop {
        let Some(first) = self.first else {
            self.first = Some(now);
            return Stop::First;
        };
        if now.saturating_duration_since(first) <= SAME_REQUEST {
            Stop::Same
        } else {
            Stop::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_soon_after_the_first_are_the_same_request() {
        let began = Instant::now();
        let mut stops = Stops::default();
        let after = |millis| began + Duration::from_millis(millis);
        for (millis, expected) in [
            (0, Stop::First),
            (5, Stop::Same),
            (100, Stop::Same),
            (101, Stop::Again),
            (300, Stop::Again),
        ] {
            assert_eq!(stops.take(after(millis)), expected, "{millis}");
        }
    }
}
