//! HTTP over the engine's socket: one pool for short calls, which bollard shares, and a
//! connection of its own for each stream.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{Method, Request, Response, Uri};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::address::EngineAddress;
use crate::error::Cause;
use crate::transport::answer::AnswerBody;
use crate::transport::socket::{Dialer, Socket};

pub(crate) mod answer;
mod socket;

/// What a request carries, as bollard has it.
pub(crate) type Body = Either<
    Full<Bytes>,
    StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>>,
>;

/// The longest answer to a call: a list of 10,000 containers has 10 to 20 MB.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Idle connections are kept so long.
const IDLE: Duration = Duration::from_secs(30);

/// The connections to one engine.
#[derive(Clone)]
pub(crate) struct Transport {
    calls: Client<Connector, Body>,
    dialer: Dialer,
}

impl Transport {
    pub(crate) fn new(address: EngineAddress) -> Result<Self, crate::DockerClientError> {
        let dialer = Dialer::new(address)?;
        let connector = Connector {
            dialer: dialer.clone(),
        };
        let calls = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .build(connector);
        Ok(Self { calls, dialer })
    }

    /// Sends a call on a connection of the pool. A `GET` whose connection was lost before the
    /// first byte of the answer is sent once more: it may have idled through the engine's restart.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let again = match (request.method(), request.body()) {
            (&Method::GET, Either::Left(body)) => Some(copy(&request, body.clone())),
            _ => None,
        };
        match (self.calls.request(request).await, again) {
            (Err(error), Some(again)) if !error.is_connect() && is_lost(&error) => {
                self.calls.request(again).await
            }
            (answer, _) => answer,
        }
    }

    /// Sends a request on a connection of its own, which ends with the answer's body.
    pub(crate) async fn stream(
        &self,
        request: Request<Body>,
    ) -> Result<Response<AnswerBody>, Cause> {
        answer::ask(self.dialer.dial().await?, request).await
    }
}

fn copy(request: &Request<Body>, body: Full<Bytes>) -> Request<Body> {
    let mut copy = Request::new(Either::Left(body));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Whether the connection ended before the answer began.
fn is_lost(error: &hyper_util::client::legacy::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_incomplete_message() || error.is_canceled();
        }
        cause = error.source();
    }
    false
}

/// Opens connections to one engine, whatever the request's address says.
#[derive(Clone)]
struct Connector {
    dialer: Dialer,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Bounded>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let Self { dialer } = self.clone();
        Box::pin(async move {
            let socket = dialer.dial().await?;
            Ok(TokioIo::new(Bounded {
                socket,
                left: LONGEST_ANSWER,
            }))
        })
    }
}

/// A socket that reads at most so many bytes after each write: bollard collects answers whole,
/// and what answers is not always an engine.
struct Bounded {
    socket: Socket,
    left: u64,
}

impl Connection for Bounded {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buf))?;
        let read = (buf.filled().len() - before) as u64;
        match this.left.checked_sub(read) {
            Some(left) => this.left = left,
            None => return Poll::Ready(Err(io::Error::other(AnswerTooLong))),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.left = LONGEST_ANSWER;
        Pin::new(&mut this.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// The engine's answer is longer than any answer of an engine.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {LONGEST_ANSWER} bytes")]
pub(crate) struct AnswerTooLong;
