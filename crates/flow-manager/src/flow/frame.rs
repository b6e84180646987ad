//! Frames: what a line of the flow's socket means.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::json;

/// The version of the protocol.
pub const VERSION: u64 = 1;
/// Most bytes of a name or id in a frame.
const NAME_MAX: usize = 256;

/// What a flow says. Data is kept as the text that it came as: it is only passed on.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FromFlow {
    Hello {
        version: u64,
        session: String,
    },
    Reply {
        id: String,
        reply: Reply,
    },
    Event {
        seq: u64,
        event: FlowEvent,
    },
    Pong,
    /// A type that is not known, which is ignored.
    Other,
}

/// What a flow tells by itself.
#[derive(Clone, Debug)]
pub enum FlowEvent {
    /// Something for the clients.
    Event {
        /// What happened.
        name: String,
        /// More of it.
        data: Box<RawValue>,
    },
    /// Something for the feed of activities.
    Actor {
        /// Who.
        actor: String,
        /// Did what.
        event: String,
        /// More of it.
        data: Box<RawValue>,
    },
}

/// A message to a flow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// What to do.
    pub command: String,
    /// With what.
    #[serde(default = "json::empty_object")]
    pub data: Box<RawValue>,
}

/// A flow's reply to a message.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It did what it was asked to.
    Done {
        /// What came of it.
        data: Box<RawValue>,
    },
    /// It did not.
    Failed {
        /// Why.
        error: FlowError,
    },
}

impl Serialize for Reply {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Told<'a> {
            Done { ok: bool, data: &'a RawValue },
            Failed { ok: bool, error: &'a FlowError },
        }
        match self {
            Self::Done { data } => Told::Done { ok: true, data },
            Self::Failed { error } => Told::Failed { ok: false, error },
        }
        .serialize(serializer)
    }
}

/// Why a flow did not do what it was asked to, in its own words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FlowError {
    pub code: String,
    #[serde(default)]
    pub message: String,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// The first line is no `hello`, or none came in time.
    BadHello,
    /// Another version of the protocol.
    Version,
    /// A line is no JSON, or nests too deep.
    BadJson,
    /// A field is missing or of another kind.
    BadField,
    /// A line is too long.
    TooLong,
    /// Nothing came for too long.
    Idle,
    /// A newer connection took over.
    Replaced,
}

impl CloseCode {
    /// As it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadHello => "bad_hello",
            Self::Version => "version",
            Self::BadJson => "bad_json",
            Self::BadField => "bad_field",
            Self::TooLong => "too_long",
            Self::Idle => "idle",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a connection is closed, and words for who writes the flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Close {
    /// What to act on.
    pub code: CloseCode,
    /// What was wrong.
    pub message: String,
}

impl Close {
    /// Closes with a reason.
    pub fn new(code: CloseCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    fn json(error: &serde_json::Error) -> Self {
        let code = match error.classify() {
            Category::Data => CloseCode::BadField,
            _ => CloseCode::BadJson,
        };
        Self::new(code, json::problem(error))
    }
}

impl FromFlow {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// [`CloseCode::BadJson`] and [`CloseCode::BadField`].
    pub fn parse(line: &[u8]) -> Result<Self, Close> {
        let text = std::str::from_utf8(line)
            .map_err(|_| Close::new(CloseCode::BadJson, "the line is no UTF-8"))?;
        if json::depth(line) > json::DEPTH_MAX {
            let message = format!("more than {} levels", json::DEPTH_MAX);
            return Err(Close::new(CloseCode::BadJson, message));
        }
        let Kind { kind } = read(text)?;
        let missing = || Close::new(CloseCode::BadField, "missing field `type`");
        let frame = match &*kind.ok_or_else(missing)? {
            "hello" => {
                let Hello { version, session } = read(text)?;
                Self::Hello {
                    version,
                    session: name("session", session)?,
                }
            }
            "reply" => {
                let Replied {
                    id,
                    ok,
                    data,
                    error,
                } = read(text)?;
                let reply = match (ok, error) {
                    (true, _) => Reply::Done {
                        data: data.unwrap_or_else(json::empty_object),
                    },
                    (false, Some(error)) => Reply::Failed { error },
                    (false, None) => {
                        return Err(Close::new(CloseCode::BadField, "missing field `error`"));
                    }
                };
                Self::Reply {
                    id: name("id", id)?,
                    reply,
                }
            }
            "event" => {
                let Event {
                    seq,
                    name: event,
                    data,
                } = read(text)?;
                let event = FlowEvent::Event {
                    name: name("name", event)?,
                    data: data.unwrap_or_else(json::empty_object),
                };
                Self::Event {
                    seq: positive(seq)?,
                    event,
                }
            }
            "actor" => {
                let Actor {
                    seq,
                    actor,
                    event,
                    data,
                } = read(text)?;
                let event = FlowEvent::Actor {
                    actor: name("actor", actor)?,
                    event: name("event", event)?,
                    data: data.unwrap_or_else(json::empty_object),
                };
                Self::Event {
                    seq: positive(seq)?,
                    event,
                }
            }
            "pong" => Self::Pong,
            _ => Self::Other,
        };
        Ok(frame)
    }
}

#[derive(Deserialize)]
struct Kind {
    /// Missed only when the whole line is known to be JSON.
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Hello {
    version: u64,
    session: String,
}

#[derive(Deserialize)]
struct Replied {
    id: String,
    ok: bool,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<FlowError>,
}

#[derive(Deserialize)]
struct Event {
    seq: u64,
    name: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Actor {
    seq: u64,
    actor: String,
    event: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Close> {
    serde_json::from_str(text).map_err(|error| Close::json(&error))
}

fn name(field: &str, text: String) -> Result<String, Close> {
    match text.len() {
        1..=NAME_MAX => Ok(text),
        _ => {
            let message = format!("`{field}` has 1 to {NAME_MAX} bytes");
            Err(Close::new(CloseCode::BadField, message))
        }
    }
}

fn positive(seq: u64) -> Result<u64, Close> {
    match seq {
        0 => Err(Close::new(CloseCode::BadField, "`seq` begins with 1")),
        seq => Ok(seq),
    }
}

/// What flow-manager says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ToFlow<'a> {
    Welcome {
        version: u64,
        container_id: &'a str,
        received: u64,
        ping_seconds: u64,
    },
    Message {
        id: &'a str,
        command: &'a str,
        data: &'a RawValue,
        reply: bool,
    },
    Ack {
        seq: u64,
    },
    Ping,
    Error {
        code: &'a str,
        message: &'a str,
    },
}

impl ToFlow<'_> {
    /// The frame as a line with its line feed.
    #[must_use]
    pub fn line(&self) -> Bytes {
        let mut line = BytesMut::new().writer();
        serde_json::to_writer(&mut line, self).expect("its keys are texts");
        let mut line = line.into_inner();
        // Data came as text, in which a line feed may stand between values.
        for byte in line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        line.put_u8(b'\n');
        line.freeze()
    }
}

#[cfg(test)]
mod tests;
