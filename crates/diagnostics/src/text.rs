//! Small operations on text that several layers need.

use std::fmt;
use std::path::Path;

/// Longest redacted_prefix of foreign text in a message: enough to recognise it, too
/// short to flood a log.
const EXCERPT_MAX: usize = 80;

/// How much of a text is looked at for an redacted_prefix of it: a page may be long, and so may
/// the password of a URL in it.
const LOOKED_AT_MAX: usize = 1024;

/// What was given where a secret may stand. It is kept to find what was meant by it, and
/// never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Keeps the beginning, which is enough to compare it with a name.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(start(text, EXCERPT_MAX).to_owned())
    }

    /// For comparisons alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What was given in a place that holds no secret, to stand before what is wrong with it.
/// Nothing if it is meant for another place: a URL, a command or a whole line has got here
/// by mistake.
#[must_use]
pub fn given(text: &str) -> String {
    const MISPLACED: &[&str] = &["//", ":/", ":\\", "'", "\"", " /", " -", "exec:", "value="];
    let is_misplaced = MISPLACED.iter().any(|mark| text.contains(mark));
    // A nickname of cron begins with the sign that ends a password.
    if is_misplaced || text.rfind('@').is_some_and(|at| at > 0) {
        return String::new();
    }
    format!("{:?}: ", cut(text))
}

/// A path in a message; who takes it for the place of a URL or of a header may have
/// written a secret there.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_path = text.starts_with('/') || !text.contains([':', '@', '?', ' ']);
    if is_path {
        one_line(&text)
    } else {
        "what is no absolute path".to_owned()
    }
}

/// The first characters of foreign text, so that a message stays bounded, without the
/// credentials of a URL in it. What the configuration says has no place here.
#[must_use]
pub fn redacted_prefix(text: &str) -> String {
    let mut looked_at = start(text, LOOKED_AT_MAX);
    if looked_at.len() < text.len()
        && let Some(slashes) = looked_at.rfind("//")
        && !looked_at[slashes..].contains(ends_url)
    {
        // Where its password ends is not known.
        looked_at = &looked_at[..slashes + 2];
    }
    let shown = redact(looked_at);
    if shown.chars().nth(EXCERPT_MAX).is_none() && looked_at.len() < text.len() {
        return format!("{shown}…");
    }
    cut(&shown)
}

/// The first of some bytes that are no text, escaped.
#[must_use]
pub fn redacted_prefix_bytes(bytes: &[u8]) -> String {
    // An escaped byte is no shorter than the byte, so that what is cut off shows.
    let start = &bytes[..bytes.len().min(LOOKED_AT_MAX)];
    redacted_prefix(&start.escape_ascii().to_string())
}

fn cut(text: &str) -> String {
    let shown = start(text, EXCERPT_MAX);
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown}{more}")
}

/// The first characters of a text.
fn start(text: &str, characters: usize) -> &str {
    match text.char_indices().nth(characters) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// The text without the user information and the query of each URL in it: a second guard,
/// for text that others wrote. What this program was told is shown by what was read of it.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slashes) = rest.find("//") {
        let (before, after) = rest.split_at(slashes + 2);
        shown.push_str(before);
        let (url, behind) = after.split_at(after.find(ends_url).unwrap_or(after.len()));
        let host_end = url.find(['/', '?']).unwrap_or(url.len());
        let host = match url[..host_end].rfind('@') {
            Some(at) => {
                shown.push_str("***");
                at
            }
            None => 0,
        };
        match url.find('?') {
            Some(query) => {
                shown.push_str(&url[host..query]);
                shown.push_str("?…");
            }
            None => shown.push_str(&url[host..]),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

fn ends_url(character: char) -> bool {
    matches!(character, '#' | '"' | '\'') || character.is_whitespace()
}

/// Text from outside on one line, without what a terminal would obey or would show in
/// another order than it is written in.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\t' {
            line.push(' ');
        } else if character.is_control() || is_format(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// What Unicode takes for the end of a line or for a mark that turns the direction of text.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// The known name that `given` is a misspelling of, letter case aside; of equals, the
/// first. With more than a third of it wrong it is no misspelling but another word.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = start(given, EXCERPT_MAX).to_lowercase();
    let most = (given.chars().count() / 3).max(1);
    let edits = |name: &str| strsim::osa_distance(&given, &name.to_lowercase());
    let known = known.into_iter().map(|name| (edits(name), name));
    let (edits, name) = known.min_by_key(|(edits, _)| *edits)?;
    (edits <= most).then_some(name)
}

/// The known name that `given` is a misspelling of, where it may as well be a name of somebody
/// else's: one letter wrong or, of a long name, two, letter case aside.
#[must_use]
pub fn misspelt<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONG: usize = 8;
    let most = if given.chars().count() < LONG { 1 } else { 2 };
    let name = nearest(given, known)?;
    let edits = strsim::osa_distance(&given.to_lowercase(), &name.to_lowercase());
    (edits <= most).then_some(name)
}

