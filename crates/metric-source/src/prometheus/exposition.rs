//! The text that a metrics endpoint answers with: Prometheus' text format 0.0.4 and
//! OpenMetrics 1.0, read sample by sample without copying what needs no unescaping.
//!
//! Malformed lines are errors, as they are to Prometheus. What only a producer has to
//! mind (order, units, names that clash) is not checked.

use std::borrow::Cow;
use std::collections::HashMap;

use diagnostics::redacted_prefix;

use self::line::{metric_name, sample};
use super::sample::{Format, Kind, Sample};
use super::scan::{Expected, Scan, is_blank};

mod line;

/// Why a text is no exposition.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ExpositionError {
    #[error("line {line} of the metrics: expected {expected}, read {read:?}")]
    Malformed {
        line: usize,
        expected: &'static str,
        read: String,
    },
    #[error("line {line} of the metrics stands behind the end mark # EOF")]
    BehindEnd { line: usize },
    #[error("the metrics are cut off, the end mark # EOF is missing")]
    CutOff,
}

/// The samples of a text in its order. The first error is the last item.
#[derive(Debug)]
pub struct Exposition<'a> {
    format: Format,
    lines: std::iter::Enumerate<std::str::Split<'a, char>>,
    kinds: HashMap<Cow<'a, str>, Kind>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Samples,
    EndMark,
    Done,
}

impl<'a> Exposition<'a> {
    /// Starts reading `text`.
    #[must_use]
    pub fn new(text: &'a str, format: Format) -> Self {
        Self {
            format,
            lines: text.split('\n').enumerate(),
            kinds: HashMap::new(),
            state: State::Samples,
        }
    }

    fn line(&mut self, line: &'a str) -> Result<Option<Sample<'a>>, Expected> {
        let scan = Scan(line);
        if line.starts_with('#') {
            self.comment(scan)?;
            return Ok(None);
        }
        let mut sample = sample(scan, self.format)?;
        (sample.kind, sample.suffix) = self.family_of(&sample.name);
        Ok(Some(sample))
    }

    /// Remembers types and the end mark; help, units and other comments are passed over.
    fn comment(&mut self, mut scan: Scan<'a>) -> Result<(), Expected> {
        if scan.word() != "#" {
            return Ok(());
        }
        scan.skip_blanks();
        match scan.word() {
            "TYPE" => {
                scan.skip_blanks();
                let name = metric_name(&mut scan)?;
                scan.skip_blanks();
                let kind = kind(scan.0, self.format).ok_or("a type such as counter or gauge")?;
                self.kinds.insert(name, kind);
            }
            "EOF" if self.format == Format::OpenMetrics && scan.is_at_end() => {
                self.state = State::EndMark;
            }
            _ => {}
        }
        Ok(())
    }

    /// The type of the family that a sample belongs to, and the sample's suffix.
    fn family_of(&self, name: &str) -> (Kind, &'static str) {
        if let Some(kind) = self.kinds.get(name) {
            return (*kind, "");
        }
        for suffix in SUFFIXES {
            if let Some(family) = name.strip_suffix(suffix)
                && let Some(kind) = self.kinds.get(family)
                && has_suffix(*kind, suffix, self.format)
            {
                return (*kind, suffix);
            }
        }
        (Kind::Unknown, "")
    }
}

impl<'a> Iterator for Exposition<'a> {
    type Item = Result<Sample<'a>, ExpositionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let error = loop {
            let Some((index, line)) = self.lines.next() else {
                let is_cut = self.format == Format::OpenMetrics && self.state != State::EndMark;
                self.state = State::Done;
                return is_cut.then_some(Err(ExpositionError::CutOff));
            };
            // A carriage return is left by those who write lines as Windows does.
            let line = line.trim_matches(|c| is_blank(c) || c == '\r');
            if line.is_empty() {
                continue;
            }
            if self.state == State::EndMark {
                break ExpositionError::BehindEnd { line: index + 1 };
            }
            match self.line(line) {
                Ok(None) => {}
                Ok(Some(sample)) => return Some(Ok(sample)),
                Err(expected) => {
                    break ExpositionError::Malformed {
                        line: index + 1,
                        expected,
                        read: redacted_prefix(line),
                    };
                }
            }
        };
        self.state = State::Done;
        Some(Err(error))
    }
}

const SUFFIXES: [&str; 8] = [
    "_total", "_created", "_sum", "_count", "_bucket", "_gsum", "_gcount", "_info",
];

/// Which samples a family has beside the one of its own name (OpenMetrics 1.0, "Suffixes";
/// exposition formats, "Histograms and summaries").
fn has_suffix(kind: Kind, suffix: &str, format: Format) -> bool {
    let is_open = format == Format::OpenMetrics;
    match kind {
        Kind::Counter => is_open && matches!(suffix, "_total" | "_created"),
        Kind::Histogram => {
            matches!(suffix, "_sum" | "_count" | "_bucket") || is_open && suffix == "_created"
        }
        Kind::Summary => matches!(suffix, "_sum" | "_count") || is_open && suffix == "_created",
        Kind::GaugeHistogram => is_open && matches!(suffix, "_gsum" | "_gcount" | "_bucket"),
        Kind::Info => is_open && suffix == "_info",
        Kind::Gauge | Kind::StateSet | Kind::Unknown => false,
    }
}

/// Types that only OpenMetrics has are unknown in the text format, as they are to
/// Prometheus.
fn kind(word: &str, format: Format) -> Option<Kind> {
    Some(match (word, format) {
        ("counter", _) => Kind::Counter,
        ("gauge", _) => Kind::Gauge,
        ("histogram", _) => Kind::Histogram,
        ("summary", _) => Kind::Summary,
        ("untyped" | "unknown", _) => Kind::Unknown,
        ("gaugehistogram", Format::OpenMetrics) => Kind::GaugeHistogram,
        ("info", Format::OpenMetrics) => Kind::Info,
        ("stateset", Format::OpenMetrics) => Kind::StateSet,
        ("gaugehistogram" | "info" | "stateset", Format::Text) => Kind::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
