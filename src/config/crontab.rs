//! The crontab: many metrics in one file, written as cron's users write theirs.

use std::path::PathBuf;
use std::str::FromStr;

use super::value::count;
use super::{Entry, Place, Problem};
use crate::metric::{Dimensions, Metric, MetricName, Namespace, Resolution, Unit};
use crate::schedule::{Schedule, Zone};
use crate::source::{self, Options};
use crate::text::{did_you_mean, excerpt, nearest, redact};

mod keys;
mod words;

use keys::{KEYS, Keys};
use words::Word;

/// The file as it was read.
#[derive(Clone, Debug)]
pub struct CrontabFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// What a metric line may leave open.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// `METRIC_NAMESPACE`.
    pub namespace: Namespace,
    /// `METRIC_UNIT`.
    pub unit: Unit,
    /// `METRIC_DIMENSIONS`.
    pub dimensions: Dimensions,
    /// `METRIC_RESOLUTION`.
    pub resolution: Resolution,
    /// `CRON_TZ`, and `SCHEDULE_TZ` before any line.
    pub zone: Zone,
    /// What only some sources take.
    pub options: Options,
}

impl Defaults {
    /// The metric of this name.
    #[must_use]
    pub fn metric(&self, name: MetricName) -> Metric {
        Metric {
            namespace: self.namespace.clone(),
            name,
            unit: self.unit,
            dimensions: self.dimensions.clone(),
            resolution: self.resolution,
        }
    }
}

/// The variables that a line may set for the lines below it.
const VARIABLES: &[&str] = &[
    "CRON_TZ",
    "METRIC_NAMESPACE",
    "METRIC_UNIT",
    "METRIC_DIMENSIONS",
    "METRIC_RESOLUTION",
];

/// The file of a million lines is a mistake; this many problems tell enough of it.
const PROBLEMS_MAX: usize = 100;

/// Each series is a metric that AWS bills; nobody means more than this.
const SERIES_LIMIT: u64 = 100_000;

/// Why a line is refused, and what would be right.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(
        "{given} is not known here{} a crontab may set {}",
        did_you_mean(nearest(.given, VARIABLES.iter().copied())),
        VARIABLES.join(", ")
    )]
    Variable { given: String },
    #[error(
        "the key {given} is not known{} the keys are {}",
        did_you_mean(nearest(.given, KEYS.iter().copied())),
        KEYS.join(", ")
    )]
    Key { given: String },
    #[error("expected key=value, found {given:?}; quote a value that has spaces, key=\"a b\"")]
    NotAPair { given: String },
    #[error("{key} has no effect here, it is for {kinds}; leave it out")]
    Idle {
        key: &'static str,
        kinds: &'static str,
    },
    #[error("{key} is given twice, give it once")]
    Twice { key: &'static str },
    #[error("{key} is missing, a line needs a schedule, name=... and value=...")]
    Missing { key: &'static str },
    #[error(
        "{name} stands before no schedule, begin the line with five fields, for example * * * * * {name}=..."
    )]
    NoSchedule { name: String },
    #[error("the quote {quote} is not closed")]
    OpenQuote { quote: char },
    #[error("nothing follows the backslash")]
    OpenEscape,
    #[error("the file has more than {PROBLEMS_MAX} problems, the rest is not shown")]
    TooMany,
    #[error("the file has no metric line, add one such as: * * * * * name=Heartbeat value=1")]
    NoEntry,
}

/// Reads the whole file, and tells every problem with its line and column.
#[must_use]
pub fn read(file: &CrontabFile, defaults: &Defaults) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader {
        defaults: defaults.clone(),
        entries: Vec::new(),
        faults: Vec::new(),
    };
    let mut problems = Vec::new();
    // A file that was written on Windows begins with a mark that is no part of the text.
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    for (number, line) in (1..).zip(text.lines()) {
        reader.line(number, line);
        for fault in reader.faults.drain(..) {
            if problems.len() == PROBLEMS_MAX {
                problems.push(Fault::new(1, LineError::TooMany).problem(file, number, line));
                return (reader.entries, problems);
            }
            problems.push(fault.problem(file, number, line));
        }
    }
    if reader.entries.is_empty() && problems.is_empty() {
        problems.push(Fault::new(1, LineError::NoEntry).problem(file, 1, ""));
    }
    (reader.entries, problems)
}

struct Reader {
    defaults: Defaults,
    entries: Vec<Entry>,
    faults: Vec<Fault>,
}

/// What is wrong with the line being read.
struct Fault {
    column: usize,
    message: String,
}

impl Fault {
    fn new(column: usize, message: impl ToString) -> Self {
        Self {
            column,
            message: message.to_string(),
        }
    }

