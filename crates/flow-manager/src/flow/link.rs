//! What goes to one connection of a flow: messages in order, at most once, within bounds.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

use super::frame::{Close, Reply, ToFlow};

/// Most messages, and most bytes of them, that wait for a flow that reads slowly.
const WAITING_MAX: usize = 256;
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most replies that are waited for.
const REPLIES_MAX: usize = 4096;

/// Too much waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The writing side of a connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Goes before all else.
    welcome: Option<Bytes>,
    messages: VecDeque<Waiting>,
    bytes: usize,
    replies: HashMap<String, oneshot::Sender<Reply>>,
    ack: Option<u64>,
    ping: bool,
    close: Option<Close>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    line: Bytes,
    written: oneshot::Sender<()>,
}

/// What the writer has to do next.
enum Next {
    Line(Bytes, Option<oneshot::Sender<()>>),
    Last(Bytes),
}

impl Link {
    /// Welcomes a flow that said what it is.
    pub(super) fn welcome(&self, line: Bytes) {
        self.lock().welcome = Some(line);
    }

    /// Whether it is to be closed.
    pub(super) fn is_closing(&self) -> bool {
        let state = self.lock();
        state.closed || state.close.is_some()
    }

    /// Puts a message behind those that wait. It is written once, or dropped with the
    /// connection; then `written` is dropped, too.
    pub(super) fn push(
        &self,
        id: &str,
        line: Bytes,
        written: oneshot::Sender<()>,
        reply: Option<oneshot::Sender<Reply>>,
    ) -> Result<(), Full> {
        let mut state = self.lock();
        if state.closed {
            // Both senders are dropped, which says so.
            return Ok(());
        }
        if reply.is_some() && state.replies.len() >= REPLIES_MAX {
            // Those that nobody waits for any more.
            state.replies.retain(|_, waits| !waits.is_closed());
        }
        let full = state.messages.len() >= WAITING_MAX
            || state.bytes + line.len() > WAITING_BYTES_MAX
            || state.replies.len() >= REPLIES_MAX;
        if full {
            return Err(Full);
        }
        if let Some(reply) = reply {
            state.replies.insert(id.to_owned(), reply);
        }
        state.bytes += line.len();
        state.messages.push_back(Waiting { line, written });
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Hands a reply to who waits for it; others are ignored.
    pub(super) fn reply(&self, id: &str, reply: Reply) {
        if let Some(waits) = self.lock().replies.remove(id) {
            // Who waited may have given up.
            let _ = waits.send(reply);
        }
    }

    /// Nobody waits for this reply any more.
    pub(super) fn forget(&self, id: &str) {
        self.lock().replies.remove(id);
    }

    /// Acknowledges all up to a number; only the last is written.
    pub(super) fn ack(&self, seq: u64) {
        self.lock().ack = Some(seq);
        self.changed.notify_one();
    }

    /// Asks whether the flow is there.
    pub(super) fn ping(&self) {
        self.lock().ping = true;
        self.changed.notify_one();
    }

    /// Tells why, then closes. The first reason holds.
    pub(super) fn close(&self, close: Close) {
        self.lock().close.get_or_insert(close);
        self.changed.notify_one();
    }

    /// Drops what waits: nothing is written any more.
    pub(super) fn shut(&self) {
        let mut state = self.lock();
        *state = State {
            closed: true,
            ..State::default()
        };
    }

    /// Writes what there is to write until the connection is to be closed, and why it was.
    pub(super) async fn write_to(
        &self,
        mut stream: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        loop {
            match self.next() {
                Some(Next::Line(line, written)) => {
                    stream.write_all(&line).await?;
                    if let Some(written) = written {
                        let _ = written.send(());
                    }
                }
                Some(Next::Last(line)) => {
                    stream.write_all(&line).await?;
                    return stream.shutdown().await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn next(&self) -> Option<Next> {
        let mut state = self.lock();
        if let Some(line) = state.welcome.take() {
            return Some(Next::Line(line, None));
        }
        if let Some(close) = &state.close {
            let (code, message) = (close.code.as_str(), &*close.message);
            return Some(Next::Last(ToFlow::Error { code, message }.line()));
        }
        if let Some(seq) = state.ack.take() {
            return Some(Next::Line(ToFlow::Ack { seq }.line(), None));
        }
        if std::mem::take(&mut state.ping) {
            return Some(Next::Line(ToFlow::Ping.line(), None));
        }
        let Waiting { line, written } = state.messages.pop_front()?;
        state.bytes -= line.len();
        Some(Next::Line(line, Some(written)))
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(link: &Link, bytes: usize) -> Result<oneshot::Receiver<()>, Full> {
        let (written, told) = oneshot::channel();
        let line = Bytes::from(vec![b'x'; bytes]);
        link.push("m", line, written, None).map(|()| told)
    }

    #[test]
    fn messages_wait_within_both_bounds() {
        let link = Link::default();
        let waiting: Vec<_> = (0..WAITING_MAX).map(|_| push(&link, 1).unwrap()).collect();
        assert!(push(&link, 1).is_err());
        link.shut();
        assert!(waiting.into_iter().all(|mut told| told.try_recv().is_err()));
        let link = Link::default();
        for _ in 0..4 {
            push(&link, 1024 * 1024).unwrap();
        }
        assert!(push(&link, 1).is_err());
    }

    #[tokio::test]
    async fn last_acknowledgement_goes_before_messages_and_the_reason_is_the_last_line() {
        let link = Link::default();
        let mut told = push(&link, 1).unwrap();
        link.ack(1);
        link.ack(2);
        let mut out = Vec::new();
        let mut writing = Box::pin(link.write_to(&mut out));
        assert!(futures_util::poll!(&mut writing).is_pending());
        told.try_recv().unwrap();
        link.close(Close::new(super::super::frame::CloseCode::Idle, "quiet"));
        link.close(Close::new(
            super::super::frame::CloseCode::TooLong,
            "second",
        ));
        writing.as_mut().await.unwrap();
        drop(writing);
        let text = String::from_utf8(out).unwrap();
        let expected = "{\"type\":\"ack\",\"seq\":2}\nx{\"type\":\"error\",\"code\":\"idle\",\"message\":\"quiet\"}\n";
        assert_eq!(text, expected);
    }
}
