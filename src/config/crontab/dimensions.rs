//! Dimensions as they are written: with values of the task, and with those that every metric
//! has.

use cloudwatch_metric::{DIMENSIONS_MAX, Dimension, Dimensions, MetricError};
use diagnostics::{nearest, redacted_prefix};

use crate::config::task::{Task, VALUES};

/// Why dimensions cannot be had, and what would be right.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum DimensionsError {
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error(
        "{value} is known only in a task of Amazon ECS, where ECS_CONTAINER_METADATA_URI_V4 is set"
    )]
    NotInEcs { value: &'static str },
    #[error(
        "a task has no such value, did you mean {nearest}? there are {}",
        VALUES.join(", ")
    )]
    Task { nearest: &'static str },
    #[error(
        "dimension {name:?} has another value in COMMON_DIMENSIONS, leave it out here or there"
    )]
    Conflict { name: String },
    #[error(
        "with those of COMMON_DIMENSIONS there are {count} dimensions, at most {DIMENSIONS_MAX} are allowed"
    )]
    TooMany { count: usize },
}

/// Reads `Name=Value,Name=Value`, where a value may be one of the task.
pub(crate) fn read(text: &str, task: &Task) -> Result<Dimensions, DimensionsError> {
    let written: Dimensions = text.parse()?;
    let is_of_task = |dimension: &Dimension| dimension.value().starts_with("task:");
    if !written.iter().any(is_of_task) {
        return Ok(written);
    }
    let resolved = written
        .iter()
        .map(|dimension| match of_task(dimension.value(), task)? {
            Some(value) => Ok(Dimension::new(dimension.name(), value)?),
            None => Ok(dimension.clone()),
        });
    let resolved: Result<_, DimensionsError> = resolved.collect();
    Ok(Dimensions::new(resolved?)?)
}

/// What a value stands for, if it stands for anything. Another word behind `task:` is a
/// value like any other.
fn of_task<'a>(value: &str, task: &'a Task) -> Result<Option<&'a str>, DimensionsError> {
    let Some(known) = VALUES.iter().find(|known| **known == value) else {
        let Some(word) = value.strip_prefix("task:") else {
            return Ok(None);
        };
        let words = VALUES
            .iter()
            .filter_map(|known| known.strip_prefix("task:"));
        let meant = nearest(word, words).and_then(|word| {
            let meant = VALUES.iter().find(|known| known.ends_with(word));
            meant.copied()
        });
        return match meant {
            Some(nearest) => Err(DimensionsError::Task { nearest }),
            None => Ok(None),
        };
    };
    match task {
        Task::NotInEcs => Err(DimensionsError::NotInEcs { value: known }),
        Task::Unasked => Ok(None),
        Task::Known(identity) => Ok(Some(match *known {
            "task:family" => &identity.family,
            "task:id" => &identity.id,
            _ => &identity.cluster,
        })),
    }
}

/// Dimensions of a metric and those of all. What both have must be the same.
pub(crate) fn merged(own: Dimensions, common: &Dimensions) -> Result<Dimensions, DimensionsError> {
    if common.is_empty() {
        return Ok(own);
    }
    let mut more = Vec::new();
    for dimension in common.iter() {
        match own.iter().find(|own| own.name() == dimension.name()) {
            None => more.push(dimension.clone()),
            Some(own) if own.value() == dimension.value() => {}
            Some(own) => {
                let name = redacted_prefix(own.name());
                return Err(DimensionsError::Conflict { name });
            }
        }
    }
    own.with(more).map_err(|error| match error {
        MetricError::TooManyDimensions { count } => DimensionsError::TooMany { count },
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use metric_source::TaskIdentity;

    use super::*;

    fn known() -> Task {
        Task::Known(TaskIdentity {
            family: "web".to_owned(),
            id: "0f1e".to_owned(),
            cluster: "prod".to_owned(),
        })
    }

    #[test]
    fn values_of_the_task_are_put_in_and_other_words_stay() {
        let text = "F=task:family,I=task:id,C=task:cluster,K=task:cleanup,T=task";
        let dimensions = read(text, &known()).unwrap();
        let expected = "F=web,I=0f1e,C=prod,K=task:cleanup,T=task";
        assert_eq!(dimensions.to_string(), expected);
        let unasked = read(text, &Task::Unasked).unwrap();
        assert_eq!(unasked.to_string(), text);
    }

    #[test]
    fn value_that_there_is_not_is_told_with_what_there_is() {
        for (text, task, part) in [
            ("A=task:famly", known(), "did you mean task:family? there"),
            ("A=task:clustr", known(), "did you mean task:cluster?"),
            ("A=task:id", Task::NotInEcs, "task:id is known only"),
        ] {
            let error = read(text, &task).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn common_dimensions_stand_beside_the_own_ones() {
        let of = |text: &str| text.parse::<Dimensions>().unwrap();
        let merge = |own: &str, common: &str| {
            let merged = merged(of(own), &of(common));
            merged.map(|all| all.to_string()).map_err(|e| e.to_string())
        };
        assert_eq!(merge("A=1", "B=2").unwrap(), "A=1,B=2");
        assert_eq!(merge("", "B=2").unwrap(), "B=2");
        assert_eq!(merge("A=1,B=2", "B=2").unwrap(), "A=1,B=2");
        let error = merge("A=1,B=3", "B=2").unwrap_err();
        assert!(error.contains("\"B\" has another value"), "{error}");
        let many = |from: usize, count: usize| {
            let all = (from..from + count).map(|n| format!("D{n}=1"));
            all.collect::<Vec<_>>().join(",")
        };
        merge(&many(0, 20), &many(20, 10)).unwrap();
        let error = merge(&many(0, 20), &many(20, 11)).unwrap_err();
        assert!(
            error.contains("there are 31 dimensions, at most 30"),
            "{error}"
        );
    }
}
