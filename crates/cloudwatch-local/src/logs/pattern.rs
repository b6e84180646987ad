//! Filter patterns for unstructured events (User Guide, "Filter pattern syntax"): terms,
//! phrases in quotes, `?term` for one of several, `-term` for what must not be there. Patterns
//! for JSON, for columns and regular expressions are refused.

use super::problems::invalid;
use crate::refusal::Refusal;

/// API Reference, `FilterLogEvents`.
const LENGTH_MAX: usize = 1024;

/// What an event's text must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        if text.chars().count() > LENGTH_MAX {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: \
                 Member must have length less than or equal to {LENGTH_MAX}"
            )));
        }
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let (list, words) = match first {
                '?' => (&mut pattern.any, &rest[1..]),
                '-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, behind) = match words.strip_prefix('"') {
                Some(quoted) => phrase(quoted),
                None => word(words),
            }?;
            list.push(term);
            rest = behind.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a text holds all terms and none of those excluded. Terms with `?` count only if
    /// there are no others, as the guide says.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let holds = |term: &String| text.contains(term.as_str());
        if self.all.is_empty() && self.none.is_empty() && !self.any.is_empty() {
            return self.any.iter().any(holds);
        }
        self.all.iter().all(holds) && !self.none.iter().any(holds)
    }
}

/// A term without quotes: letters, digits and underscores.
fn word(text: &str) -> Result<(String, &str), Refusal> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(refuse(
            "a term with other characters than letters, digits and _ needs quotes; \
             patterns for JSON, columns and regular expressions are not known here",
        ));
    }
    Ok((word.to_owned(), rest))
}

/// What stands before the closing quote; a quote or a backslash in it has a backslash before.
fn phrase(text: &str) -> Result<(String, &str), Refusal> {
    let mut phrase = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = &text[at + 1..];
                let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
                return match ends && !phrase.is_empty() {
                    true => Ok((phrase, rest)),
                    false => Err(refuse("a phrase is empty, or goes on behind its quotes")),
                };
            }
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => phrase.push(c),
                Some((_, c)) => phrase.extend(['\\', c]),
                None => break,
            },
            c => phrase.push(c),
        }
    }
    Err(refuse("a quote is not closed"))
}

fn refuse(why: &str) -> Refusal {
    invalid(format!("Invalid filter pattern: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::read(pattern).unwrap().matches(text)
    }

    #[test]
    fn terms_are_all_needed_in_any_order_and_case_counts() {
        let text = "[ERROR 419] MISSING ARGUMENTS";
        for pattern in ["", "  ", "ERROR", "ARGUMENTS ERROR", "419", "ARGU"] {
            assert!(matches(pattern, text), "{pattern}");
        }
        for pattern in ["error", "ERROR Exception", "ERRORS"] {
            assert!(!matches(pattern, text), "{pattern}");
        }
    }

    #[test]
    fn phrases_are_taken_as_they_stand() {
        assert!(matches(
            r#""INTERNAL SERVER" 500"#,
            "500 INTERNAL SERVER ERROR"
        ));
        assert!(!matches(
            r#""SERVER INTERNAL""#,
            "500 INTERNAL SERVER ERROR"
        ));
        assert!(matches(
            r#""a.b" "say \"no\" \\ \d""#,
            r#"a.b say "no" \ \d"#
        ));
        assert!(!matches(r#""a.b""#, "aXb"));
    }

    #[test]
    fn optional_terms_need_one_and_are_ignored_beside_others() {
        assert!(matches(r#"?WARN ?"a b""#, "x a b"));
        assert!(!matches("?WARN ?INFO", "DEBUG"));
        assert!(matches("?WARN ERROR", "ERROR"));
        assert!(!matches("?WARN ERROR", "WARN"));
        assert!(matches("?WARN -INFO", "DEBUG"));
    }

    #[test]
    fn excluded_terms_must_not_be_there() {
        assert!(matches("ERROR -EXITING", "ERROR again"));
        assert!(!matches("ERROR -EXITING", "ERROR EXITING"));
        assert!(matches(r#"-"a b""#, "a  b"));
        assert!(!matches(r#"-"a b""#, "a b"));
    }

    #[test]
    fn other_patterns_are_refused() {
        let long = "x".repeat(LENGTH_MAX + 1);
        for bad in [
            "{ $.a = 1 }",
            "[a, b]",
            "%a+%",
            "a-b",
            "a.b",
            "a*",
            "-",
            "?",
            "??a",
            "--a",
            "\"",
            "\"a",
            "\"\"",
            "\"a\"b",
            "a\"b\"",
            "\"a\\",
            &long,
        ] {
            let refusal = Pattern::read(bad).unwrap_err();
            assert_eq!(refusal.code, "InvalidParameterException", "{bad}");
        }
        assert!(Pattern::read(&long[1..]).is_ok());
    }

    proptest! {
        #![proptest_config(cases(512))]

        #[test]
        fn no_pattern_makes_it_panic(pattern in "[?\"\\\\ a-zß{\\[%-]{0,40}", text in any::<String>()) {
            if let Ok(pattern) = Pattern::read(&pattern) {
                let _ = pattern.matches(&text);
            }
        }

        #[test]
        fn any_text_is_found_by_itself_in_quotes(text in "\\PC{1,40}", around in "\\PC{0,10}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let whole = format!("{around}{text}{around}");
            let (found, excluded) = (format!("\"{quoted}\""), format!("-\"{quoted}\""));
            prop_assert!(Pattern::read(&found).unwrap().matches(&whole));
            prop_assert!(!Pattern::read(&excluded).unwrap().matches(&whole));
        }
    }
}
