//! `name{label="x",other=~"re"}`: which series of an exposition are meant, with the
//! operators of PromQL's instant vector selectors.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use diagnostics::redacted_prefix;
use regex_lite::{Regex, RegexBuilder};

use super::sample::{Kind, Sample};
use super::scan::Scan;
use crate::computing::{Stopped, Wanted};

/// The longest selector. Some name a hundred things, each as long as the name of a pod.
const LENGTH_MAX: usize = 4096;

/// How large the expressions of a selector may get together, in bytes of what they are
/// compiled to: a step of the search takes time in proportion. So much that an expression may
/// be as long as a selector.
const REGEX_SIZE_MAX: usize = 160 * 1024;

/// The longest value that is compared with an expression: the search has as many steps. A
/// dimension takes 1024 characters, so what is longer only serves to be selected by.
const MATCHED_MAX: usize = 4096;

/// One metric and what its labels must be.
#[derive(Clone, Debug)]
pub struct Selector {
    name: String,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    is_negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    Regex(Pattern),
}

/// An expression, compiled when it is first compared with. What outlives a page keeps it as it
/// was given: compiled it may take forty times the memory.
#[derive(Clone, Debug)]
struct Pattern {
    given: String,
    size_max: usize,
    compiled: OnceLock<Option<Regex>>,
}

/// Why a text is no selector.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseSelectorError {
    #[error(
        "expected {expected} at character {at} of the selector, write name{{label=\"value\",other=~\"regex\"}}"
    )]
    Malformed { expected: &'static str, at: usize },
    #[error(
        "expected a value in quotes at character {at} of the selector; shells and crontabs take quotes away, so put the whole value in single quotes: '…#name{{label=\"value\"}}'"
    )]
    Unquoted { at: usize },
    #[error("it is {length} bytes long, a selector has up to {LENGTH_MAX}")]
    TooLong { length: usize },
    #[error("a selector needs the name of one metric, write name{{label=\"value\"}}")]
    NoName,
    #[error(
        "a regular expression of the selector cannot be used here (Unicode classes such as \\pL are not known, and repetitions must not make it large)"
    )]
    Regex { source: regex_lite::Error },
}

/// Why it is not known whether a sample is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MatchError {
    #[error(
        "the label {label} has {length} bytes, a regular expression is compared with up to {MATCHED_MAX}"
    )]
    TooLong { label: String, length: usize },
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Selector {
    /// The name given, without matchers.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a sample is meant, as long as somebody wants to know. A histogram's or summary's own name means its sum and
    /// count (but its quantiles if they are asked for by their label), and a family's name
    /// means the one number that the other kinds have.
    pub(super) fn matches(&self, sample: &Sample<'_>, wanted: &Wanted) -> Result<bool, MatchError> {
        if !self.is_named(sample) {
            return Ok(false);
        }
        for matcher in &self.matchers {
            wanted.check()?;
            if !matcher.matches(sample)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_named(&self, sample: &Sample<'_>) -> bool {
        if sample.name == self.name {
            let is_quantile = sample.kind == Kind::Summary && sample.suffix.is_empty();
            return !is_quantile || self.matchers.iter().any(|m| m.label == "quantile");
        }
        let is_main = match sample.kind {
            Kind::Counter => sample.suffix == "_total",
            Kind::Histogram | Kind::Summary => matches!(sample.suffix, "_sum" | "_count"),
            Kind::GaugeHistogram => matches!(sample.suffix, "_gsum" | "_gcount"),
            Kind::Info => sample.suffix == "_info",
            Kind::Gauge | Kind::StateSet | Kind::Unknown => false,
        };
        is_main && sample.family() == self.name
    }
}

impl Matcher {
    fn matches(&self, sample: &Sample<'_>) -> Result<bool, MatchError> {
        let value = sample.label(&self.label);
        let is_match = match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::Regex(_) if value.len() > MATCHED_MAX => {
                return Err(MatchError::TooLong {
                    label: redacted_prefix(&self.label),
                    length: value.len(),
                });
            }
            Test::Regex(pattern) => pattern.is_match(value),
        };
        Ok(is_match != self.is_negated)
    }
}

impl Pattern {
    fn is_match(&self, value: &str) -> bool {
        let compile = || anchored(&self.given, self.size_max).ok();
        // It was compiled when the selector was read, so there is one.
        let regex = self.compiled.get_or_init(compile).as_ref();
        regex.is_some_and(|regex| regex.is_match(value))
    }
}

impl FromStr for Selector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let text = text.trim();
        if text.len() > LENGTH_MAX {
            let length = text.len();
            return Err(ParseSelectorError::TooLong { length });
        }
        Self::read(text).map_err(|error| error.counted_from_the_start(text))
    }
}

impl ParseSelectorError {
    fn counted_from_the_start(mut self, text: &str) -> Self {
        if let Self::Malformed { at, .. } | Self::Unquoted { at } = &mut self {
            *at = text.chars().count() + 1 - *at;
        }
        self
    }
}

impl Selector {
    fn read(text: &str) -> Result<Self, ParseSelectorError> {
        let mut scan = Scan(text);
        let mut selector = Self {
            name: scan.name().to_owned(),
            matchers: Vec::new(),
        };
        scan.skip_blanks();
        if scan.take("{") {
            selector.read_matchers(&mut scan)?;
            scan.skip_blanks();
        }
        if !scan.is_at_end() {
            let expected = "the name of a metric and matchers in braces";
            return Err(malformed(expected, scan));
        }
        if selector.name.is_empty() {
            return Err(ParseSelectorError::NoName);
        }
        selector.check_patterns()?;
        Ok(selector)
    }

