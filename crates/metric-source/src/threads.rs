//! Threads for the wait for programs and for disks.

use std::sync::LazyLock;

use blocking_io::Threads;

/// The most that are held at a time: programs may run long.
pub(crate) const THREADS_MAX: usize = 64;

pub(super) static THREADS: LazyLock<Threads> = LazyLock::new(|| Threads::new(THREADS_MAX));
