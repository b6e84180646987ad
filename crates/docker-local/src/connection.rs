//! One connection: HTTP/1.1 until it is cut, hijacked or ended.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use futures_util::{FutureExt, StreamExt, future};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::answer::{Body, Pieces, Reply};
use crate::api;
use crate::fault::{Action, AtLimit, Shape};
use crate::request::ReceivedRequest;
use crate::state::SharedState;

const READ_BUFFER: usize = 16 * 1024;

/// Whether the connection goes on.
#[derive(PartialEq)]
enum Next {
    Request,
    Close,
}

/// Answers the requests of a connection until it ends, by whichever side.
pub(crate) async fn serve(
    mut io: impl AsyncRead + AsyncWrite + Send + Unpin,
    state: Arc<SharedState>,
    number: usize,
) {
    let mut buffer = BytesMut::with_capacity(READ_BUFFER);
    // What goes wrong here is a client that went away or a fault: both are on record.
    while let Ok(Some(request)) = ReceivedRequest::read(&mut io, &mut buffer, number).await {
        match answer(&mut io, &mut buffer, &state, request).await {
            Ok(Next::Request) => {}
            Ok(Next::Close) | Err(_) => break,
        }
    }
    // Hand over what was written before the connection is cut.
    let _ = io.shutdown().await;
}

async fn answer(
    io: &mut (impl AsyncRead + AsyncWrite + Send + Unpin),
    buffer: &mut BytesMut,
    state: &Arc<SharedState>,
    request: ReceivedRequest,
) -> io::Result<Next> {
    let fault = state.change(|inner| {
        let fault = inner.faults.take(&request);
        inner.requests.push(request.clone());
        fault
    });
    let mut shape = Shape::default();
    let mut instead = None;
    if let Some(fault) = fault {
        sleep(fault.delay).await;
        match fault.action {
            Action::Proceed(wanted) => shape = wanted,
            Action::Answer(answer) => instead = Some(answer.into()),
            Action::Hang => return until_gone(io).await,
            Action::Raw(bytes) => {
                io.write_all(&bytes).await?;
                return Ok(Next::Close);
            }
        }
    }
    let reply = match instead {
        Some(reply) => reply,
        None => api::answer(state, &request),
    };
    let head = head(state, &request, &reply);
    io.write_all(head.as_bytes()).await?;
    let mut writer = Writer {
        io,
        chunked: false,
        shape,
        written: 0,
    };
    match reply.body {
        _ if request.method == "HEAD" => Ok(Next::Request),
        Body::Whole(body) => writer.pieces(Reply::into_pieces(body), buffer).await,
        Body::Pieces(pieces) => {
            writer.chunked = true;
            writer.pieces(pieces, buffer).await
        }
        Body::Hijacked { pieces, input } => writer.hijacked(pieces, input, buffer).await,
    }
}

/// Says nothing for as long as the client waits.
async fn until_gone(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Next> {
    let mut ignored = [0; 256];
    while io.read(&mut ignored).await? > 0 {}
    Ok(Next::Close)
}

fn head(state: &SharedState, request: &ReceivedRequest, reply: &Reply) -> String {
    let (status, version) = (reply.status, &state.versions.newest);
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    let mut line = |name: &str, value: &str| {
        write!(head, "{name}: {value}\r\n").expect("a string takes everything");
    };
    let own = |wanted: &str| {
        let mut headers = reply.headers.iter();
        headers.any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    for (name, value) in &reply.headers {
        line(name, value);
    }
    let date = DateTime::from_timestamp_nanos(state.now());
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [
        ("Date", &*date),
        ("Api-Version", &**version),
        ("Docker-Experimental", "false"),
        ("Ostype", "linux"),
        ("Server", "Docker/20.10.24+dfsg1 (linux)"),
    ] {
        if !own(name) {
            line(name, value);
        }
    }
    match &reply.body {
        // Neither has a body, by HTTP's rules.
        _ if [204, 304].contains(&status) => {}
        Body::Whole(_) if request.method == "HEAD" || own("Content-Length") => {}
        Body::Whole(body) => line("Content-Length", &body.len().to_string()),
        Body::Pieces(_) => line("Transfer-Encoding", "chunked"),
        Body::Hijacked { .. } => {}
    }
    head + "\r\n"
}

struct Writer<'a, S> {
    io: &'a mut S,
    chunked: bool,
    shape: Shape,
    /// Bytes of the body so far.
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Writer<'_, S> {
    /// Writes a body to its end, unless the client goes away or a fault comes before that.
    async fn pieces(mut self, mut pieces: Pieces, buffer: &mut BytesMut) -> io::Result<Next> {
        loop {
            match self.reached() {
                None => {}
                // Without its last chunk, or all of its length, the body is not whole.
                Some(AtLimit::Cut) => return Ok(Next::Close),
                Some(AtLimit::Hang) => return until_gone(self.io).await,
                Some(AtLimit::End) if self.chunked => break,
                Some(AtLimit::End) => return Ok(Next::Close),
            }
            // A client that goes away while nothing is to be written is noticed too.
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece,
                read = self.io.read_buf(buffer) => match read? {
                    0 => return Ok(Next::Close),
                    _ => continue,
                },
            };
            let Some(piece) = piece else {
                if let Some((_, AtLimit::Cut)) = self.shape.limit.filter(|_| self.chunked) {
                    return Ok(Next::Close);
                }
                break;
            };
            self.piece(&piece).await?;
        }
        if self.chunked {
            self.io.write_all(b"0\r\n\r\n").await?;
        }
        Ok(Next::Request)
    }

    /// The same, while what comes in goes to the program. The connection ends with the body.
    async fn hijacked(
        mut self,
        mut pieces: Pieces,
        input: mpsc::Sender<Bytes>,
        buffer: &mut BytesMut,
    ) -> io::Result<Next> {
        let mut input = Some(input);
        loop {
            match self.reached() {
                None => {}
                Some(AtLimit::Cut | AtLimit::End) => return Ok(Next::Close),
                Some(AtLimit::Hang) => return until_gone(self.io).await,
            }
            let early = buffer.split().freeze();
            if let Some(open) = input.as_ref().filter(|_| !early.is_empty()) {
                // A program that ended reads no more.
                let _ = open.send(early).await;
            }
            let read = match input {
                Some(_) => self.io.read_buf(buffer).left_future(),
                None => future::pending().right_future(),
            };
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece,
                read = read => {
                    if read? == 0 {
                        input = None;
                    }
                    continue;
                }
            };
            let Some(piece) = piece else {
                return Ok(Next::Close);
            };
            self.piece(&piece).await?;
        }
    }

    /// What a fault does here, if all that it lets through is written.
    fn reached(&self) -> Option<AtLimit> {
        let (limit, then) = self.shape.limit?;
        (self.written == limit).then_some(then)
    }

    /// Writes a piece of the body, as much of it as a fault lets through.
    async fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        let limit = self.shape.limit.map_or(usize::MAX, |(limit, _)| limit);
        let allowed = piece.len().min(limit - self.written);
        let step = self.shape.slow.map_or(usize::MAX, |(step, _)| step);
        for part in piece[..allowed].chunks(step) {
            if self.chunked {
                let size = format!("{:x}\r\n", part.len());
                self.io.write_all(size.as_bytes()).await?;
            }
            self.io.write_all(part).await?;
            if self.chunked {
                self.io.write_all(b"\r\n").await?;
            }
            self.io.flush().await?;
            if let Some((_, pause)) = self.shape.slow {
                sleep(pause).await;
            }
        }
        self.written += allowed;
        Ok(())
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "UPGRADED",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Something Else",
    }
}
