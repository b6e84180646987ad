//! An error in one short line: what failed, and the root of it. The log has all between.

use std::error::Error;

use diagnostics::{one_line, redacted_prefix};

/// What failed, and the root cause. Text from outside stands in quotes in this program's
/// errors; it is left out here, where anybody in the network namespace may ask.
#[must_use]
pub fn brief(error: &(dyn Error + 'static)) -> String {
    let what = unquoted(&error.to_string());
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let root = unquoted(&root.to_string());
    // Libraries do print their sources.
    if what.ends_with(&root) {
        what
    } else {
        format!("{what}: {root}")
    }
}

fn unquoted(text: &str) -> String {
    let line = match text.split_once('"') {
        Some((before, _)) => format!("{}…", before.trim_end()),
        None => text.to_owned(),
    };
    redacted_prefix(&one_line(line.trim()))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failed {
        text: String,
        source: Option<Box<dyn Error>>,
    }

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.text)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.source.as_deref()
        }
    }

    fn chain(texts: &[&str]) -> Failed {
        let (text, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(chain(rest)) as Box<dyn Error>);
        Failed {
            text: (*text).to_owned(),
            source,
        }
    }

    #[test]
    fn root_cause_is_named_on_one_bounded_line_without_text_from_outside() {
        for (texts, expected) in [
            (
                &["read /x", "io", "no such file"][..],
                "read /x: no such file",
            ),
            (&["no such file"], "no such file"),
            (
                &["read /x: no such file", "no such file"],
                "read /x: no such file",
            ),
            (&["/x failed, it said \"PASSWORD\""], "/x failed, it said…"),
            (&["a\nb", "c\td"], "a\\nb: c d"),
        ] {
            assert_eq!(brief(&chain(texts)), expected);
        }
        let long = "x".repeat(10_000);
        assert!(brief(&chain(&["read", &long])).len() < 200);
    }
}
