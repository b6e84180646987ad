//! Logs: one JSON object (or one line of text) an event, on standard output.

use std::error::Error;
use std::fmt::Write;

/// The whole chain of an error in one line, `outermost: ...: cause`. No error's
/// `Display` in this crate holds its source, so this is the one place that joins them.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Libraries do print their sources; what stands there already is not said twice.
        let text = cause.to_string();
        if !line.ends_with(&text) {
            let _ = write!(line, ": {text}");
        }
        source = cause.source();
    }
    line
}