    /// Reads up to the closing brace. The metric's name may also stand here, in quotes or
    /// as the value of `__name__`.
    fn read_matchers(&mut self, scan: &mut Scan<'_>) -> Result<(), ParseSelectorError> {
        loop {
            scan.skip_blanks();
            if scan.take("}") {
                return Ok(());
            }
            let start = *scan;
            let label = match quoted(scan)? {
                Some(label) => label,
                None => scan.name().to_owned(),
            };
            scan.skip_blanks();
            if scan.0.starts_with([',', '}']) && start.0.starts_with(['"', '\'', '`']) {
                self.set_name(label, start)?;
            } else if label.is_empty() {
                return Err(malformed("the name of a label", start));
            } else {
                let matcher = read_matcher(label, scan)?;
                match matcher.test {
                    Test::Equal(name) if matcher.label == "__name__" && !matcher.is_negated => {
                        self.set_name(name, start)?;
                    }
                    _ if matcher.label == "__name__" => return Err(ParseSelectorError::NoName),
                    _ => self.matchers.push(matcher),
                }
            }
            scan.skip_blanks();
            if !scan.take(",") && !scan.0.starts_with('}') {
                return Err(malformed("',' or '}'", *scan));
            }
        }
    }

    /// Gives each expression its share of the size, and finds out whether it keeps to it.
    fn check_patterns(&mut self) -> Result<(), ParseSelectorError> {
        let tests = self.matchers.iter_mut().map(|matcher| &mut matcher.test);
        let patterns = tests.filter_map(|test| match test {
            Test::Regex(pattern) => Some(pattern),
            Test::Equal(_) => None,
        });
        let mut patterns: Vec<_> = patterns.collect();
        let size_max = REGEX_SIZE_MAX / patterns.len().max(1);
        for pattern in &mut patterns {
            pattern.size_max = size_max;
            anchored(&pattern.given, size_max)?;
        }
        Ok(())
    }

    fn set_name(&mut self, name: String, at: Scan<'_>) -> Result<(), ParseSelectorError> {
        if !self.name.is_empty() {
            return Err(malformed("one name only", at));
        }
        self.name = name;
        Ok(())
    }
}

fn read_matcher(label: String, scan: &mut Scan<'_>) -> Result<Matcher, ParseSelectorError> {
    const OPERATORS: [(&str, bool, bool); 4] = [
        ("=~", false, true),
        ("!~", true, true),
        ("!=", true, false),
        ("=", false, false),
    ];
    let found = OPERATORS.iter().find(|(operator, ..)| scan.take(operator));
    let (_, is_negated, is_regex) = *found.ok_or_else(|| malformed("=, !=, =~ or !~", *scan))?;
    scan.skip_blanks();
    let value = quoted(scan)?.ok_or_else(|| ParseSelectorError::Unquoted {
        at: scan.0.chars().count(),
    })?;
    let test = if is_regex {
        Test::Regex(Pattern {
            given: value,
            size_max: REGEX_SIZE_MAX,
            compiled: OnceLock::new(),
        })
    } else {
        Test::Equal(value)
    };
    Ok(Matcher {
        label,
        is_negated,
        test,
    })
}

/// Prometheus anchors expressions at both ends and lets `.` match line feeds. The
/// expression is also compiled alone, so that no unbalanced parenthesis escapes the group.
fn anchored(given: &str, size_max: usize) -> Result<Regex, ParseSelectorError> {
    let compiled = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(size_max).build()
    };
    compiled(given)
        .and_then(|_| compiled(&format!("^(?s:{given})$")))
        .map_err(|source| ParseSelectorError::Regex { source })
}

/// A text in one of PromQL's three quotes, if one stands here; in backquotes nothing is
/// escaped.
fn quoted(scan: &mut Scan<'_>) -> Result<Option<String>, ParseSelectorError> {
    if scan.take("`") {
        let Some((text, rest)) = scan.0.split_once('`') else {
            return Err(malformed("a closing quote", *scan));
        };
        *scan = Scan(rest);
        return Ok(Some(text.to_owned()));
    }
    for quote in ['"', '\''] {
        let start = *scan;
        if scan.take(quote.encode_utf8(&mut [0; 4])) {
            let text = scan.until_quote(quote);
            let text = text.map_err(|expected| malformed(expected, start))?;
            return Ok(Some(text.into_owned()));
        }
    }
    Ok(None)
}

/// The place is counted from the end here, which is what a scan knows.
fn malformed(expected: &'static str, at: Scan<'_>) -> ParseSelectorError {
    let at = at.0.chars().count();
    ParseSelectorError::Malformed { expected, at }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, matcher) in self.matchers.iter().enumerate() {
            let (operator, value) = match (&matcher.test, matcher.is_negated) {
                (Test::Equal(value), false) => ("=", value),
                (Test::Equal(value), true) => ("!=", value),
                (Test::Regex(pattern), false) => ("=~", &pattern.given),
                (Test::Regex(pattern), true) => ("!~", &pattern.given),
            };
            let before = if i == 0 { "{" } else { "," };
            write!(f, "{before}{}{operator}{value:?}", matcher.label)?;
        }
        f.write_str(if self.matchers.is_empty() { "" } else { "}" })
    }
}

#[cfg(test)]
mod tests;
