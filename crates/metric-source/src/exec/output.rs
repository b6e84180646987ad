//! What a program prints, read from a pipe.

use std::io::{self, Read};
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe;

/// The most that a program may print: a number, and what is around it.
pub(super) const OUTPUT_MAX: usize = 64 * 1024;

/// Bytes read at a time.
const CHUNK: usize = 8 * 1024;

/// The end of what one of the program's pipes has carried.
pub(super) struct Output {
    pipe: pipe::Receiver,
    open: bool,
    last: Vec<u8>,
    keep: usize,
}

impl Output {
    pub(super) fn new(pipe: OwnedFd, keep: usize) -> io::Result<Self> {
        Ok(Self {
            pipe: pipe::Receiver::from_owned_fd(pipe)?,
            open: true,
            last: Vec::new(),
            keep,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// How many bytes are kept.
    pub(super) fn length(&self) -> usize {
        self.last.len()
    }

    /// Waits for more. Nothing is lost if this is dropped while it waits.
    pub(super) async fn more(&mut self) -> io::Result<()> {
        self.pipe.readable().await?;
        let mut chunk = [0; CHUNK];
        match self.pipe.try_read(&mut chunk) {
            Ok(0) => self.open = false,
            Ok(length) => push_last(&mut self.last, &chunk[..length], self.keep),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Adds what is in the pipe now. It is read directly: the runtime may not have
    /// noticed yet that there is something. The bound is for a daemon that holds the
    /// pipe and never stops writing.
    pub(super) fn rest(mut self) -> io::Result<Vec<u8>> {
        if !self.open {
            return Ok(self.last);
        }
        let mut chunk = [0; CHUNK];
        let mut pipe = std::fs::File::from(self.pipe.into_nonblocking_fd()?);
        for _ in 0..=OUTPUT_MAX / CHUNK {
            match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => push_last(&mut self.last, &chunk[..length], self.keep),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.last)
    }
}

fn push_last(last: &mut Vec<u8>, more: &[u8], keep: usize) {
    last.extend_from_slice(more);
    let excess = last.len().saturating_sub(keep);
    last.drain(..excess);
}
