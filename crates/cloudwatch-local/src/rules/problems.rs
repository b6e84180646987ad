//! What is wrong with a request, in the service's words.

use crate::refusal::Refusal;

/// Magnitudes beyond 2^360 are refused, and so are those below 2^-360 but for zero.
const EXPONENT_MAX: i32 = 360;

/// Most lines of an answer: as many as a request may have points.
const LINES_MAX: usize = 1000;

/// All problems of one kind go into one answer, a line each.
#[derive(Default)]
pub(super) struct Problems {
    missing: Vec<String>,
    combination: Vec<String>,
    invalid: Vec<String>,
}

impl Problems {
    pub(super) fn end(&self) -> Result<(), Refusal> {
        let kinds = [
            ("MissingParameter", &self.missing),
            ("InvalidParameterCombination", &self.combination),
            ("InvalidParameterValue", &self.invalid),
        ];
        match kinds.into_iter().find(|(_, lines)| !lines.is_empty()) {
            Some((code, lines)) => Err(Refusal::new(400, code, lines.join("\n"))),
            None => Ok(()),
        }
    }

    pub(super) fn text(&mut self, at: &str, text: Option<&String>, max: usize) {
        let text = text.map(String::as_str).unwrap_or_default();
        if text.trim().is_empty() {
            self.missing(at);
        } else if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            self.invalid(format!(
                "The parameter {at} must contain only ASCII characters and no control characters."
            ));
        } else if text.len() > max {
            let limit = max + 1;
            self.invalid(format!(
                "The parameter {at} must be shorter than {limit} characters."
            ));
        }
    }

    pub(super) fn number(&mut self, at: &str, value: f64) {
        let (largest, smallest) = (2f64.powi(EXPONENT_MAX), 2f64.powi(-EXPONENT_MAX));
        let size = value.abs();
        if value == 0.0 || (smallest..=largest).contains(&size) {
            return;
        }
        // The service spells infinities out.
        let shown = value.to_string().replace("inf", "Infinity");
        self.invalid_value(&shown, at);
    }

    pub(super) fn size(&mut self, at: &str, size: usize, max: usize) {
        if size > max {
            self.invalid(format!(
                "The collection {at} must not have a size greater than {max}."
            ));
        }
    }

    pub(super) fn missing(&mut self, at: &str) {
        push(
            &mut self.missing,
            format!("The parameter {at} is required."),
        );
    }

    pub(super) fn invalid(&mut self, line: String) {
        push(&mut self.invalid, line);
    }

    pub(super) fn invalid_value(&mut self, value: &str, at: &str) {
        self.invalid(format!("The value {value} for parameter {at} is invalid."));
    }

    pub(super) fn combination(&mut self, line: String) {
        push(&mut self.combination, line);
    }
}

fn push(lines: &mut Vec<String>, line: String) {
    if lines.len() < LINES_MAX {
        lines.push(line);
    }
}
