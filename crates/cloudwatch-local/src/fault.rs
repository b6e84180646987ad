//! Misbehaviour on command: what the endpoint does instead of answering as the service would.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::refusal::Refusal;
use crate::store::{ReceivedPoint, ReceivedRequest};

/// One way to misbehave.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) action: Action,
    pub(crate) delay: Duration,
    pub(crate) headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Go on as usual, after the delay.
    Proceed,
    Refuse(Refusal),
    Respond {
        status: u16,
        body: Bytes,
    },
    Hang,
    CutUnread,
    CutAccepted,
    HangAccepted,
    Raw(Bytes),
}

impl Fault {
    /// An error in the service's own form.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::of(Action::Refuse(Refusal::new(
            status,
            code.to_owned(),
            message,
        )))
    }

    /// `Throttling`, the service's answer to too many requests.
    #[must_use]
    pub fn throttling() -> Self {
        Self::error(400, "Throttling", "Rate exceeded")
    }

    /// A status alone, as a proxy or a load balancer answers.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::body(status, "")
    }

    /// A status with a body that is not of the protocol, for example an HTML page.
    #[must_use]
    pub fn body(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::of(Action::Respond { status, body })
    }

    /// An answer as usual, but late.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::of(Action::Proceed).after(delay)
    }

    /// No answer at all; the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Action::Hang)
    }

    /// The connection is cut before the body is read.
    #[must_use]
    pub fn cut() -> Self {
        Self::of(Action::CutUnread)
    }

    /// The request is accepted, then the connection is cut before the answer: the client
    /// cannot know.
    #[must_use]
    pub fn cut_after_accepting() -> Self {
        Self::of(Action::CutAccepted)
    }

    /// The request is accepted and never answered: a timeout that counts twice if retried.
    #[must_use]
    pub fn hang_after_accepting() -> Self {
        Self::of(Action::HangAccepted)
    }

    /// Bytes in the place of an HTTP response; then the connection is cut.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::of(Action::Raw(bytes.into()))
    }

    /// An answer that is not HTTP. Nothing is accepted.
    #[must_use]
    pub fn garbage() -> Self {
        Self::raw(&b"\x16\x03\x01\x00\xa5garbage\x00\xff\r\n\r\n"[..])
    }

    /// An answer that ends in the middle of its body. Nothing is accepted.
    #[must_use]
    pub fn truncated() -> Self {
        Self::raw(
            &b"HTTP/1.1 200 OK\r\nsmithy-protocol: rpc-v2-cbor\r\n\
               content-type: application/cbor\r\ncontent-length: 100\r\n\r\n\xbf"[..],
        )
    }

    /// A status with a body that begins as CBOR and is none. Nothing is accepted.
    #[must_use]
    pub fn malformed(status: u16) -> Self {
        Self::body(status, &b"\xbf\x66__type\x7f"[..])
            .with_header("content-type", "application/cbor")
            .with_header("smithy-protocol", "rpc-v2-cbor")
    }

    /// Waits before doing what it does.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// A header of the answer, for example `retry-after`.
    ///
    /// # Panics
    /// When answering, if the name or the value cannot stand in a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn of(action: Action) -> Self {
        Self {
            action,
            delay: Duration::ZERO,
            headers: Vec::new(),
        }
    }
}

/// How a poisoned point is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The message names the first bad member, as the service does.
    Named,
    /// The message names every bad member, a line each, as the service does for its own rules.
    AllNamed,
    /// The message names no member.
    Unnamed,
}

type Rule = Arc<dyn Fn(&ReceivedRequest) -> Option<Fault> + Send + Sync>;
type Poison = Arc<dyn Fn(&ReceivedPoint) -> bool + Send + Sync>;

/// Which faults the requests to come will meet.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    queue: VecDeque<Fault>,
    standing: Option<Fault>,
    rule: Option<Rule>,
    poison: Option<(Poison, Blame)>,
}

impl Faults {
    pub(crate) fn queue(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.queue.extend(faults);
    }

    pub(crate) fn stand(&mut self, fault: Fault) {
        self.standing = Some(fault);
    }

    pub(crate) fn set_rule(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    pub(crate) fn set_poison(&mut self, poison: Poison, blame: Blame) {
        self.poison = Some((poison, blame));
    }

    /// The fault of the next request: the first of the queue, else the standing one.
    pub(crate) fn take(&mut self) -> Option<Fault> {
        self.queue.pop_front().or_else(|| self.standing.clone())
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The fault that a good request meets for what it holds.
    pub(crate) fn of_content(&self, request: &ReceivedRequest) -> Option<Fault> {
        self.poisoned(request)
            .or_else(|| self.rule.as_ref().and_then(|rule| rule(request)))
    }

    fn poisoned(&self, request: &ReceivedRequest) -> Option<Fault> {
        let (poison, blame) = self.poison.as_ref()?;
        let bad: Vec<_> = request
            .points
            .iter()
            .enumerate()
            .filter(|(_, point)| poison(point))
            .map(|(i, point)| {
                let value = point.value();
                let member = i + 1;
                format!(
                    "The value {value} for parameter MetricData.member.{member}.Value is invalid."
                )
            })
            .collect();
        let message = match blame {
            _ if bad.is_empty() => return None,
            Blame::Named => bad[0].clone(),
            Blame::AllNamed => bad.join("\n"),
            Blame::Unnamed => "The request holds a value that is invalid.".to_owned(),
        };
        Some(Fault::error(400, "InvalidParameterValue", &message))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("queue", &self.queue)
            .field("standing", &self.standing)
            .field("rule", &self.rule.is_some())
            .field("poison", &self.poison.is_some())
            .finish()
    }
}
