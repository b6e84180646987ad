//! An error with its causes.

use std::error::Error;
use std::fmt::Write;

/// Most characters that are shown of one error of a chain: what a service answers may be
/// as long as it likes.
const SHOWN_MAX: usize = 400;
/// Most errors of a chain that are shown; a chain that is longer has no end.
const CAUSES_MAX: usize = 16;

/// The whole chain of an error in one line, `outermost: ...: cause`. No error's
/// `Display` in this workspace holds its source, so this is the one place that joins them.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = shown(error);
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    for cause in causes.take(CAUSES_MAX) {
        // Libraries do print their sources; what stands there already is not said twice.
        let text = shown(cause);
        if !line.ends_with(&text) {
            let _ = write!(line, ": {text}");
        }
    }
    line
}

/// An error without its cause, on one line, of a length that nobody minds.
fn shown(error: &dyn Error) -> String {
    // Joining makes it longer, and is not to be done for all of a long one.
    cut(on_one_line(&cut(error.to_string())))
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Joins the lines that some libraries break their messages into.
fn on_one_line(message: &str) -> String {
    let mut lines = message.lines().map(str::trim);
    let mut joined = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        joined += if joined.ends_with(':') { " " } else { "; " };
        joined += line;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn chain_says_every_cause_once() {
        assert_eq!(chain(&Outer(Inner)), "outer: inner");
        let repeated = std::io::Error::other("a: b");
        assert_eq!(chain(&repeated), "a: b");
        let broken = std::io::Error::other("tried:\n  a: no\n  b: no\n");
        assert_eq!(chain(&broken), "tried: a: no; b: no");
    }

    #[test]
    fn chain_is_cut_at_a_character_whatever_an_error_says() {
        let long = std::io::Error::other("é".repeat(20_000_000));
        assert_eq!(chain(&long), "é".repeat(SHOWN_MAX) + "…");
        let longest = std::io::Error::other("é".repeat(SHOWN_MAX));
        assert_eq!(chain(&longest), "é".repeat(SHOWN_MAX));
    }
}
