//! A connection that is counted to its end, also as a websocket, and that nobody can keep by not
//! reading.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use crate::sessions::Wire;

/// A stream of bytes with what it is counted by.
pub(super) struct Counted<S> {
    stream: S,
    wire: Arc<Wire>,
    /// Given back when the stream is closed, whoever has it then.
    _place: OwnedSemaphorePermit,
    /// How long a write may wait for the other side to read.
    patience: Duration,
    waits: Option<Pin<Box<Sleep>>>,
    is_broken: bool,
}

impl<S> Counted<S> {
    pub(super) fn new(
        stream: S,
        wire: Arc<Wire>,
        place: OwnedSemaphorePermit,
        patience: Duration,
    ) -> Self {
        Self {
            stream,
            wire,
            _place: place,
            patience,
            waits: None,
            is_broken: false,
        }
    }

    /// What a write comes to: one that waits too long fails, and so does all that follows.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if write.is_ready() {
            self.waits = None;
            return write;
        }
        let patience = self.patience;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waits.as_mut().poll(context));
        self.is_broken = true;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    fn usable(&self) -> io::Result<()> {
        match self.is_broken {
            true => Err(ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.usable()?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if !self.wire.received(read as u64) {
            // With an error nothing is read.
            buffer.set_filled(before);
            self.is_broken = true;
            self.usable()?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.usable()?;
        let write = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.usable()?;
        let write = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::Semaphore;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::sessions::{Sessions, WORDS_MAX};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn counted<S>(stream: S, wire: &Arc<Wire>, room: &Arc<Semaphore>) -> Counted<S> {
        let place = room.clone().try_acquire_owned().unwrap();
        Counted::new(stream, wire.clone(), place, PATIENCE)
    }

    #[tokio::test(start_paused = true)]
    async fn write_that_nobody_reads_fails_and_the_place_is_given_back() {
        let (room, wire) = (Arc::new(Semaphore::new(1)), Arc::default());
        let (ours, mut theirs) = duplex(16);
        let mut stream = counted(ours, &wire, &room);
        // Who reads slowly, but does, is waited for.
        for _ in 0..5 {
            stream.write_all(&[0; 16]).await.unwrap();
            let late = async {
                sleep(PATIENCE * 2 / 3).await;
                theirs.read_exact(&mut [0; 16]).await
            };
            let (read, written) = tokio::join!(late, stream.write_all(&[0; 16]));
            read.and(written.map(|()| 0)).unwrap();
            theirs.read_exact(&mut [0; 16]).await.unwrap();
        }
        stream.write_all(&[0; 16]).await.unwrap();
        let begun = Instant::now();
        let failed = timeout(PATIENCE * 2, stream.write_all(&[0; 16])).await;
        assert_eq!(failed.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < PATIENCE * 2);
        assert!(stream.write_all(&[0]).await.is_err() && stream.read_u8().await.is_err());
        assert_eq!(room.available_permits(), 0);
        drop(stream);
        assert_eq!(room.available_permits(), 1);
    }

    #[tokio::test]
    async fn stranger_that_sends_too_much_is_cut_off() {
        let (room, wire) = (Arc::new(Semaphore::new(1)), Arc::default());
        let (ours, mut theirs) = duplex(1 << 20);
        let mut stream = counted(ours, &wire, &room);
        let sessions = Arc::new(Sessions::default());
        let session = sessions.open(None).unwrap();
        sessions.speaks_over(&session, &wire);
        theirs.write_all(&vec![0; 1 << 20]).await.unwrap();
        let mut read = Vec::new();
        assert!(stream.read_to_end(&mut read).await.is_err());
        assert!(read.len() <= WORDS_MAX as usize, "{}", read.len());
    }
}
