//! One connection: HTTP/1.1, unless a fault replaces what the service would have said.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::pace::{Grant, PIECE_MAX};
use crate::service::answer;
use crate::state::State;

/// For the headers of a request, and for the wait for one on a connection that was used.
const HEADERS_TIME: Duration = Duration::from_secs(60);
/// The headers of a request; those of a publisher have a few kilobytes, a session token included.
const HEADERS_MAX: usize = 64 * 1024;
/// After that no further request is taken, and after the second one the connection is cut, so
/// that one who sends nothing, or reads nothing, holds a place no longer.
const LIFETIME: Duration = Duration::from_secs(600);
const LAST_REQUEST_TIME: Duration = Duration::from_secs(60);
/// What is thrown away of a body that was not wanted. If the connection were cut in its
/// place, a client that still writes would often not get to read the answer.
const DISCARDED_MAX: u64 = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// Answers the requests of a connection until it ends, by whichever side.
pub(crate) async fn serve(stream: TcpStream, state: Arc<State>) {
    // Only costs latency if it fails.
    let _ = stream.set_nodelay(true);
    let Ok(own) = stream.local_addr() else {
        return;
    };
    let instead = Instead::default();
    let io = TokioIo::new(Line {
        stream,
        instead: instead.clone(),
        state: state.clone(),
        pause: None,
    });
    let service = service_fn(|request| {
        let answer = answer(request, state.clone(), own.ip(), instead.clone());
        Box::pin(answer)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME)
        .max_buf_size(HEADERS_MAX)
        .serve_connection(io, service);
    let served = timeout(LIFETIME, poll_fn(|cx| connection.poll_without_shutdown(cx))).await;
    let served = match served {
        Ok(served) => served,
        Err(_) => {
            Pin::new(&mut connection).graceful_shutdown();
            let last = poll_fn(|cx| connection.poll_without_shutdown(cx));
            match timeout(LAST_REQUEST_TIME, last).await {
                Ok(served) => served,
                Err(_) => return,
            }
        }
    };
    // What goes wrong here is a client that went away or a fault: both are on record.
    if served.is_ok() {
        let stream = connection.into_parts().io.into_inner().stream;
        let _ = timeout(DISCARD_TIME, discard(stream)).await;
    }
}

/// Ends a connection in order: tells that no more is written, and reads what still comes.
async fn discard(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    copy(&mut stream.take(DISCARDED_MAX), &mut sink()).await?;
    Ok(())
}

/// Bytes to write in the place of the response to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instead(Arc<Mutex<Option<Bytes>>>);

impl Instead {
    pub(crate) fn set(&self, bytes: Bytes) {
        *self.lock() = Some(bytes);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Bytes>> {
        self.0.lock().expect("nobody panics with the lock held")
    }
}

/// A socket that writes what it is given, or something else.
struct Line {
    stream: TcpStream,
    instead: Instead,
    state: Arc<State>,
    /// Until more may be read.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Line {
    fn read_piece(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        bytes: usize,
    ) -> Poll<io::Result<()>> {
        let mut piece = [0; PIECE_MAX];
        let mut piece = ReadBuf::new(&mut piece[..bytes.min(buf.remaining())]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        buf.put_slice(piece.filled());
        self.state.pace.spend(piece.filled().len(), Instant::now());
        Poll::Ready(Ok(()))
    }

    /// Writes the replacement, then fails, so that the connection is dropped.
    fn write_instead(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Error>> {
        let mut instead = self.instead.lock();
        let Some(bytes) = instead.as_mut() else {
            return Poll::Ready(None);
        };
        while bytes.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, bytes)) {
                Ok(written) => bytes.advance(written),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
        Poll::Ready(Some(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            match this.state.pace.grant(Instant::now()) {
                Grant::Everything => return Pin::new(&mut this.stream).poll_read(cx, buf),
                Grant::NotBefore(at) => this.pause = Some(Box::pin(sleep_until(at))),
                Grant::UpTo(bytes) => return this.read_piece(cx, buf, bytes),
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match ready!(this.write_instead(cx)) {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut this.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
