//! Small operations on text that several layers need.

/// Longest excerpt of foreign text in a message: enough to recognise it, too
/// short to flood a log.
const EXCERPT_MAX: usize = 80;

/// The first characters of foreign text, so that a message stays bounded, without the
/// credentials of a URL in it.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let text = redact(text);
    match text.char_indices().nth(EXCERPT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The first of some bytes that are no text, escaped.
#[must_use]
pub fn excerpt_bytes(bytes: &[u8]) -> String {
    // An escaped byte is no shorter than the byte, so that what is cut off shows.
    let start = &bytes[..bytes.len().min(EXCERPT_MAX + 1)];
    excerpt(&start.escape_ascii().to_string())
}

/// The text without what may be secret in it: of each URL the user information and the
/// query, of each `exec:` source the arguments.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slashes) = rest.find("//") {
        let (before, after) = rest.split_at(slashes + 2);
        shown.push_str(before);
        let is_end = |c: char| matches!(c, '#' | '"' | '\'') || c.is_whitespace();
        let (url, behind) = after.split_at(after.find(is_end).unwrap_or(after.len()));
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
    without_arguments(shown)
}

/// Cuts what follows the program of an `exec:` source, up to the quote that holds it.
fn without_arguments(mut text: String) -> String {
    if let Some(exec) = text.find("exec:/") {
        let quote = text[..exec].chars().next_back();
        let quote = quote.filter(|c| matches!(c, '"' | '\''));
        let program = text[exec..].find(char::is_whitespace);
        if let Some(start) = program.map(|length| exec + length) {
            let end = quote.and_then(|quote| text[start..].find(quote));
            text.replace_range(start..end.map_or(text.len(), |end| start + end), " …");
        }
    }
    text
}

/// Text from outside on one line, without what a terminal would obey.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\t' {
            line.push(' ');
        } else if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// The known name that `given` is a misspelling of, letter case aside; of equals, the
/// first. With more than a third of it wrong it is no misspelling but another word.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = excerpt(given).to_lowercase();
    let most = (given.chars().count() / 3).max(1);
    let edits = |name: &str| strsim::osa_distance(&given, &name.to_lowercase());
    let known = known.into_iter().map(|name| (edits(name), name));
    let (edits, name) = known.min_by_key(|(edits, _)| *edits)?;
    (edits <= most).then_some(name)
}

/// Stands between what is wrong with `given` and what is known in its place: asks whether
/// `name` was meant, if one is.
#[must_use]
pub fn did_you_mean(name: Option<impl std::fmt::Display>) -> String {
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
    fn credentials_of_urls_are_not_shown() {
        assert_eq!(
            redact("up:http://u:p@ss@h/a@b https://h/ //x@y"),
            "up:http://***@h/a@b https://h/ //***@y"
        );
        assert_eq!(excerpt("http://me:secret@host"), "http://***@host");
        assert_eq!(
            redact("value=http://u:p@h/a?token=s#/b unit=Count"),
            "value=http://***@h/a?…#/b unit=Count"
        );
        assert_eq!(
            redact("value=\"exec:/x --password s\" unit=Count"),
            "value=\"exec:/x …\" unit=Count"
        );
        assert_eq!(redact("value=exec:/x --password=s"), "value=exec:/x …");
    }

    #[test]
    fn line_holds_no_control_characters() {
        assert_eq!(one_line("a\tb\n\x1b[0mé"), "a b\\n\\u{1b}[0mé");
    }

    #[test]
    fn excerpt_is_cut_at_a_character() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
        assert_eq!(excerpt_bytes(b"1\xff\n"), r"1\xff\n");
        assert_eq!(excerpt_bytes(&[b'1'; 80]), "1".repeat(80));
        assert_eq!(excerpt_bytes(&[b'1'; 81]), format!("{}…", "1".repeat(80)));
    }
}