/// Stands between what is wrong with `given` and what is known in its place: asks whether
/// `name` was meant, if one is.
#[must_use]
pub fn did_you_mean(name: Option<impl fmt::Display>) -> String {
    match name {
        Some(name) => format!(", did you mean {name}?"),
        None => ";".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_needs_the_fewest_edits() {
        assert_eq!(
            nearest("METRIC_NAM", ["METRIC_UNIT", "METRIC_NAME"]),
            Some("METRIC_NAME")
        );
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn another_word_is_no_misspelling() {
        for (given, known) in [
            ("FOO", "CRON_TZ"),
            ("Bananas", "Seconds"),
            ("ftp", "http"),
            ("local", "ROC"),
            ("METRIC_FOO", "METRIC_NAME"),
        ] {
            assert_eq!(nearest(given, [known]), None, "{given}");
        }
        for (given, known) in [
            ("nmae", "name"),
            ("count", "Count"),
            ("bytes/sec", "Bytes/Second"),
            ("upp", "up"),
        ] {
            assert_eq!(nearest(given, [known]), Some(known));
        }
    }

    #[test]
    fn misspelling_of_a_name_among_others_has_one_letter_wrong_or_two() {
        let known = ["BUFFER_LIMIT", "CRONTAB", "SCHEDULE"];
        for (given, expected) in [
            ("BUFER_LIMIT", Some("BUFFER_LIMIT")),
            ("BUFERLIMIT", Some("BUFFER_LIMIT")),
            ("BFERLIMIT", None),
            ("CRONTABS", Some("CRONTAB")),
            ("CORNTAB", Some("CRONTAB")),
            ("CONTB", None),
            ("schedule", Some("SCHEDULE")),
            ("PATH", None),
            ("", None),
        ] {
            assert_eq!(misspelt(given, known), expected, "{given}");
        }
    }

    #[test]
    fn hidden_text_is_compared_and_never_shown() {
        let hidden = Hidden::new("secret");
        assert_eq!(hidden.as_str(), "secret");
        assert_eq!(format!("{hidden:?}"), "…");
    }

    #[test]
    fn credentials_of_urls_are_not_shown() {
        assert_eq!(
            redact("up:http://u:p@ss@h/a@b https://h/ //x@y"),
            "up:http://***@h/a@b https://h/ //***@y"
        );
        assert_eq!(redacted_prefix("http://me:secret@host"), "http://***@host");
        let long = format!("http://me:{}@host", "secret".repeat(1000));
        assert_eq!(redacted_prefix(&long), "http://…");
        assert_eq!(
            redact("value=http://u:p@h/a?token=s#/b unit=Count"),
            "value=http://***@h/a?…#/b unit=Count"
        );
    }

    #[test]
    fn line_holds_no_control_characters() {
        assert_eq!(one_line("a\tb\n\x1b[0mé"), "a b\\n\\u{1b}[0mé");
        assert_eq!(one_line("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
    }

    #[test]
    fn excerpt_is_cut_at_a_character() {
        assert_eq!(redacted_prefix("short"), "short");
        assert_eq!(
            redacted_prefix(&"é".repeat(81)),
            format!("{}…", "é".repeat(80))
        );
        assert_eq!(redacted_prefix_bytes(b"1\xff\n"), r"1\xff\n");
        assert_eq!(redacted_prefix_bytes(&[b'1'; 80]), "1".repeat(80));
        assert_eq!(
            redacted_prefix_bytes(&[b'1'; 81]),
            format!("{}…", "1".repeat(80))
        );
    }
}
