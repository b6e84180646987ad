//! What a crontab may hold.

/// The variables that a line may set for the lines below it.
pub(super) const VARIABLES: &[&str] = &[
    "CRON_TZ",
    "METRIC_NAMESPACE",
    "METRIC_UNIT",
    "METRIC_DIMENSIONS",
    "COMMON_DIMENSIONS",
    "METRIC_RESOLUTION",
];

/// The largest crontab that is read: one of the most metrics there may be may have 200
/// bytes a line.
pub(crate) const SIZE_MAX: usize = 2 * 1024 * 1024;
/// The longest line that is read: thirty dimensions, as long as CloudWatch takes them, and
/// all else of a metric need 40 KiB.
pub(super) const LINE_MAX: usize = 64 * 1024;
/// The most variables in one value; there are thirty dimensions at most.
pub(super) const SUBSTITUTIONS_MAX: usize = 100;
/// Ten lines for each metric there may be at most are comments enough.
pub(super) const LINES_MAX: usize = 100_000;
/// The most metrics of a file: so many sources in one tick are what the publisher is
/// measured with. They take about 4 MiB, twice that while they are read anew.
pub(super) const ENTRIES_MAX: usize = 10_000;

/// The keys of a metric line.
pub(super) const KEYS: &[&str] = &[
    "name",
    "value",
    "unit",
    "namespace",
    "dimensions",
    "resolution",
    "headers_file",
    "keep",
    "drop",
    "max_series",
];
