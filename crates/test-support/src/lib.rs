//! What the tests of several crates need: how many cases a property is tried with.

use proptest::test_runner::Config;

/// What `proptest` takes if `PROPTEST_CASES` is not set.
const UNSET: u32 = 256;

/// So many cases, or as many as `PROPTEST_CASES` asks for.
#[must_use]
pub fn cases(count: u32) -> Config {
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
