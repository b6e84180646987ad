//! The 27 standard units (API Reference, `MetricDatum`, `Unit`).

use std::fmt;
use std::str::FromStr;

use super::MetricError;

macro_rules! units {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The unit of a metric's points.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Unit {
            $($variant),+
        }

        impl Unit {
            /// Every unit, in the order of the API Reference.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The unit as the API spells it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}

units! {
    Seconds = "Seconds",
    Microseconds = "Microseconds",
    Milliseconds = "Milliseconds",
    Bytes = "Bytes",
    Kilobytes = "Kilobytes",
    Megabytes = "Megabytes",
    Gigabytes = "Gigabytes",
    Terabytes = "Terabytes",
    Bits = "Bits",
    Kilobits = "Kilobits",
    Megabits = "Megabits",
    Gigabits = "Gigabits",
    Terabits = "Terabits",
    Percent = "Percent",
    Count = "Count",
    BytesPerSecond = "Bytes/Second",
    KilobytesPerSecond = "Kilobytes/Second",
    MegabytesPerSecond = "Megabytes/Second",
    GigabytesPerSecond = "Gigabytes/Second",
    TerabytesPerSecond = "Terabytes/Second",
    BitsPerSecond = "Bits/Second",
    KilobitsPerSecond = "Kilobits/Second",
    MegabitsPerSecond = "Megabits/Second",
    GigabitsPerSecond = "Gigabits/Second",
    TerabitsPerSecond = "Terabits/Second",
    CountPerSecond = "Count/Second",
    None = "None",
}

#[expect(clippy::derivable_impls, reason = "the variants are made by a macro")]
impl Default for Unit {
    fn default() -> Self {
        Self::Count
    }
}

impl Unit {
    pub(super) fn nearest(given: &str) -> Option<&'static str> {
        diagnostics::nearest(given, Self::ALL.iter().map(|unit| unit.as_str()))
    }

    pub(super) fn list() -> String {
        let all: Vec<_> = Self::ALL.iter().map(|unit| unit.as_str()).collect();
        all.join(", ")
    }
}

impl FromStr for Unit {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        if let Some(unit) = Self::ALL.iter().find(|unit| unit.as_str() == text) {
            return Ok(*unit);
        }
        Err(MetricError::UnknownUnit {
            given: diagnostics::Hidden::new(text),
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_back_from_its_spelling() {
        assert_eq!(Unit::ALL.len(), 27);
        for unit in Unit::ALL {
            assert_eq!(unit.as_str().parse::<Unit>().unwrap(), *unit);
        }
    }

    #[test]
    fn wrong_case_is_refused_with_the_right_spelling() {
        for (given, right) in [
            ("count", "Count"),
            ("BYTES/SECOND", "Bytes/Second"),
            ("Procent", "Percent"),
        ] {
            let message = given.parse::<Unit>().unwrap_err().to_string();
            assert!(
                message.contains(&format!("did you mean {right}?")),
                "{message}"
            );
        }
        let message = "Bananas".parse::<Unit>().unwrap_err().to_string();
        let expected = "no CloudWatch unit; the units are Seconds, ";
        assert!(message.starts_with(expected), "{message}");
    }
}
