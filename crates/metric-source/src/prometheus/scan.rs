//! A place in a line and the tokens that expositions and selectors have in common.

use std::borrow::Cow;

/// What was expected where something else stands.
pub(super) type Expected = &'static str;

/// The rest of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a>(pub(super) &'a str);

impl<'a> Scan<'a> {
    pub(super) fn is_at_end(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches(is_blank);
    }

    /// Passes `text` if it stands here.
    pub(super) fn take(&mut self, text: &str) -> bool {
        match self.0.strip_prefix(text) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Everything up to the next blank or the end.
    pub(super) fn word(&mut self) -> &'a str {
        self.split_at(self.0.find(is_blank).unwrap_or(self.0.len()))
    }

    /// The name of a metric, or with `:` out of place, of a label; empty if none stands here.
    pub(super) fn name(&mut self) -> &'a str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        if self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.split_at(self.0.find(|c| !is_part(c)).unwrap_or(self.0.len()))
    }

    /// A text between two of `quote`, which has just been passed.
    pub(super) fn until_quote(&mut self, quote: char) -> Result<Cow<'a, str>, Expected> {
        let mut escaped = false;
        let end = self.0.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let text = self.split_at(end.ok_or("a closing quote")?);
        self.take(quote.encode_utf8(&mut [0; 4]));
        Ok(unescape(text))
    }

    fn split_at(&mut self, end: usize) -> &'a str {
        let (head, rest) = self.0.split_at(end);
        self.0 = rest;
        head
    }
}

/// What separates tokens (exposition formats, "Line format").
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Resolves `\\`, `\"` and `\n`; any other backslash stands for itself (OpenMetrics 1.0,
/// "Escaping").
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let (resolved, length) = match after.as_bytes().first() {
            Some(b'\\') => ('\\', 1),
            Some(b'"') => ('"', 1),
            Some(b'n') => ('\n', 1),
            _ => ('\\', 0),
        };
        plain.push(resolved);
        rest = &after[length..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_ends_at_the_first_quote_that_is_not_escaped() {
        let mut scan = Scan(r#"a\"b\\" rest"#);
        assert_eq!(scan.until_quote('"').unwrap(), r#"a"b\"#);
        assert_eq!(scan.0, " rest");
        assert!(Scan(r#"a\""#).until_quote('"').is_err());
    }

    #[test]
    fn unknown_escapes_stand_for_themselves() {
        assert_eq!(unescape(r"C:\\n\n\d\é\"), "C:\\n\n\\d\\é\\");
    }
}