    fn problem(self, file: &CrontabFile, line: usize, text: &str) -> Problem {
        Problem {
            place: Place::Line {
                file: file.path.clone(),
                line,
                column: self.column,
                text: redact(text.trim_end()),
            },
            message: self.message,
        }
    }
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        if let Some((name, value)) = words::assignment(line) {
            return self.variable(&name, value);
        }
        match words::split(line) {
            Ok(words) => self.metric(number, &words),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// `NAME=value`, which holds for the lines below.
    fn variable(&mut self, name: &Word, value: Result<Word, Fault>) {
        let value = match value {
            Ok(value) => value,
            Err(fault) => return self.faults.push(fault),
        };
        match name.text.as_str() {
            "CRON_TZ" => {
                if let Some(zone) = self.parse(&value) {
                    self.defaults.zone = zone;
                }
            }
            "METRIC_NAMESPACE" => {
                if let Some(namespace) = self.parse(&value) {
                    self.defaults.namespace = namespace;
                }
            }
            "METRIC_UNIT" => {
                if let Some(unit) = self.parse(&value) {
                    self.defaults.unit = unit;
                }
            }
            "METRIC_DIMENSIONS" => {
                if let Some(dimensions) = self.parse(&value) {
                    self.defaults.dimensions = dimensions;
                }
            }
            "METRIC_RESOLUTION" => {
                if let Some(resolution) = self.parse(&value) {
                    self.defaults.resolution = resolution;
                }
            }
            key if KEYS.contains(&key) => self.fault(
                name,
                LineError::NoSchedule {
                    name: key.to_owned(),
                },
            ),
            unknown => self.fault(
                name,
                LineError::Variable {
                    given: excerpt(unknown),
                },
            ),
        }
    }

    /// Schedule fields, then `key=value` pairs.
    fn metric(&mut self, number: usize, words: &[Word]) {
        let fields = words.iter().take_while(|word| !word.is_pair()).count();
        let (fields, pairs) = words.split_at(fields);
        let schedule = self.schedule(fields, pairs.first());
        let mut keys = Keys::default();
        for pair in pairs {
            if let Err(error) = keys.take(pair) {
                self.fault(pair, error);
            }
        }
        let start = words.first();
        let (Some(name), Some(value)) = (&keys.name, &keys.value) else {
            let key = if keys.name.is_none() { "name" } else { "value" };
            // A word that is no pair was taken for a field; that is told already.
            if let Some(start) = start.filter(|_| self.faults.is_empty()) {
                self.fault(start, LineError::Missing { key });
            }
            return;
        };
        let name = self.parse::<MetricName>(name);
        let dimensions = self.parse_or(keys.dimensions.as_ref(), self.defaults.dimensions.clone());
        let mut options = self.options(&keys);
        if let Some(dimensions) = &dimensions {
            options.note(dimensions, &value.text);
        }
        let source = match source::parse(&value.text, &options) {
            Ok(source) => {
                for (word, error) in keys.idle(&value.text) {
                    self.fault(word, error);
                }
                Some(source)
            }
            Err(error) => {
                self.fault(value, error);
                None
            }
        };
        let unit = self.parse_or(keys.unit.as_ref(), self.defaults.unit);
        let namespace = self.parse_or(keys.namespace.as_ref(), self.defaults.namespace.clone());
        let resolution = self.parse_or(keys.resolution.as_ref(), self.defaults.resolution);
        let entry = || {
            Some(Entry {
                metric: Metric {
                    namespace: namespace?,
                    name: name?,
                    unit: unit?,
                    dimensions: dimensions?,
                    resolution: resolution?,
                }
                .into(),
                schedule: schedule?,
                source: source?,
                source_text: value.text.clone(),
                options,
                line: Some(number),
            })
        };
        self.entries.extend(entry());
    }

    fn options(&mut self, keys: &Keys) -> Options {
        let mut options = self.defaults.options.clone();
        if let Some(file) = &keys.headers_file {
            options.headers_file = Some(PathBuf::from(&file.text));
        }
        if let Some(labels) = &keys.keep {
            options.keep_labels = names(&labels.text);
        }
        if let Some(labels) = &keys.drop {
            options.drop_labels = names(&labels.text);
        }
        if let Some(max) = &keys.max_series {
            match count(&max.text, 1, SERIES_LIMIT) {
                Ok(count) => options.max_series = usize::try_from(count).unwrap_or(usize::MAX),
                Err(error) => self.fault(max, error),
            }
        }
        options
    }

    fn schedule(&mut self, fields: &[Word], next: Option<&Word>) -> Option<Schedule> {
        let Some(start) = fields.first() else {
            if let Some(pair) = next {
                let name = pair.text.split('=').next().unwrap_or_default().to_owned();
                self.fault(pair, LineError::NoSchedule { name });
            }
            return None;
        };
        let expected = if start.text.starts_with('@') { 1 } else { 6 };
        if let Some(stray) = fields.get(expected) {
            let given = excerpt(&stray.text);
            self.fault(stray, LineError::NotAPair { given });
            return None;
        }
        let texts: Vec<&str> = fields.iter().map(|word| word.text.as_str()).collect();
        match Schedule::parse(&texts.join(" "), self.defaults.zone.clone()) {
            Ok(schedule) => Some(schedule),
            Err(error) => {
                self.fault(start, error);
                None
            }
        }
    }

    fn parse<T: FromStr>(&mut self, word: &Word) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match word.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(word, error);
                None
            }
        }
    }

    fn parse_or<T: FromStr>(&mut self, word: Option<&Word>, default: T) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        match word {
            Some(word) => self.parse(word),
            None => Some(default),
        }
    }

    fn fault(&mut self, word: &Word, message: impl ToString) {
        self.faults.push(Fault::new(word.column, message));
    }
}

/// Names with commas between them.
fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
