//! One line of an exposition that holds a sample.

use std::borrow::Cow;

use crate::prometheus::sample::{Format, Kind, Sample};
use crate::prometheus::scan::{Expected, Scan};

/// Most labels in a pair of braces. CloudWatch takes thirty dimensions, and exporters that
/// are known give a few dozen labels.
const LABELS_MAX: usize = 256;

/// `name{label="value"} number timestamp # {label="value"} number timestamp`, where the
/// name may also stand in quotes as the first thing within the braces.
pub(super) fn sample(mut scan: Scan<'_>, format: Format) -> Result<Sample<'_>, Expected> {
    let mut name = Cow::Borrowed(scan.name());
    scan.skip_blanks();
    let mut labels = Vec::new();
    if scan.take("{")
        && let Some(quoted) = read_labels(&mut scan, &mut labels)?
    {
        if !name.is_empty() {
            return Err("one name only");
        }
        name = quoted;
    }
    if name.is_empty() {
        return Err("the name of a metric");
    }
    scan.skip_blanks();
    let value = number(&mut scan)?;
    let mut timestamp = None;
    if !scan.is_at_end() && !scan.0.starts_with('#') {
        let unit = if format == Format::Text { 1000.0 } else { 1.0 };
        timestamp = Some(number(&mut scan)? / unit);
    }
    if scan.take("#") {
        exemplar(scan)?;
    } else if !scan.is_at_end() {
        return Err("the end of the line");
    }
    Ok(Sample {
        name,
        labels,
        value,
        timestamp,
        kind: Kind::Unknown,
        suffix: "",
    })
}

/// An exemplar is checked and not kept: CloudWatch has no place for it.
fn exemplar(mut scan: Scan<'_>) -> Result<(), Expected> {
    scan.skip_blanks();
    if !scan.take("{") {
        return Err("an exemplar such as {trace_id=\"a\"} 1");
    }
    if read_labels(&mut scan, &mut Vec::new())?.is_some() {
        return Err("labels without a metric name");
    }
    scan.skip_blanks();
    number(&mut scan)?;
    if !scan.is_at_end() {
        number(&mut scan)?;
    }
    if scan.is_at_end() {
        Ok(())
    } else {
        Err("the end of the line")
    }
}

/// A number and the blanks behind it.
fn number(scan: &mut Scan<'_>) -> Result<f64, Expected> {
    let number = scan.word().parse().map_err(|_| "a number")?;
    scan.skip_blanks();
    Ok(number)
}

pub(super) fn metric_name<'a>(scan: &mut Scan<'a>) -> Result<Cow<'a, str>, Expected> {
    let name = if scan.take("\"") {
        scan.until_quote('"')?
    } else {
        Cow::Borrowed(scan.name())
    };
    if name.is_empty() {
        return Err("the name of a metric");
    }
    Ok(name)
}

/// Reads up to the closing brace. A quoted name without a value is the metric's.
fn read_labels<'a>(
    scan: &mut Scan<'a>,
    labels: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
) -> Result<Option<Cow<'a, str>>, Expected> {
    let mut metric = None;
    loop {
        scan.skip_blanks();
        if scan.take("}") {
            return if is_one_twice(labels) {
                Err("each label once")
            } else {
                Ok(metric)
            };
        }
        let is_quoted = scan.0.starts_with('"');
        let name = metric_name(scan).map_err(|_| "the name of a label")?;
        if !is_quoted && name.contains(':') {
            return Err("a label name without ':'");
        }
        scan.skip_blanks();
        if scan.take("=") {
            scan.skip_blanks();
            if !scan.take("\"") {
                return Err("a label value in quotes");
            }
            let value = scan.until_quote('"')?;
            if labels.len() == LABELS_MAX {
                return Err("up to 256 labels");
            }
            labels.push((name, value));
        } else if is_quoted && metric.is_none() {
            metric = Some(name);
        } else {
            return Err("'=' and a label value");
        }
        scan.skip_blanks();
        if !scan.take(",") && !scan.0.starts_with('}') {
            return Err("',' or '}'");
        }
    }
}

fn is_one_twice(labels: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    let mut names: Vec<&str> = labels.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
