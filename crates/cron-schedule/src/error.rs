//! Why a text is not a schedule.

use croner::errors::CronError;

/// Why a text is not a schedule.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ScheduleError {
    #[error("no schedule is given, write five fields such as \"*/5 * * * *\"")]
    Empty,
    #[error(
        "{count} field{} given, a schedule has 5 (minute hour day month weekday) or 6 with leading seconds",
        if *.count == 1 { " is" } else { "s are" }
    )]
    FieldCount { count: usize },
    #[error("no such nickname, use {known}, or five fields such as \"* * * * *\"")]
    Nickname { known: String },
    #[error("@reboot is no schedule, set PUBLISH_ON_START=true to publish at every start")]
    Reboot,
    #[error("the {field} field has an empty item, write numbers with single commas between them")]
    EmptyItem { field: &'static str },
    #[error("{field} {given} is out of range, use {min} to {max}")]
    OutOfRange {
        field: &'static str,
        given: String,
        min: u16,
        max: u16,
    },
    #[error("the {field} field is not understood, use {right}, or * for every {field}")]
    NotAValue { field: &'static str, right: String },
    #[error("the {field} step is out of range, use 1 to {max}")]
    Step { field: &'static str, max: u16 },
    #[error(
        "{field} range {start}-{end} runs backwards, write {start}-{max},{min}-{end} if it is to run over the end"
    )]
    Backwards {
        field: &'static str,
        start: String,
        end: String,
        min: u16,
        max: u16,
    },
    #[error("no such weekday of a month, write 5#1 to 5#5, or 5#L for the last")]
    Which,
    #[error("the schedule never fires, no date matches its day, month and weekday")]
    NeverFires,
    #[error("the schedule is not accepted")]
    Croner { source: CronError },
}
