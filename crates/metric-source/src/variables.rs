//! Sources in whose text variables of the environment stand. What a variable stands for may
//! be a secret wherever it stands, so its name is shown in its place: of the source itself,
//! of why it is refused, and of why it gave no value.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{
    Options, ParseSourceError, Readings, SampleError, Sampling, Source, Tick, grammar::parse,
};

/// Shorter ones are ports and counts, which stand in a message for other reasons, too.
const SECRET_MIN: usize = 6;
/// Most errors of a chain that are gone through; a chain that is longer has no end.
const CAUSES_MAX: usize = 16;

/// A part of a text that a variable stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FromVariable {
    /// The variable.
    pub name: Box<str>,
    /// Where its value stands in the text; after that of the one before.
    pub range: Range<usize>,
}

/// Reads one value of the grammar, parts of which came from variables.
pub fn parse_with(
    text: &str,
    variables: &[FromVariable],
    options: &Options,
) -> Result<Arc<dyn Source>, ParseSourceError> {
    let refused = match parse(text, options) {
        Ok(source) => return Ok(masked(source, text, variables)),
        Err(error) if variables.is_empty() => return Err(error),
        Err(_) => parse(&StandIns::new(text, variables).text, options),
    };
    // The error of a text without the values says what is wrong with all but them.
    Err(refused.err().unwrap_or(ParseSourceError::Variables))
}

/// A text with the names of the variables in the places of their values.
#[must_use]
pub fn with_names(text: &str, variables: &[FromVariable]) -> String {
    replaced(text, variables, named)
}

fn named(variable: &FromVariable) -> String {
    format!("${{{}}}", variable.name)
}

fn replaced(
    text: &str,
    variables: &[FromVariable],
    mut by: impl FnMut(&FromVariable) -> String,
) -> String {
    let mut all = String::with_capacity(text.len());
    let mut end = 0;
    for variable in variables {
        all.push_str(&text[end..variable.range.start]);
        all.push_str(&by(variable));
        end = variable.range.end;
    }
    all.push_str(&text[end..]);
    all
}

/// The text with something of the same kind in the place of each value, which is told from
/// all else in it, so that it is found again in what is shown.
pub(crate) struct StandIns {
    pub(crate) text: String,
    names: Vec<(String, String)>,
}

impl StandIns {
    pub(crate) fn new(text: &str, variables: &[FromVariable]) -> Self {
        let mut names: Vec<(String, String)> = Vec::new();
        let mut number = 10_000_u32;
        let stand_in_text = replaced(text, variables, |variable| {
            let stand_in = loop {
                number += 1;
                let stand_in = stand_in(&text[variable.range.clone()], number);
                if !text.contains(&stand_in) {
                    break stand_in;
                }
            };
            names.push((stand_in.clone(), named(variable)));
            stand_in
        });
        Self {
            text: stand_in_text,
            names,
        }
    }

    /// The names, where they stand in what is shown of the text.
    pub(crate) fn named(&self, shown: String) -> String {
        let names = self.names.iter();
        names.fold(shown, |shown, (stand_in, name)| {
            shown.replace(stand_in, name)
        })
    }
}

/// A port stays a port, the beginning of a URL or of a path one.
fn stand_in(value: &str, number: u32) -> String {
    if value.parse::<f64>().is_ok() {
        return number.to_string();
    }
    let beginnings = ["http://", "https://", "/"];
    let beginning = beginnings.iter().find(|start| value.starts_with(**start));
    format!("{}zq{number}qz", beginning.unwrap_or(&""))
}

/// The source, made to name the variables in what it says.
fn masked(source: Arc<dyn Source>, text: &str, variables: &[FromVariable]) -> Arc<dyn Source> {
    let mut values: Vec<_> = variables
        .iter()
        .map(|variable| (text[variable.range.clone()].to_owned(), named(variable)))
        .filter(|(value, _)| value.len() >= SECRET_MIN)
        .collect();
    if values.is_empty() {
        return source;
    }
    // One may hold another.
    values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    values.dedup();
    Arc::new(Masked { source, values })
}

/// A source whose errors would say what a variable stands for. A second guard beside what
/// every source leaves out anyway.
struct Masked {
    source: Arc<dyn Source>,
    /// Each with the name that is shown for it, the longest first.
    values: Vec<(String, String)>,
}

impl Masked {
    fn text(&self, text: String) -> String {
        let values = self.values.iter();
        values.fold(text, |text, (value, name)| text.replace(value, name))
    }

    fn error(&self, error: &(dyn Error + 'static)) -> SampleError {
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let messages: Vec<_> = causes.take(CAUSES_MAX).map(ToString::to_string).collect();
        let chain = messages.into_iter().rev().fold(None, |source, message| {
            let message = self.text(message);
            Some(Box::new(MaskedError { message, source }))
        });
        chain.expect("there is the error itself")
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(format!("{:?}", self.source)))
    }
}

impl Source for Masked {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async {
            let sampled = self.source.sample(tick).await;
            let Readings { readings, problems } = sampled.map_err(|error| self.error(&*error))?;
            let problems = problems.iter().map(|error| self.error(&**error));
            let problems = problems.collect();
            Ok(Readings { readings, problems })
        })
    }

    fn announce(&self, tick: &Tick) {
        self.source.announce(tick);
    }

    fn describe(&self) -> Option<String> {
        Some(self.text(self.source.describe()?))
    }
}

/// An error with the names of variables in the places of their values.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct MaskedError {
    message: String,
    source: Option<Box<MaskedError>>,
}

#[cfg(test)]
mod tests;
