//! The crontab: many metrics in one file, written as cron's users write theirs.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use cloudwatch_metric::{Dimensions, Metric, MetricName, Namespace, Resolution, Unit};
use cron_schedule::{Schedule, Zone};
use diagnostics::{Hidden, given};
use metric_source::{Options, SourceText};
use settings::{Problem, count};

use super::Entry;
use super::files::headers_file;

mod keys;
mod limits;
mod line_error;
mod words;

use keys::Keys;
pub(crate) use limits::SIZE_MAX;
use limits::{ENTRIES_MAX, KEYS, LINE_MAX, LINES_MAX};
use line_error::{LineError, LineErrorKind, LineErrors};
use words::Word;

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

/// Each series is a metric that AWS bills; nobody means more than this.
const SERIES_LIMIT: u64 = 100_000;

/// Reads the text of a file, and tells every problem with its line and column. It may take
/// seconds: let a thread of its own do it.
#[must_use]
pub fn read(path: &Path, text: &str, defaults: &Defaults) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader {
        defaults: defaults.clone(),
        entries: Vec::new(),
        last_options: Arc::default(),
        schedules: HashMap::new(),
        faults: LineErrors::new(path.to_owned()),
    };
    // A file that was written on Windows begins with a mark that is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((number, error)) = excess(text) {
        reader.faults.begin_line(number);
        reader.faults.add(1, error);
        return (reader.entries, reader.faults.into_problems());
    }
    for (number, line) in (1..).zip(text.lines()) {
        reader.faults.begin_line(number);
        reader.line(number, line);
    }
    if reader.entries.is_empty() && reader.faults.is_empty() {
        reader.faults.begin_line(1);
        reader.faults.add(1, LineErrorKind::NoEntry);
    }
    (reader.entries, reader.faults.into_problems())
}

/// The first line that is one too many. None is read then: what is not taken takes no memory.
fn excess(text: &str) -> Option<(usize, LineErrorKind)> {
    let mut entries = 0;
    for (number, line) in (1..).zip(text.lines()) {
        entries += usize::from(!is_idle(line) && words::assignment(line).is_none());
        if entries > ENTRIES_MAX {
            return Some((number, LineErrorKind::TooManyEntries));
        }
        if number > LINES_MAX {
            return Some((number, LineErrorKind::TooManyLines));
        }
    }
    None
}

/// Whether nothing stands in a line, or a comment.
fn is_idle(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.is_empty() || trimmed.starts_with('#')
}

struct Reader {
    defaults: Defaults,
    entries: Vec<Entry>,
    /// Those read so far: most lines share few, and to read one takes long.
    schedules: HashMap<(String, Zone), Schedule>,
    /// Those of the entry before: most have the same.
    last_options: Arc<Options>,
    faults: LineErrors,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if is_idle(line) {
            return;
        }
        if line.len() > LINE_MAX {
            return self.faults.add(1, LineErrorKind::LongLine);
        }
        if let Some((name, value)) = words::assignment(line) {
            return self.variable(&name, value);
        }
        match words::split(line) {
            Ok(words) => self.metric(number, &words),
            Err(LineError { column, error }) => self.faults.add(column, error),
        }
    }

    /// `NAME=value`, which holds for the lines below.
    fn variable(&mut self, name: &Word, value: Result<Word, LineError>) {
        let value = match value {
            Ok(value) => value,
            Err(LineError { column, error }) => return self.faults.add(column, error),
        };
        match name.text.as_str() {
            "CRON_TZ" => {
                if let Some(zone) = self.parse_shown(&value) {
                    self.defaults.zone = zone;
                }
            }
            "METRIC_NAMESPACE" => {
                if let Some(namespace) = self.parse_shown(&value) {
                    self.defaults.namespace = namespace;
                }
            }
            "METRIC_UNIT" => {
                if let Some(unit) = self.parse_shown(&value) {
                    self.defaults.unit = unit;
                }
            }
            "METRIC_DIMENSIONS" => {
                if let Some(dimensions) = self.parse_shown(&value) {
                    self.defaults.dimensions = dimensions;
                }
            }
            "METRIC_RESOLUTION" => {
                if let Some(resolution) = self.parse_shown(&value) {
                    self.defaults.resolution = resolution;
                }
            }
            key if KEYS.contains(&key) => self.fault(name, LineErrorKind::NoSchedule),
            unknown => {
                let given = Hidden::new(unknown);
                self.fault(name, LineErrorKind::Variable { given });
            }
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
            if let Some(start) = start.filter(|_| !self.faults.has_line()) {
                self.fault(start, LineErrorKind::Missing { key });
            }
            return;
        };
        let name = self.parse::<MetricName>(name);
        let dimensions = self.parse_or(keys.dimensions.as_ref(), self.defaults.dimensions.clone());
        let mut options = self.options(&keys);
        if let Some(dimensions) = &dimensions {
            options.note(dimensions, &value.text);
        }
        let source = match metric_source::parse(&value.text, &options) {
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
        if *self.last_options != options {
            self.last_options = Arc::new(options);
        }
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
                source_text: SourceText::new(&value.text),
                options: self.last_options.clone(),
                line: Some(number),
            })
        };
        let entry = entry();
        self.entries.extend(entry);
    }

    fn options(&mut self, keys: &Keys) -> Options {
        let mut options = self.defaults.options.clone();
        if let Some(file) = &keys.headers_file {
            match headers_file(&file.text) {
                Ok(path) => options.headers_file = Some(path),
                Err(error) => self.fault(file, error),
            }
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
                self.fault(pair, LineErrorKind::NoSchedule);
            }
            return None;
        };
        let expected = if start.text.starts_with('@') { 1 } else { 6 };
        if let Some(stray) = fields.get(expected) {
            self.fault(stray, LineErrorKind::NotAPair);
            return None;
        }
        let texts: Vec<&str> = fields.iter().map(|word| word.text.as_str()).collect();
        let key = (texts.join(" "), self.defaults.zone.clone());
        if let Some(known) = self.schedules.get(&key) {
            return Some(known.clone());
        }
        match Schedule::parse(&key.0, key.1.clone()) {
            Ok(schedule) => {
                self.schedules.insert(key, schedule.clone());
                Some(schedule)
            }
            Err(error) => {
                self.fault(start, error);
                None
            }
        }
    }

    /// Of a line that holds no secret.
    fn parse_shown<T: FromStr>(&mut self, word: &Word) -> Option<T>
    where
        T::Err: Display,
    {
        match word.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error = Given(&word.text, error);
                self.fault(word, error);
                None
            }
        }
    }

    fn parse<T: FromStr>(&mut self, word: &Word) -> Option<T>
    where
        T::Err: Display,
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
        T::Err: Display,
    {
        match word {
            Some(word) => self.parse(word),
            None => Some(default),
        }
    }

    fn fault(&mut self, word: &Word, error: impl Display) {
        self.faults.add(word.column, error);
    }
}

/// What was given, where that may be shown, before what is wrong with it.
struct Given<'a, E>(&'a str, E);

impl<E: Display> Display for Given<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", given(self.0), self.1)
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
