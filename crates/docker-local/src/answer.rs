//! What is answered to a request.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Pieces of a body, as they become ready.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// An answer that is made up, in the place of the engine's own.
#[derive(Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A status with a body of JSON.
    ///
    /// ```
    /// # use docker_local::Answer;
    /// let none = Answer::json(200, "[]");
    /// ```
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::bytes(status, body).header("Content-Type", "application/json")
    }

    /// A status with any body, for example a page of a proxy, or a tar.
    #[must_use]
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A status without a body, for example 204 or 304.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self::bytes(status, "")
    }

    /// An error in the engine's form, `{"message":"…"}`.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self::of(status, &json!({ "message": message }))
    }

    /// One more header of the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn of(status: u16, body: &Value) -> Self {
        Self::json(status, format!("{body}\n"))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body", &String::from_utf8_lossy(&self.body))
            .finish()
    }
}

/// An answer on its way out.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// With its length.
    Whole(Bytes),
    /// In chunks.
    Pieces(Pieces),
    /// The connection is no longer HTTP: the pieces go out as they are, and what comes in
    /// goes to the sender, until it is dropped at the other end's half-close.
    Hijacked {
        pieces: Pieces,
        input: mpsc::Sender<Bytes>,
    },
}

impl Reply {
    pub(crate) fn pieces(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Body::Pieces(pieces.boxed()),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn into_pieces(body: Bytes) -> Pieces {
        stream::once(async { body }).boxed()
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self {
            status: answer.status,
            headers: answer.headers,
            body: Body::Whole(answer.body),
        }
    }
}
