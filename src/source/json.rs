//! JSON pointers (RFC 6901), which pick one number out of a document.

use crate::metric::{MetricError, Value};
use crate::text::excerpt;

/// A pointer such as `/queues/0/depth`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pointer(String);

/// Why a text is no JSON pointer.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is no JSON pointer, begin it with '/', for example #/queues/0/depth")]
pub struct ParsePointerError {
    given: String,
}

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
        return Err(ParsePointerError {
            given: excerpt(pointer),
        });
    }
    Ok((place, Some(Pointer(pointer.to_owned()))))
}

impl Pointer {
    /// The number this points at; a string that holds a number serves as well,
    /// because many services print their numbers so.
    pub(super) fn number_in(&self, document: &str) -> Result<Value, JsonError> {
        let pointer = || self.0.clone();
        let document: serde_json::Value =
            serde_json::from_str(document).map_err(|source| JsonError::NotJson {
                read: excerpt(document.trim()),
                source,
            })?;
        let found = document
            .pointer(&self.0)
            .ok_or_else(|| JsonError::Absent { pointer: pointer() })?;
        let number = match found {
            serde_json::Value::Number(number) => number.as_f64(),
            serde_json::Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| JsonError::NotANumber {
            pointer: pointer(),
            read: excerpt(&found.to_string()),
        })?;
        Value::try_from(number).map_err(|source| JsonError::NotAccepted {
            pointer: pointer(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pointer: &str, document: &str) -> Result<f64, String> {
        let (_, pointer) = split_pointer(pointer).unwrap();
        let number = pointer.unwrap().number_in(document);
        number.map(Value::get).map_err(|e| e.to_string())
    }

    #[test]
    fn pointer_picks_numbers_and_numeric_strings() {
        assert_eq!(at("#/a~1b/0", r#"{"a/b":[7]}"#), Ok(7.0));
        assert_eq!(at("#/n", r#"{"n":"1e2"}"#), Ok(100.0));
    }

    #[test]
    fn other_findings_are_errors_that_show_them() {
        for (document, part) in [
            ("oops", "expected JSON, read \"oops\""),
            (r#"{"m":1}"#, "nothing at /n"),
            (r#"{"n":true}"#, "expected a number at /n, read true"),
            (r#"{"n":1e300}"#, "the number at /n"),
        ] {
            let error = at("#/n", document).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
