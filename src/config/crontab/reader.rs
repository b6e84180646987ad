//! Line by line to entries.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use cloudwatch_metric::{Dimensions, Metric, MetricName};
use cron_schedule::{Schedule, Zone};
use diagnostics::{Hidden, given};
use metric_source::{Options, Source, SourceText, Uses, parse_with};
use settings::{Diagnostics, count};

use super::defaults::Defaults;
use super::dimensions::{self, merged};
use super::duplicates::duplicates;
use super::keys::Keys;
use super::limits::{KEYS, LINE_MAX, VARIABLES};
use super::line_error::{LineError, LineErrorKind, LineErrors};
use super::substitution::{Substitution, SubstitutionErrorKind};
use super::words::{self, Word};
use crate::config::Entry;
use crate::config::files::headers_file;

/// Each series is a metric that AWS bills; nobody means more than this.
const SERIES_LIMIT: u64 = 100_000;

/// What was read of a crontab so far.
pub(super) struct Reader {
    defaults: Defaults,
    entries: Vec<Entry>,
    /// Those read so far: most lines share few, and to read one takes long.
    schedules: HashMap<(String, Zone), Schedule>,
    /// Those of the entry before: most have the same.
    last_options: Arc<Options>,
    substitution: Substitution,
    faults: LineErrors,
}

impl Reader {
    pub(super) fn new(defaults: &Defaults, faults: LineErrors) -> Self {
        Self {
            defaults: defaults.clone(),
            entries: Vec::new(),
            last_options: Arc::default(),
            schedules: HashMap::new(),
            substitution: Substitution::new(defaults.variables.clone()),
            faults,
        }
    }

    /// The entries and what was found, lines that repeat others included.
    pub(super) fn finish(mut self) -> (Vec<Entry>, Diagnostics) {
        if self.entries.is_empty() && self.faults.is_empty() {
            self.faults.begin_line(1);
            self.faults.add(1, LineErrorKind::NoEntry);
        }
        for (line, first) in duplicates(&self.entries) {
            self.faults.begin_line(line);
            self.faults.warn(1, LineErrorKind::Repeated { first });
        }
        (self.entries, self.faults.into_findings())
    }

    pub(super) fn line(&mut self, number: usize, line: &str) {
        self.faults.begin_line(number);
        if words::is_idle(line) {
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
        let mut value = match value {
            Ok(value) => value,
            Err(LineError { column, error }) => return self.faults.add(column, error),
        };
        if VARIABLES.contains(&name.text.as_str()) {
            self.substitute(&mut value);
            self.refuse_bare(&mut value);
        }
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
                if let Some(dimensions) = self.dimensions(&value) {
                    self.defaults.dimensions = dimensions;
                }
            }
            "COMMON_DIMENSIONS" => {
                if let Some(dimensions) = self.dimensions(&value) {
                    self.defaults.common = dimensions;
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
        for (key, word) in keys.words_mut() {
            self.substitute(word);
            if key != "value" {
                self.refuse_bare(word);
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
        let own = match &keys.dimensions {
            Some(word) => self.dimensions(word),
            None => Some(self.defaults.dimensions.clone()),
        };
        let merged = own.map(|own| merged(own, &self.defaults.common));
        let dimensions = match merged {
            Some(Ok(dimensions)) => Some(dimensions),
            Some(Err(error)) => {
                let place = keys.dimensions.as_ref().or(start).unwrap_or(value);
                self.fault(place, error);
                None
            }
            None => None,
        };
        let mut options = self.options(&keys);
        if let Some(dimensions) = &dimensions {
            options.note(dimensions, &value.text);
        }
        let source = self.source(value, &keys, &options);
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
                source_text: SourceText::with(&value.text, &value.variables),
                options: self.last_options.clone(),
                line: Some(number),
            })
        };
        let entry = entry();
        self.entries.extend(entry);
    }

    fn source(&mut self, value: &Word, keys: &Keys, options: &Options) -> Option<Arc<dyn Source>> {
        if value.is_refused {
            return None;
        }
        match parse_with(&value.text, &value.variables, options) {
            Ok(source) => {
                for (word, error) in keys.idle(&value.text) {
                    self.fault(word, error);
                }
                // Programs and the expressions of series have dollars of their own.
                if let Some(dollar) = value.bare
                    && !Uses::of(&value.text).dollars
                {
                    let column = value.dollar(dollar);
                    self.faults.warn(column, SubstitutionErrorKind::Bare);
                }
                Some(source)
            }
            Err(error) => {
                self.fault(value, error);
                None
            }
        }
    }

    fn options(&mut self, keys: &Keys) -> Options {
        let mut options = self.defaults.options.clone();
        if let Some(file) = keys.headers_file.as_ref().filter(|word| !word.is_refused) {
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
        if let Some(max) = keys.max_series.as_ref().filter(|word| !word.is_refused) {
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

    /// Puts variables into a word, or refuses it.
    fn substitute(&mut self, word: &mut Word) {
        match self.substitution.apply(&word.text) {
            Ok(made) => {
                word.text = made.text;
                word.variables = made.variables;
                word.bare = made.bare;
            }
            Err(error) => {
                self.faults.add(word.dollar(error.dollar), error.kind);
                word.is_refused = true;
            }
        }
    }

    /// What others would take for a variable would be published as it stands.
    fn refuse_bare(&mut self, word: &mut Word) {
        if let Some(dollar) = word.bare {
            self.faults
                .add(word.dollar(dollar), SubstitutionErrorKind::Bare);
            word.is_refused = true;
        }
    }

    fn dimensions(&mut self, word: &Word) -> Option<Dimensions> {
        if word.is_refused {
            return None;
        }
        match dimensions::read(&word.text, &self.defaults.task) {
            Ok(dimensions) => Some(dimensions),
            Err(error) => {
                self.fault(word, error);
                None
            }
        }
    }

    /// Of a line that holds no secret; what a variable stands for may be one.
    fn parse_shown<T: FromStr>(&mut self, word: &Word) -> Option<T>
    where
        T::Err: Display,
    {
        if word.is_refused {
            return None;
        }
        match word.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let written = word.written();
                self.fault(word, Given(&written, error));
                None
            }
        }
    }

    fn parse<T: FromStr>(&mut self, word: &Word) -> Option<T>
    where
        T::Err: Display,
    {
        if word.is_refused {
            return None;
        }
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
