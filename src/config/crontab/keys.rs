//! The `key=value` pairs of a metric line.

use super::LineError;
use super::words::Word;
use crate::text::excerpt;

macro_rules! keys {
    ($($key:ident),+ $(,)?) => {
        /// The pairs of one line, each with the place of its value.
        #[derive(Default)]
        pub(super) struct Keys {
            $(pub(super) $key: Option<Word>),+
        }

        /// The keys of a metric line.
        pub(super) const KEYS: &[&str] = &[$(stringify!($key)),+];

        impl Keys {
            fn slot(&mut self, key: &str) -> Option<(&'static str, &mut Option<Word>)> {
                match key {
                    $(stringify!($key) => Some((stringify!($key), &mut self.$key)),)+
                    _ => None,
                }
            }
        }
    };
}

keys!(
    name,
    value,
    unit,
    namespace,
    dimensions,
    resolution,
    headers_file,
    keep,
    drop,
    max_series,
);

impl Keys {
    /// Takes one pair of the line.
    pub(super) fn take(&mut self, pair: &Word) -> Result<(), LineError> {
        let Some((key, value)) = pair.pair() else {
            return Err(LineError::NotAPair {
                given: excerpt(&pair.text),
            });
        };
        let Some((key, slot)) = self.slot(key) else {
            return Err(LineError::Key {
                given: excerpt(key),
            });
        };
        if slot.replace(value).is_some() {
            return Err(LineError::Twice { key });
        }
        Ok(())
    }
}
