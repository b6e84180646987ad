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
        // A missing or strange field is named; the values of the flow are not repeated.
        let text = diagnostics::redacted_prefix(&error.to_string());
        Self::new(code, text)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(line: &str) -> CloseCode {
        FromFlow::parse(line.as_bytes()).unwrap_err().code
    }

    #[test]
    fn frames_of_a_flow_are_read_and_what_is_not_known_is_ignored() {
        let read = |line: &str| FromFlow::parse(line.as_bytes()).unwrap();
        let hello = read(r#"{"type":"hello","version":1,"session":"s","new":{}}"#);
        assert!(matches!(hello, FromFlow::Hello { version: 1, session } if session == "s"));
        let event = read(r#"{"data":{"done": 3},"name":"progress","seq":18,"type":"event"}"#);
        let FromFlow::Event {
            seq: 18,
            event: FlowEvent::Event { name, data },
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!((&*name, data.get()), ("progress", r#"{"done": 3}"#));
        let bare = read(r#"{"type":"event","seq":1,"name":"n"}"#);
        assert!(
            matches!(bare, FromFlow::Event { event: FlowEvent::Event { data, .. }, .. } if data.get() == "{}")
        );
        let failed =
            read(r#"{"type":"reply","id":"m1","ok":false,"error":{"code":"busy","message":"…"}}"#);
        assert!(
            matches!(failed, FromFlow::Reply { reply: Reply::Failed { error }, .. } if error.code == "busy")
        );
        assert!(matches!(read(r#"{"type":"pong"}"#), FromFlow::Pong));
        assert!(matches!(
            read(r#"{"type":"x","seq":"no number"}"#),
            FromFlow::Other
        ));
    }

    #[test]
    fn what_is_wrong_with_a_line_has_a_code() {
        let deep = format!(
            r#"{{"type":"event","seq":1,"name":"n","data":{}{}}}"#,
            "[".repeat(64),
            "]".repeat(64)
        );
        for (line, code) in [
            ("", CloseCode::BadJson),
            ("{", CloseCode::BadJson),
            ("{} x", CloseCode::BadJson),
            (&deep, CloseCode::BadJson),
            ("[]", CloseCode::BadField),
            ("{}", CloseCode::BadField),
            (r#"{"type":1}"#, CloseCode::BadField),
            (r#"{"type":"hello","version":1}"#, CloseCode::BadField),
            (
                r#"{"type":"event","seq":0,"name":"n"}"#,
                CloseCode::BadField,
            ),
            (
                r#"{"type":"event","seq":-1,"name":"n"}"#,
                CloseCode::BadField,
            ),
            (r#"{"type":"event","seq":1,"name":""}"#, CloseCode::BadField),
            (
                r#"{"type":"reply","id":"m1","ok":false}"#,
                CloseCode::BadField,
            ),
        ] {
            assert_eq!(refused(line), code, "{line}");
        }
        assert_eq!(
            FromFlow::parse(b"\xff").unwrap_err().code,
            CloseCode::BadJson
        );
    }

    #[test]
    fn frames_to_a_flow_are_one_line_each() {
        let data = RawValue::from_string("{\"a\":\n1}".to_owned()).unwrap();
        let frame = ToFlow::Message {
            id: "m1",
            command: "dump",
            data: &data,
            reply: true,
        };
        let expected = "{\"type\":\"message\",\"id\":\"m1\",\"command\":\"dump\",\"data\":{\"a\": 1},\"reply\":true}\n";
        assert_eq!(frame.line(), expected);
        assert_eq!(ToFlow::Ping.line(), "{\"type\":\"ping\"}\n");
        assert_eq!(
            ToFlow::Ack { seq: 19 }.line(),
            "{\"type\":\"ack\",\"seq\":19}\n"
        );
    }

    #[test]
    fn reply_is_told_with_data_or_with_an_error() {
        let done = Reply::Done {
            data: json::empty_object(),
        };
        assert_eq!(json::raw(&done).get(), r#"{"ok":true,"data":{}}"#);
        let error = FlowError {
            code: "busy".to_owned(),
            message: "…".to_owned(),
        };
        let failed = json::raw(&Reply::Failed { error });
        assert_eq!(
            failed.get(),
            r#"{"ok":false,"error":{"code":"busy","message":"…"}}"#
        );
    }

    proptest! {
        #![proptest_config(test_support::cases(512))]

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FromFlow::parse(&line);
        }

        #[test]
        fn no_frame_like_line_panics(
            kind in "hello|reply|event|actor|pong|x",
            seq in any::<i64>(), name in ".{0,10}", ok in any::<bool>(),
        ) {
            let line = serde_json::json!({"type": kind, "seq": seq, "name": name, "id": name, "ok": ok,
                "actor": name, "event": name, "version": seq, "session": name});
            let _ = FromFlow::parse(line.to_string().as_bytes());
        }

        #[test]
        fn what_is_sent_is_one_line_of_json(text in ".{0,40}") {
            let data = json::raw(&text);
            let line = ToFlow::Message { id: "1", command: &text, data: &data, reply: false }.line();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(value["command"].as_str(), Some(&*text));
        }
    }
}
