//! The containers' lines on standard output. Who does not read holds shipping up for five seconds
//! at most, and loses lines then until it reads again.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::warn;

/// Bytes that wait for who reads.
const ROOM: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);
const STACK: usize = 256 * 1024;

/// Writes lines on a thread of its own.
#[derive(Debug)]
pub struct Tee {
    /// What stands in it is bounded by `shared.room`.
    lines: Sender<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    room: Semaphore,
    /// Nobody will read any more.
    closed: AtomicBool,
    /// Nobody reads at the moment.
    stalled: AtomicBool,
    lost: AtomicU64,
}

impl Tee {
    /// Writes to standard output.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn to_stdout() -> io::Result<Self> {
        // Without the lock and the buffer of `io::Stdout`.
        Self::to(File::from(io::stdout().as_fd().try_clone_to_owned()?))
    }

    fn to(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = channel::<Vec<u8>>();
        let shared = Arc::new(Shared {
            room: Semaphore::new(ROOM),
            closed: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        });
        let writer = shared.clone();
        let write = move || {
            for line in waiting {
                if !writer.closed.load(Ordering::Relaxed) && output.write_all(&line).is_err() {
                    writer.closed.store(true, Ordering::Relaxed);
                    warn!("standard output is closed, lines are shipped without being printed");
                }
                writer.room.add_permits(line.len().min(ROOM));
            }
        };
        thread::Builder::new()
            .name("tee".to_owned())
            .stack_size(STACK)
            .spawn(write)?;
        Ok(Self { lines, shared })
    }

    /// Prints a line, or a piece of one.
    pub async fn line(&self, bytes: &[u8], partial: bool) {
        let shared = &*self.shared;
        if shared.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut line = Vec::with_capacity(bytes.len() + 1);
        line.extend_from_slice(bytes);
        if !partial {
            line.push(b'\n');
        }
        let room = u32::try_from(line.len().min(ROOM)).unwrap_or(u32::MAX);
        let patience = if shared.stalled.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        match tokio::time::timeout(patience, shared.room.acquire_many(room)).await {
            Ok(Ok(permit)) => {
                permit.forget();
                if shared.stalled.swap(false, Ordering::Relaxed) {
                    warn!(
                        lines = shared.lost.load(Ordering::Relaxed),
                        "standard output is read again, lines were not printed"
                    );
                }
                // It goes with the process.
                let _ = self.lines.send(line);
            }
            _ => {
                shared.lost.fetch_add(1, Ordering::Relaxed);
                if !shared.stalled.swap(true, Ordering::Relaxed) {
                    warn!("standard output is not read, lines are shipped without being printed");
                }
            }
        }
    }

    /// Waits until all was written, but not for ever.
    pub async fn finish(&self) {
        let all = u32::try_from(ROOM).unwrap_or(u32::MAX);
        if !self.shared.stalled.load(Ordering::Relaxed) {
            let _ = tokio::time::timeout(PATIENCE, self.shared.room.acquire_many(all)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Blocks until it is told to go on, or fails.
    struct Blocked(Mutex<Receiver<()>>);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap()
                .recv()
                .map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_come_out_as_they_are() {
        let kept = Kept::default();
        let tee = Tee::to(kept.clone()).unwrap();
        tee.line(b"a\xff", false).await;
        tee.line(b"b", true).await;
        tee.line(&vec![b'x'; ROOM + 5], false).await;
        tee.finish().await;
        let written = kept.0.lock().unwrap().clone();
        assert_eq!(
            (&written[..4], written.len()),
            (&b"a\xff\nb"[..], 4 + ROOM + 6)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_holds_up_for_five_seconds_once() {
        let (go_on, blocked) = sync_channel(100);
        let tee = Tee::to(Blocked(Mutex::new(blocked))).unwrap();
        let began = tokio::time::Instant::now();
        for _ in 0..5 {
            tee.line(&vec![b'x'; ROOM / 2 - 1], false).await;
        }
        assert_eq!(began.elapsed(), PATIENCE);
        assert_eq!(tee.shared.lost.load(Ordering::Relaxed), 3);
        drop(go_on);
        while !tee.shared.closed.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        tee.line(b"x", false).await;
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
