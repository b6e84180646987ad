//! An answer over a connection of its own, which moves when the answer is read. A task between
//! the two would be woken for each piece, and the engine sends each line of a log as a piece.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::error::Cause;
use crate::transport::Body;
use crate::transport::socket::Socket;

/// A mutex that is never locked: with it an answer may be borrowed by several threads, though its
/// connection can only be driven by one.
type Connection = Mutex<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>;
type Polled = Option<hyper::Result<Frame<Bytes>>>;

/// The body of an answer, and the connection that it comes over.
pub(crate) struct AnswerBody {
    incoming: Incoming,
    /// `None` when it has ended.
    connection: Option<Connection>,
    /// Why it ended. A body that ends with it is not whole.
    failure: Option<hyper::Error>,
    /// What [`AnswerBody::ready`] met and is no data.
    met: Option<Polled>,
    /// Without it the connection would end.
    _requests: SendRequest<Body>,
}

/// Sends a request; gives the answer when its head has come.
pub(crate) async fn ask(
    socket: Socket,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, Cause> {
    let (mut requests, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let mut connection: Option<Connection> = Some(Mutex::new(Box::pin(connection.with_upgrades())));
    let mut failure = None;
    let mut answer = pin!(requests.send_request(request));
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        drive(&mut connection, &mut failure, cx);
        answer.as_mut().poll(cx)
    })
    .await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(connection) = connection.take()
    {
        // It hands its socket over, which ends it.
        connection
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .await?;
    }
    Ok(answer.map(|incoming| AnswerBody {
        incoming,
        connection,
        failure,
        met: None,
        _requests: requests,
    }))
}

/// Reads and writes what can be without waiting.
fn drive(
    connection: &mut Option<Connection>,
    failure: &mut Option<hyper::Error>,
    cx: &mut Context<'_>,
) {
    let Some(open) = connection else { return };
    let open = open.get_mut().unwrap_or_else(PoisonError::into_inner);
    if let Poll::Ready(ended) = open.as_mut().poll(cx) {
        *connection = None;
        *failure = ended.err();
    }
}

impl AnswerBody {
    /// The next data, if it is there without waiting. What is no data comes from `poll_frame`.
    pub(crate) fn ready(&mut self) -> Option<Bytes> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut *self).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => frame.into_data().ok(),
            Poll::Ready(other) => {
                self.met = Some(other);
                None
            }
            Poll::Pending => None,
        }
    }
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        let this = self.get_mut();
        if let Some(met) = this.met.take() {
            return Poll::Ready(met);
        }
        let mut polled = Pin::new(&mut this.incoming).poll_frame(cx);
        if polled.is_pending() {
            drive(&mut this.connection, &mut this.failure, cx);
            polled = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        match polled {
            Poll::Ready(None) => Poll::Ready(this.failure.take().map(Err)),
            polled => polled,
        }
    }
}
