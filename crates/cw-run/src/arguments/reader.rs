//! Values of options: from the command line, else from the variable, else the default.

use std::fmt;

use diagnostics::{given as shown, one_line};
use settings::{Environment, Setting};

use super::given::Given;
use super::options::{ALL, Goes, Opt};
use super::{BadArguments, Request};

/// The longest value, of an option, in bytes: a shell's script of some length fits.
const VALUE_MAX: usize = 128 * 1024;
/// How many problems are told; whoever has more mends these first.
const PROBLEMS_MAX: usize = 20;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Argument,
    /// A variable, or a file.
    Configuration,
}

/// One thing that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    origin: Origin,
    place: String,
    message: String,
}

impl Problem {
    pub(super) fn usage(place: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::new(Origin::Argument, place, message)
    }

    fn new(origin: Origin, place: impl Into<String>, message: impl fmt::Display) -> Self {
        let message = one_line(&message.to_string());
        Self {
            origin,
            place: place.into(),
            message,
        }
    }

    /// Whether it is about the command line itself.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.origin == Origin::Argument
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.message),
            place => write!(f, "{place}: {}", self.message),
        }
    }
}

/// A value, and where to look for it.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) place: String,
    pub(super) origin: Origin,
}

/// Reads values, and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) environment: &'a Environment,
    pub(super) given: Given,
    problems: Vec<Problem>,
    /// What looks wrong but is harmless.
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            given: Given::default(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Takes the command line, and refuses what does not go with its command.
    pub(super) fn take(&mut self, given: Given) {
        self.given = given;
        for option in ALL {
            let is_given =
                self.given.values.contains_key(option.name) || self.given.has(option.name);
            let fits = match option.goes {
                Goes::Always => true,
                Goes::Run => !self.given.attach,
                Goes::Attach => self.given.attach,
            };
            if is_given && !fits {
                let message = match self.given.attach {
                    true => "attach takes a container as it is: leave it out",
                    false => "it goes with attach alone: cw-run attach …",
                };
                self.usage(format!("--{}", option.name), message);
            }
        }
    }

    /// A misspelt variable would be passed over without a word otherwise.
    pub(super) fn unknown_variables(&mut self) {
        let known: Vec<Setting> = ALL
            .iter()
            .map(|option| Setting {
                name: option.variable,
                default: option.default,
                help: option.help,
            })
            .collect();
        let mut reader = settings::Reader::new(self.environment);
        reader.unknown_variables("CW_RUN_", &known);
        self.warnings
            .extend(reader.findings.warnings.iter().map(ToString::to_string));
    }

    pub(super) fn usage(&mut self, place: impl Into<String>, message: impl fmt::Display) {
        self.problems.push(Problem::usage(place, message));
    }

    /// A problem with a value that may be shown.
    pub(super) fn refuse(&mut self, value: &Value, message: impl fmt::Display) {
        let message = format!("{}{message}", shown(&value.text));
        self.problems
            .push(Problem::new(value.origin, &*value.place, message));
    }

    /// A problem with a value that may hold a secret.
    pub(super) fn refuse_hidden(&mut self, value: &Value, message: impl fmt::Display) {
        self.problems
            .push(Problem::new(value.origin, &*value.place, message));
    }

    /// All values of an option, the default not among them.
    pub(super) fn values(&mut self, name: &str) -> Vec<Value> {
        let option = Opt::named(name).expect("the option is in the table");
        let values: Vec<Value> = match self.given.values.get(option.name) {
            Some((place, texts)) => texts
                .iter()
                .map(|text| Value {
                    text: text.clone(),
                    place: place.clone(),
                    origin: Origin::Argument,
                })
                .collect(),
            None => self.of_variable(option),
        };
        let fits = |value: &Value| value.text.len() <= VALUE_MAX && !value.text.contains('\0');
        let (good, bad): (Vec<_>, Vec<_>) = values.into_iter().partition(fits);
        for value in bad {
            self.refuse_hidden(
                &value,
                format!("more than {VALUE_MAX} bytes, or a zero byte in it"),
            );
        }
        good
    }

    /// What goes with the other command says nothing here: the environment is shared.
    fn of_variable(&self, option: &Opt) -> Vec<Value> {
        let fits = match option.goes {
            Goes::Always => true,
            Goes::Run => !self.given.attach,
            Goes::Attach => self.given.attach,
        };
        let Some(text) = self.environment.variable(option.variable).filter(|_| fits) else {
            return Vec::new();
        };
        let value = |text: &str| Value {
            text: text.to_owned(),
            place: option.variable.to_owned(),
            origin: Origin::Configuration,
        };
        match option.many {
            true => text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(value)
                .collect(),
            false => vec![value(text)],
        }
    }

    /// The value of an option, unless it is not given.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.values(name).pop()
    }

    /// The same as text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.text)
    }

    /// The value of an option, read by a function, or its default.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let default = Opt::named(name).map_or("", |option| option.default);
        let Some(value) = self.value(name) else {
            return match default {
                "" => None,
                text => parse(text).ok(),
            };
        };
        match parse(&value.text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.refuse(&value, error);
                None
            }
        }
    }

    /// Whether a switch is on.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        let option = Opt::named(name).expect("the switch is in the table");
        if self.given.has(name) {
            return true;
        }
        let Some(value) = self.of_variable(option).pop() else {
            return false;
        };
        settings::switch(&value.text).unwrap_or_else(|error| {
            self.refuse(&value, error);
            false
        })
    }

    /// What was read, unless something is wrong.
    pub(super) fn finish(mut self, request: Request) -> Result<Request, BadArguments> {
        if self.problems.is_empty() {
            return Ok(request);
        }
        let more = self.problems.len().saturating_sub(PROBLEMS_MAX);
        if more > 0 {
            let origin = if self.problems.iter().any(Problem::is_usage) {
                Origin::Argument
            } else {
                Origin::Configuration
            };
            self.problems.truncate(PROBLEMS_MAX);
            self.problems
                .push(Problem::new(origin, "", format!("{more} more problems")));
        }
        Err(BadArguments {
            problems: self.problems,
        })
    }
}
