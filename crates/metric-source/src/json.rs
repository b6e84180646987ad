//! JSON pointers (RFC 6901), which pick one number out of a document. The document is
//! followed while it is read and nothing else of it is kept: a page of many small values
//! would take a hundred times its size.

use std::fmt;

use cloudwatch_metric::{MetricError, Value};
use diagnostics::redacted_prefix;
use serde_json::Value as Json;

mod walk;

/// Most values of a document that is kept whole. A task of ECS has a few hundred for each
/// of its containers, of which there are ten.
pub(super) const VALUES_MAX: usize = 20_000;

/// A pointer such as `/queues/0/depth`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pointer {
    given: String,
    /// The names and places on the way, unescaped.
    steps: Vec<String>,
}

/// Most values that are kept of what is no number, to show its beginning: each is shown as
/// one character at least, of the eighty of an redacted_prefix.
const SHOWN_MAX: usize = 100;

/// Nothing of one that the rest of a URL's password may be, cut off by a `#` in it.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.given.contains(['@', '?']) {
            "…"
        } else {
            &self.given
        })
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer({self})")
    }
}

/// Why a text is no JSON pointer.
#[derive(Debug, thiserror::Error)]
#[error("what stands behind # is no JSON pointer, begin it with '/', for example #/queues/0/depth")]
pub struct ParsePointerError;

/// Why a document gave no number.
#[derive(Debug, thiserror::Error)]
pub(super) enum JsonError {
    #[error("expected JSON, read {read:?}")]
    NotJson {
        read: String,
        source: serde_json::Error,
    },
    #[error("the document has nothing at {pointer}")]
    Absent { pointer: String },
    #[error("expected a number at {pointer}, read {read}")]
    NotANumber { pointer: String, read: String },
    #[error("the number at {pointer}")]
    NotAccepted {
        pointer: String,
        source: MetricError,
    },
}

/// Splits `place#/pointer` at the last `#`.
pub(super) fn split_pointer(text: &str) -> Result<(&str, Option<Pointer>), ParsePointerError> {
    let Some((place, pointer)) = text.rsplit_once('#') else {
        return Ok((text, None));
    };
    if !pointer.starts_with('/') {
        return Err(ParsePointerError);
    }
    Ok((place, Some(Pointer::new(pointer))))
}

/// A document as a whole, if it is not too large; `None` if it is.
pub(super) fn whole(document: &str) -> serde_json::Result<Option<Json>> {
    let mut left = VALUES_MAX;
    let read = walk::follow(document, &[], &mut left)?;
    Ok(read.filter(|_| left > 0))
}

impl Pointer {
    /// `text` begins with a slash.
    fn new(text: &str) -> Self {
        let steps = text.split('/').skip(1);
        let unescaped = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
        Self {
            given: text.to_owned(),
            steps: unescaped.collect(),
        }
    }

    /// What this points at, or the beginning of it where it is large.
    fn find(&self, document: &str) -> serde_json::Result<Option<Json>> {
        walk::follow(document, &self.steps, &mut { SHOWN_MAX })
    }

    /// The number this points at; a string that holds a number serves as well,
    /// because many services print their numbers so.
    pub(super) fn number_in(&self, document: &str) -> Result<Value, JsonError> {
        let pointer = || self.to_string();
        let found = self.find(document).map_err(|source| JsonError::NotJson {
            read: redacted_prefix(document.trim()),
            source,
        })?;
        let found = found.ok_or_else(|| JsonError::Absent { pointer: pointer() })?;
        let number = match &found {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| JsonError::NotANumber {
            pointer: pointer(),
            read: redacted_prefix(&found.to_string()),
        })?;
        Value::try_from(number).map_err(|source| JsonError::NotAccepted {
            pointer: pointer(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
