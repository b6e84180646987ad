//! The task of Amazon ECS that this process runs in, for dimensions that name it.

use metric_source::TaskIdentity;

/// What is known of the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// There is none, or nothing says so.
    #[default]
    NotInEcs,
    /// It was not asked for, or did not answer; what stands for it is left as it is.
    Unasked,
    /// It told.
    Known(TaskIdentity),
}

/// What a dimension's value may be for the task's own.
pub(super) const VALUES: &[&str] = &["task:family", "task:id", "task:cluster"];

impl Task {
    /// Whether a text asks for what only the task can tell. It may only look like it.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        VALUES.iter().any(|value| text.contains(value))
    }
}
