//! Reads settings one by one and collects what is wrong with them.

use std::fmt;
use std::time::Duration;

use diagnostics::{misspelt, nearest, redacted_prefix};

use crate::value::{count, duration};
use crate::{Diagnostics, Environment, Setting};

/// Reads settings one by one and collects what is wrong with them: `None` of one is told
/// there, and the others are read all the same.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The variables.
    pub environment: &'a Environment,
    /// What was found so far.
    pub findings: Diagnostics,
}

impl<'a> Reader<'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            findings: Diagnostics::default(),
        }
    }

    /// What is given for a setting, or its default.
    #[must_use]
    pub fn text(&self, setting: Setting) -> String {
        let given = self.environment.get(setting);
        given.unwrap_or(setting.default).to_owned()
    }

    /// For a setting that has no place for a secret: what was given is shown.
    pub fn parse<T, E: fmt::Display>(
        &mut self,
        setting: Setting,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(setting);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.refused(setting.name, &text, error);
                None
            }
        }
    }

    /// For a setting that has a place for a secret: what was given is not shown.
    pub fn keep<T, E: fmt::Display>(&mut self, setting: &str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.findings.problem(setting, error);
                None
            }
        }
    }

    /// A duration between two bounds.
    pub fn duration(
        &mut self,
        setting: Setting,
        low: Duration,
        high: Duration,
    ) -> Option<Duration> {
        self.parse(setting, |text| duration(text, low, high))
    }

    /// A whole number between two bounds.
    pub fn count(&mut self, setting: Setting, min: u64, max: u64) -> Option<u64> {
        self.parse(setting, |text| count(text, min, max))
    }

    /// Warns of variables that begin like the program's own and are none of them: a misspelt
    /// one would be ignored in silence. What is no text is a problem only if it is known.
    pub fn unknown_variables(&mut self, prefix: &str, known: &[Setting]) {
        let names = || known.iter().map(|setting| setting.name);
        // What all of them have in common makes none of them likelier.
        let rests = || names().filter_map(|name| name.strip_prefix(prefix));
        for name in self.environment.names() {
            let Some(rest) = name.strip_prefix(prefix) else {
                continue;
            };
            if !rests().any(|known| known == rest) {
                let message = match nearest(rest, rests()) {
                    Some(nearest) => format!("is not known, did you mean {prefix}{nearest}?"),
                    None => "is not known, --help lists the variables".to_owned(),
                };
                self.findings.warning(&redacted_prefix(name), message);
            }
        }
        for name in self.environment.unreadable() {
            if names().any(|known| known == name) {
                self.findings.problem(name, "is not UTF-8 text");
            }
        }
    }

    /// Warns of variables that are nearly one of `known` and none of them. Most variables are
    /// other programs', so less is taken for a misspelling than where a prefix says whose one is; `others`
    /// are theirs that look alike.
    pub fn misspelt_variables(&mut self, known: &[&str], others: &[&str]) {
        for name in self.environment.names() {
            let is_of = |names: &[&str]| names.contains(&name);
            if is_of(known) || is_of(others) || self.environment.variable(name).is_none() {
                continue;
            }
            if let Some(meant) = misspelt(name, known.iter().copied()) {
                let message = format!("is not known, did you mean {meant}?");
                self.findings.warning(&redacted_prefix(name), message);
            }
        }
    }
}
