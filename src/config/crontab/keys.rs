//! The `key=value` pairs of a metric line.

use diagnostics::Hidden;
use metric_source::Uses;

use super::line_error::LineErrorKind;
use super::words::Word;

macro_rules! keys {
    ($($key:ident),+ $(,)?) => {
        /// The pairs of one line, each with the place of its value.
        #[derive(Default)]
        pub(super) struct Keys {
            $(pub(super) $key: Option<Word>),+
        }

        impl Keys {
            fn slot(&mut self, key: &str) -> Option<(&'static str, &mut Option<Word>)> {
                match key {
                    $(stringify!($key) => Some((stringify!($key), &mut self.$key)),)+
                    _ => None,
                }
            }

            /// The values that the line gives, each with its key.
            pub(super) fn words_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Word)> {
                let all = [$((stringify!($key), &mut self.$key)),+];
                let given = all.into_iter();
                given.filter_map(|(key, word)| Some((key, word.as_mut()?)))
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
    pub(super) fn take(&mut self, pair: &Word) -> Result<(), LineErrorKind> {
        let Some((key, value)) = pair.pair() else {
            return Err(LineErrorKind::NotAPair);
        };
        let Some((key, slot)) = self.slot(key) else {
            return Err(LineErrorKind::Key {
                given: Hidden::new(key),
            });
        };
        if slot.replace(value).is_some() {
            return Err(LineErrorKind::Twice { key });
        }
        Ok(())
    }

    /// The keys that the line's source has no use for.
    pub(super) fn idle(&self, source: &str) -> Vec<(&Word, LineErrorKind)> {
        const HTTP: &str =
            "http, https and prometheus sources, and up and latency of http or https";
        const SERIES: &str = "prometheus sources";
        let Uses {
            headers, series, ..
        } = Uses::of(source);
        let keys = [
            ("headers_file", &self.headers_file, headers, HTTP),
            ("keep", &self.keep, series, SERIES),
            ("drop", &self.drop, series, SERIES),
            ("max_series", &self.max_series, series, SERIES),
        ];
        let idle = keys.into_iter().filter(|(_, _, is_used, _)| !is_used);
        idle.filter_map(|(key, word, _, kinds)| {
            Some((word.as_ref()?, LineErrorKind::Idle { key, kinds }))
        })
        .collect()
    }
}
