//! Ends the process when nothing else does.
//!
//! Signals are heard by the runtime's thread, which whatever hangs there keeps from
//! hearing them. So a thread of its own hears them too, and does what nobody else did.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use tracing::error;

use crate::{Stop, Stops};

/// How much longer than the grace stopping may take: who keeps to the grace ends first.
const AFTER_GRACE: Duration = Duration::from_secs(1);
/// The time that a second signal leaves to end in the usual way.
const AFTER_SECOND: Duration = Duration::from_millis(200);
/// The time to write the last line. Standard output may be what hangs.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Enough to log a line, in unoptimised builds too.
const STACK: usize = 256 * 1024;
/// Something that was to be done was not.
const FAILURE: i32 = 1;

/// A thread that ends the process.
#[derive(Clone)]
pub struct Watchdog {
    grace_ms: Arc<AtomicU64>,
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}

impl Watchdog {
    /// Watches from now on that a signal to stop ends the process within a grace.
    pub fn start(grace: Duration) -> io::Result<Self> {
        Self::start_with(grace, FAILURE)
    }

    /// The same, with an exit code of the program's own.
    pub fn start_with(grace: Duration, exit_code: i32) -> io::Result<Self> {
        let watchdog = Self {
            grace_ms: Arc::default(),
        };
        watchdog.set_grace(grace);
        let (read, write) = UnixStream::pair()?;
        let signals = SignalDelivery::with_pipe(read, write, SignalOnly, [SIGTERM, SIGINT])?;
        let grace_ms = watchdog.grace_ms.clone();
        thread::Builder::new()
            .name("watchdog".to_owned())
            .stack_size(STACK)
            .spawn(move || watch(signals, &grace_ms, exit_code))?;
        Ok(watchdog)
    }

    /// The grace, once it is known.
    pub fn set_grace(&self, grace: Duration) {
        let millis = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.grace_ms.store(millis, Ordering::Relaxed);
    }
}

fn watch(
    mut signals: SignalDelivery<UnixStream, SignalOnly>,
    grace_ms: &AtomicU64,
    exit_code: i32,
) {
    let mut stops = Stops::default();
    let mut deadline: Option<Instant> = None;
    let mut again = false;
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            end(again, exit_code);
        }
        let pending = match signals.poll_pending(&mut |pipe| readable(pipe, left)) {
            Ok(Some(pending)) => pending,
            Ok(None) => continue,
            // Without its pipe it hears nothing; the runtime has one of its own.
            Err(_) => return,
        };
        for _ in pending {
            match stops.take(Instant::now()) {
                Stop::First => {
                    let grace = Duration::from_millis(grace_ms.load(Ordering::Relaxed));
                    deadline = Instant::now().checked_add(grace.saturating_add(AFTER_GRACE));
                }
                Stop::Same => {}
                Stop::Again => {
                    let soon = Instant::now() + AFTER_SECOND;
                    deadline = Some(deadline.map_or(soon, |deadline| deadline.min(soon)));
                    again = true;
                }
            }
        }
    }
}

/// Waits for a signal; false if none came in time.
fn readable(pipe: &mut UnixStream, patience: Option<Duration>) -> io::Result<bool> {
    pipe.set_read_timeout(patience)?;
    match pipe.read(&mut [0; 64]) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(false),
            _ => Err(error),
        },
    }
}

/// Only `main` exits, with this exception: `main` is what hangs. The handlers of an orderly
/// exit may wait for it too, and are not called.
fn end(again: bool, exit_code: i32) -> ! {
    if again {
        error!("second signal, ended at once");
    } else {
        error!("stopping takes longer than SHUTDOWN_GRACE and a second, ended");
    }
    telemetry::flush(LAST_WORDS);
    signal_hook::low_level::exit(exit_code)
}
