//! The number that a file, a page or a program gives.

use cloudwatch_metric::{MetricError, Value};
use diagnostics::redacted_prefix;

/// What was read in the place of a number.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NumberError {
    #[error("expected a number, read {read:?}")]
    NotANumber { read: String },
    #[error("expected a number, read {read:?}")]
    NotAccepted { read: String, source: MetricError },
}

/// The number that a text consists of, white space around it aside.
pub(crate) fn number(text: &str) -> Result<Value, NumberError> {
    let read = || redacted_prefix(text.trim());
    let number: f64 = text
        .trim()
        .parse()
        .map_err(|_| NumberError::NotANumber { read: read() })?;
    Value::try_from(number).map_err(|source| NumberError::NotAccepted {
        read: read(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn number_shows_what_was_read() {
        assert_eq!(number(" 4.5\n").unwrap().get(), 4.5);
        let error = number("12 apples\x1b[0m").unwrap_err().to_string();
        assert_eq!(error, r#"expected a number, read "12 apples\u{1b}[0m""#);
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = number(&text);
        }
    }
}
