//! How many cases the property tests try.

use proptest::test_runner::Config;

/// What `proptest` takes if `PROPTEST_CASES` is not set.
const UNSET: u32 = 256;

/// So many cases, or as many as `PROPTEST_CASES` asks for.
pub(crate) fn cases(count: u32) -> Config {
    let asked = Config::default();
    Config {
        cases: match asked.cases {
            UNSET => count,
            cases => cases,
        },
        failure_persistence: None,
        ..asked
    }
}
