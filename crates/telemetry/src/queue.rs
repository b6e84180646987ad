//! The lines that wait to be written. Whoever reads standard output may stop reading, and
//! the program must not stop with it: who logs puts a line here and goes on.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most bytes that wait: the lines of a tick in which 3000 sources fail. Lines have no
/// cost beside their bytes, so their number needs no bound of its own.
pub(super) const WAITING_MAX: usize = 1024 * 1024;
/// The most bytes that are written at a time; a pipe takes 64 KiB.
const CHUNK: usize = 16 * 1024;
/// The delay before another attempt at an output that another process made non-blocking.
const FULL_DELAY: Duration = Duration::from_millis(10);

/// Lines on their way to one writer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// All was written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<u8>,
    /// Lines that found no room. None is taken until the writer came to the place where
    /// they are missing, and says so there.
    dropped: u64,
    writing: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dropped == 0
    }
}

/// What the writer has to do next.
enum Next {
    Write,
    Tell { dropped: u64 },
}

impl Queue {
    /// Takes a line or, if there is no room, counts it. Never waits for the writer.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.dropped > 0 || state.waiting.len() + line.len() > WAITING_MAX {
            state.dropped += 1;
        } else {
            state.waiting.extend(line);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Waits until all is written, but not for longer than this.
    pub(super) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while !state.is_empty() || state.writing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what comes, for ever. `tell` writes to the same output how many lines are
    /// missing where it is called.
    pub(super) fn serve(&self, mut output: impl Write, mut tell: impl FnMut(u64)) {
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            match self.next(&mut chunk) {
                Next::Write => write(&mut output, &chunk),
                Next::Tell { dropped } => tell(dropped),
            }
        }
    }

    fn next(&self, chunk: &mut Vec<u8>) -> Next {
        let mut state = self.lock();
        state.writing = false;
        while state.is_empty() {
            state.waiting.shrink_to(CHUNK);
            self.emptied.notify_all();
            let filled = self.filled.wait(state);
            state = filled.unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        if state.waiting.is_empty() {
            return Next::Tell {
                dropped: std::mem::take(&mut state.dropped),
            };
        }
        let length = state.waiting.len().min(CHUNK);
        chunk.clear();
        chunk.extend(state.waiting.drain(..length));
        Next::Write
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of it, unless nobody is there to read: a closed standard output must not
/// bring the publisher down.
pub(super) fn write(output: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => thread::park_timeout(FULL_DELAY),
                _ => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// An output whose reader reads when it is told to.
    struct Gate {
        open: Receiver<()>,
        is_open: bool,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_open {
                self.is_open = self.open.recv().is_ok();
            }
            self.written.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Log {
        queue: Arc<Queue>,
        open: Sender<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Log {
        fn start() -> Self {
            let queue = Arc::new(Queue::default());
            let written = Arc::new(Mutex::new(Vec::new()));
            let (open, opened) = mpsc::channel();
            let gate = Gate {
                open: opened,
                is_open: false,
                written: written.clone(),
            };
            let (serving, told) = (queue.clone(), written.clone());
            thread::spawn(move || {
                serving.serve(gate, |dropped| {
                    let line = format!("{dropped} dropped\n");
                    told.lock().unwrap().extend(line.as_bytes());
                });
            });
            Self {
                queue,
                open,
                written,
            }
        }

        fn lines(&self) -> Vec<String> {
            let written = self.written.lock().unwrap().clone();
            let text = String::from_utf8(written).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn output_that_nobody_reads_holds_nobody_up_and_what_is_missing_is_told_in_its_place() {
        let log = Log::start();
        let line = |number: usize| format!("{number:0>99}\n");
        let many = 2 * WAITING_MAX / 100;
        for number in 0..many {
            log.queue.push(line(number).as_bytes());
        }
        assert!(log.queue.lock().waiting.capacity() <= 2 * WAITING_MAX);
        log.open.send(()).unwrap();
        log.queue.flush(Duration::from_secs(60));
        log.queue.push(line(many).as_bytes());
        log.queue.flush(Duration::from_secs(60));
        let lines = log.lines();
        let kept = lines.len() - 2;
        assert!((WAITING_MAX / 100..many).contains(&kept), "{kept}");
        for (number, written) in lines[..kept].iter().enumerate() {
            assert_eq!(*written, line(number).trim_end());
        }
        assert_eq!(lines[kept], format!("{} dropped", many - kept));
        assert_eq!(lines[kept + 1], line(many).trim_end());
        assert!(log.queue.lock().waiting.capacity() <= 2 * CHUNK);
    }

    #[test]
    fn flush_waits_for_the_last_line_but_not_for_ever() {
        let log = Log::start();
        log.queue.push(b"first\n");
        log.queue.flush(Duration::from_millis(1));
        assert!(log.lines().is_empty());
        log.open.send(()).unwrap();
        log.queue.push(b"last\n");
        log.queue.flush(Duration::from_secs(60));
        assert_eq!(log.lines(), ["first", "last"]);
    }

    /// Fails in each of the ways that are no end, then takes a byte at a time.
    struct Moody(Vec<ErrorKind>, Vec<u8>);

    impl Write for Moody {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.0.pop() {
                return Err(kind.into());
            }
            self.1.push(bytes[0]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn output_that_is_full_for_a_moment_loses_nothing_and_a_closed_one_ends_the_line() {
        let passing = vec![ErrorKind::Interrupted, ErrorKind::WouldBlock];
        let mut output = Moody(passing, Vec::new());
        write(&mut output, b"line\n");
        assert_eq!(output.1, b"line\n");
        let mut closed = Moody(vec![ErrorKind::BrokenPipe; 2], Vec::new());
        write(&mut closed, b"line\n");
        assert_eq!((closed.0.len(), closed.1.len()), (1, 0));
    }
}
