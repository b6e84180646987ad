//! Signals, as a stream of what they ask for.

use std::fmt;
use std::io;

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::{Signals, SignalsInfo};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Stop: SIGTERM, as Docker and Kubernetes send it, or SIGINT, Ctrl-C.
    Stop,
    /// Read the crontab and the credentials again: SIGHUP.
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
}
