//! `random:1-100`: uniform between two numbers, both ends in; whole numbers if
//! both ends are.

use std::str::FromStr;

use cloudwatch_metric::{MetricError, Value};
use rand::{Rng, RngExt};

use super::{Sampling, Source, Tick};

/// Up to here every whole number is an `f64` of its own.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

#[derive(Debug, PartialEq)]
pub(super) struct Random {
    low: Value,
    high: Value,
    whole: bool,
}

/// Why a text is no range of random values.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseRandomError {
    #[error("no range, write random:LOW-HIGH, for example random:1-100")]
    Shape,
    #[error("the range {low}-{high} is empty, give the smaller number first")]
    Empty { low: Value, high: Value },
    #[error("the ends of the whole-number range {low}-{high} are too large, the largest is 2^53")]
    TooLarge { low: Value, high: Value },
    #[error(transparent)]
    Value(#[from] MetricError),
}

impl FromStr for Random {
    type Err = ParseRandomError;

    fn from_str(text: &str) -> Result<Self, ParseRandomError> {
        let (low_text, high_text) = halves(text).ok_or(ParseRandomError::Shape)?;
        let end = |text: &str| -> Result<Value, ParseRandomError> {
            let number = text.parse().ok().filter(|_| !text.starts_with('+'));
            let number: f64 = number.ok_or(ParseRandomError::Shape)?;
            Ok(Value::try_from(number)?)
        };
        let (low, high) = (end(low_text)?, end(high_text)?);
        if low > high {
            return Err(ParseRandomError::Empty { low, high });
        }
        let whole = [low_text, high_text].iter().all(|t| {
            t.trim_start_matches('-')
                .bytes()
                .all(|b| b.is_ascii_digit())
        });
        if whole && (low.get().abs() > WHOLE_MAX || high.get().abs() > WHOLE_MAX) {
            return Err(ParseRandomError::TooLarge { low, high });
        }
        Ok(Self { low, high, whole })
    }
}

impl Random {
    fn draw(&self, rng: &mut impl Rng) -> Result<Value, MetricError> {
        let (low, high) = (self.low.get(), self.high.get());
        let number = if self.whole {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            let whole = rng.random_range(low as i64..=high as i64);
            #[expect(clippy::cast_precision_loss, reason = "within 2^53")]
            let number = whole as f64;
            number
        } else {
            rng.random_range(low..=high)
        };
        Value::try_from(number)
    }
}

impl Source for Random {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        let readings = self
            .draw(&mut rand::rng())
            .map(Into::into)
            .map_err(Into::into);
        Box::pin(std::future::ready(readings))
    }
}

/// Splits at the hyphen that is neither a sign nor part of an exponent.
fn halves(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let hyphen =
        (1..bytes.len()).find(|&i| bytes[i] == b'-' && !matches!(bytes[i - 1], b'e' | b'E'))?;
    Some((&text[..hyphen], &text[hyphen + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(range: &str) -> Vec<f64> {
        let random: Random = range.parse().unwrap();
        let mut rng = rand::rng();
        (0..2000)
            .map(|_| random.draw(&mut rng).unwrap().get())
            .collect()
    }

    #[test]
    fn whole_ends_give_whole_numbers_with_both_ends_in() {
        let values = drawn("-1-2");
        assert!(
            values
                .iter()
                .all(|v| v.fract() == 0.0 && (-1.0..=2.0).contains(v))
        );
        for end in [-1.0, 2.0] {
            assert!(values.contains(&end), "{end} was never drawn");
        }
    }

    #[test]
    fn fractional_ends_give_fractions() {
        let values = drawn("0.0-1.0");
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(values.iter().any(|v| v.fract() != 0.0));
        assert!(
            drawn("1e-3-2e-3")
                .iter()
                .all(|v| (0.001..=0.002).contains(v))
        );
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in [
            "",
            "5",
            "5-",
            "-5",
            "a-b",
            "+1-5",
            "1-+5",
            "9-1",
            "0-nan",
            "0-inf",
            "1-9007199254740994",
        ] {
            assert!(bad.parse::<Random>().is_err(), "{bad:?}");
        }
    }
}
