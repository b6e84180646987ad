//! Which lines begin an event of several lines.

use regex_lite::{Regex, RegexBuilder};

use super::date_format;

/// A longer line is looked at up to here: what begins an event stands at a line's front, and a
/// pattern may cost time for each byte. Docker's own driver sees no more at once.
const LOOKED_AT: usize = 16 * 1024;
const PATTERN_MAX: usize = 1024;
/// The most memory that a pattern may take when it is compiled, in bytes.
const COMPILED_MAX: usize = 1 << 20;

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error)]
pub enum LineStartError {
    /// Nothing, or too much.
    #[error("a pattern has 1 to {PATTERN_MAX} characters")]
    Length,
    /// Not a regular expression.
    #[error("no regular expression: {0}")]
    Pattern(String),
    /// A conversion that is not known.
    #[error("%{0} is not known, write one of {known}", known = date_format::known())]
    Conversion(char),
    /// A percent sign without anything behind it.
    #[error("a % stands at the end, write %% for the sign itself")]
    Open,
}

/// Matches the lines that begin an event.
#[derive(Clone, Debug)]
pub struct LineStart(Regex);

impl LineStart {
    /// A regular expression, as Docker's `awslogs-multiline-pattern`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn pattern(text: &str) -> Result<Self, LineStartError> {
        if text.is_empty() || text.len() > PATTERN_MAX {
            return Err(LineStartError::Length);
        }
        let regex = RegexBuilder::new(text).size_limit(COMPILED_MAX).build();
        regex
            .map(Self)
            .map_err(|error| LineStartError::Pattern(error.to_string()))
    }

    /// A date in the form of `strftime`, anywhere in the line, as Docker's
    /// `awslogs-datetime-format`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn date_format(text: &str) -> Result<Self, LineStartError> {
        if text.is_empty() || text.len() > PATTERN_MAX {
            return Err(LineStartError::Length);
        }
        Self::pattern_of_any_length(&date_format::to_regex(text)?)
    }

    fn pattern_of_any_length(text: &str) -> Result<Self, LineStartError> {
        let regex = RegexBuilder::new(text).size_limit(COMPILED_MAX).build();
        regex
            .map(Self)
            .map_err(|error| LineStartError::Pattern(error.to_string()))
    }

    /// Whether this line begins an event.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        self.0
            .is_match(&line[..line.floor_char_boundary(LOOKED_AT)])
    }

    /// The expression, as it is looked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn pattern_is_found_anywhere_unless_it_says_where() {
        assert!(LineStart::pattern("INFO").unwrap().matches("x INFO y"));
        assert!(!LineStart::pattern("^INFO").unwrap().matches("x INFO y"));
        for bad in ["", "(", "a{1000000}", &"x".repeat(1025)] {
            assert!(LineStart::pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_are_found_in_lines() {
        for (format, line, found) in [
            ("%Y-%m-%d %H:%M:%S", "at 2026-11-21 23:59:59 x", true),
            ("%Y-%m-%d %H:%M:%S", "at 2026-13-21 23:59:59 x", false),
            ("[%b %d, %Y %H:%M:%S]", "[Nov 21, 2026 10:00:00] x", true),
            ("[%b %d, %Y %H:%M:%S]", "(Nov 21, 2026 10:00:00) x", false),
            ("%A %j %p %z %L %f", "Monday 366 PM +0100 .123 123456", true),
            ("%d%%", "31%", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(
                LineStart::date_format(format).unwrap().matches(line),
                found,
                "{format}"
            );
        }
        assert!(matches!(
            LineStart::date_format("%Q"),
            Err(LineStartError::Conversion('Q'))
        ));
        assert!(matches!(
            LineStart::date_format("%Y%"),
            Err(LineStartError::Open)
        ));
    }

    #[test]
    fn hardest_pattern_on_the_longest_line_takes_a_bounded_time() {
        let start = LineStart::pattern("(a*)*(a|aa)*b$").unwrap();
        let before = Instant::now();
        assert!(!start.matches(&"a".repeat(1 << 20)));
        assert!(before.elapsed().as_secs() < 5, "{:?}", before.elapsed());
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn no_format_panics(format in "[%a-zA-Z\\[\\](){}.*+?\\\\^$|é ]{0,20}", line in "\\PC{0,40}") {
            if let Ok(start) = LineStart::date_format(&format) {
                let _ = start.matches(&line);
            }
        }

        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,20}", line in "\\PC{0,40}") {
            if let Ok(start) = LineStart::pattern(&pattern) {
                let _ = start.matches(&line);
            }
        }
    }
}
