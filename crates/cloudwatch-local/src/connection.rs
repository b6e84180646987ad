//! One connection: HTTP/1.1, unless a fault replaces what the service would have said.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::service::answer;
use crate::state::State;

/// Answers the requests of a connection until it ends, by whichever side.
pub(crate) async fn serve(stream: TcpStream, state: Arc<State>) {
    let instead = Instead::default();
    let io = TokioIo::new(Line {
        stream,
        instead: instead.clone(),
    });
    let service = service_fn(|request| answer(request, state.clone(), instead.clone()));
    // What goes wrong here is a client that went away or a fault: both are on record.
    let _ = http1::Builder::new().serve_connection(io, service).await;
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
}

impl Line {
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
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
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
