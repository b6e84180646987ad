//! What is wrong with the members of a request, in the service's words.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::refusal::Refusal;

/// Most problems of an answer.
const LINES_MAX: usize = 20;
/// The longest value that is shown.
const VALUE_SHOWN: usize = 600;

/// The error of all rules that have no code of their own.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "InvalidParameterException", message)
}

/// All problems go into one answer.
#[derive(Default)]
pub(super) struct Problems {
    lines: Vec<String>,
    count: usize,
}

impl Problems {
    pub(super) fn end(&self) -> Result<(), Refusal> {
        let plural = match self.count {
            0 => return Ok(()),
            1 => "",
            _ => "s",
        };
        let lines = self.lines.join("; ");
        Err(invalid(format!(
            "{} validation error{plural} detected: {lines}",
            self.count
        )))
    }

    /// A text that must be there, of so many characters, all of which are good.
    pub(super) fn name(
        &mut self,
        at: &str,
        text: Option<String>,
        lengths: RangeInclusive<usize>,
        pattern: &str,
        is_good: impl Fn(char) -> bool,
    ) -> String {
        let Some(text) = text else {
            self.missing(at);
            return String::new();
        };
        self.length(at, &text, text.chars().count(), &lengths);
        // An empty text has only one fault.
        if !text.is_empty() && !text.chars().all(is_good) {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.value(at, &text, &constraint);
        }
        text
    }

    pub(super) fn length(
        &mut self,
        at: &str,
        value: impl Display,
        length: usize,
        lengths: &RangeInclusive<usize>,
    ) {
        if length > *lengths.end() {
            let constraint = format!(
                "Member must have length less than or equal to {}",
                lengths.end()
            );
            self.value(at, value, &constraint);
        } else if length < *lengths.start() {
            let constraint = format!(
                "Member must have length greater than or equal to {}",
                lengths.start()
            );
            self.value(at, value, &constraint);
        }
    }

    pub(super) fn range(&mut self, at: &str, value: i64, range: &RangeInclusive<i64>) {
        if value > *range.end() {
            let constraint = format!(
                "Member must have value less than or equal to {}",
                range.end()
            );
            self.value(at, value, &constraint);
        } else if value < *range.start() {
            let constraint = format!(
                "Member must have value greater than or equal to {}",
                range.start()
            );
            self.value(at, value, &constraint);
        }
    }

    pub(super) fn one_of(&mut self, at: &str, value: impl Display, members: &[impl Display]) {
        let members: Vec<_> = members.iter().map(ToString::to_string).collect();
        let members = members.join(", ");
        self.value(
            at,
            value,
            &format!("Member must satisfy enum value set: [{members}]"),
        );
    }

    pub(super) fn missing(&mut self, at: &str) {
        self.line(format!(
            "Value null at '{at}' failed to satisfy constraint: Member must not be null"
        ));
    }

    fn value(&mut self, at: &str, value: impl Display, constraint: &str) {
        let value: String = value.to_string().chars().take(VALUE_SHOWN).collect();
        self.line(format!(
            "Value '{value}' at '{at}' failed to satisfy constraint: {constraint}"
        ));
    }

    fn line(&mut self, line: String) {
        self.count += 1;
        if self.lines.len() < LINES_MAX {
            self.lines.push(line);
        }
    }
}
