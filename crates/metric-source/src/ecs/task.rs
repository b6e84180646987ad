//! What the endpoint says of a task: `/task` names its containers, `/task/stats` has
//! the Docker Engine's figures of each (Engine API, "Get container stats").
//!
//! Any figure may be missing: Fargate leaves some out, a container that has just
//! started or has stopped has `null` or `{}`. What is there must be of its type.

use cloudwatch_metric::{Dimension, MetricError};
use diagnostics::redacted_prefix;
use serde_json::Value as Json;

use crate::json::{VALUES_MAX, whole};

/// From here on a limit is none: where no limit is set, version 1 of the control
/// groups reports the largest number of bytes that whole pages can hold.
const NO_LIMIT: f64 = (1u64 << 62) as f64;
const MIB: f64 = 1024.0 * 1024.0;

/// A task and its containers.
#[derive(Debug)]
pub(super) struct Task {
    /// What all containers may use together, in bytes.
    memory_limit: Option<f64>,
    pub(super) containers: Vec<Container>,
}

/// A container that has figures.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) dimensions: Vec<Dimension>,
    stats: Json,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Direction {
    In,
    Out,
}

/// Why an answer describes no task.
#[derive(Debug, thiserror::Error)]
pub(super) enum TaskError {
    #[error("expected JSON, read {read:?}")]
    NotJson {
        read: String,
        source: serde_json::Error,
    },
    #[error("the answer has more than {VALUES_MAX} values")]
    TooLarge,
    #[error("expected {what} at {pointer}, read {read}")]
    Unexpected {
        what: &'static str,
        pointer: &'static str,
        read: String,
    },
    #[error("the dimensions of the container {container:?}")]
    Dimensions {
        container: String,
        source: MetricError,
    },
}

/// Why a figure is none.
#[derive(Debug, thiserror::Error)]
#[error("expected a number at {pointer}, read {read}")]
pub(super) struct FigureError {
    pointer: String,
    read: String,
}

impl Task {
    pub(super) fn read(task: &str, stats: &str) -> Result<Self, TaskError> {
        let (task, mut stats) = (json(task)?, json(stats)?);
        let (family, cluster) = (text(&task, "/Family")?, cluster(&task)?);
        let listed = task.get("Containers").unwrap_or(&Json::Null);
        let listed = listed
            .as_array()
            .ok_or_else(|| unexpected("a list", "/Containers", listed))?;
        if !stats.is_object() {
            return Err(unexpected("an object", "/", &stats));
        }
        let mut containers = Vec::new();
        for container in listed {
            // The agent's own container, which only holds the network open.
            if container.get("Type").and_then(Json::as_str) == Some("CNI_PAUSE") {
                continue;
            }
            let id = text(container, "/DockerId")?;
            let name = text(container, "/Name")?;
            let stats = match stats.get_mut(id).map(Json::take) {
                None | Some(Json::Null) => continue,
                Some(stats) => stats,
            };
            let dimensions = [
                ("ContainerName", name),
                ("TaskFamily", family),
                ("ClusterName", cluster),
            ];
            let dimensions = dimensions.map(|(name, value)| Dimension::new(name, value));
            let dimensions: Result<_, _> = dimensions.into_iter().collect();
            containers.push(Container {
                id: id.to_owned(),
                name: name.to_owned(),
                dimensions: dimensions.map_err(|source| TaskError::Dimensions {
                    container: name.to_owned(),
                    source,
                })?,
                stats,
            });
        }
        let memory_limit = task.pointer("/Limits/Memory").and_then(Json::as_f64);
        Ok(Self {
            memory_limit: memory_limit.map(|mib| mib * MIB),
            containers,
        })
    }
}

impl Container {
    /// Percent of one CPU between the two moments that the figures are of, as
    /// `docker stats` shows it: a container that keeps two CPUs busy has 200.
    pub(super) fn cpu_percent(&self) -> Result<Option<f64>, FigureError> {
        let figure = |pointer: &str| self.number(pointer);
        let cpus = match figure("/cpu_stats/online_cpus")? {
            Some(cpus) if cpus > 0.0 => cpus,
            // An old Engine leaves it out.
            _ => self.percpu_count(),
        };
        let (Some(used), Some(used_before), Some(all), Some(all_before)) = (
            figure("/cpu_stats/cpu_usage/total_usage")?,
            figure("/precpu_stats/cpu_usage/total_usage")?,
            figure("/cpu_stats/system_cpu_usage")?,
            figure("/precpu_stats/system_cpu_usage")?,
        ) else {
            return Ok(None);
        };
        // Before there is a second moment, the Engine gives the first as zeros.
        if all <= all_before || all_before == 0.0 || cpus == 0.0 {
            return Ok(None);
        }
        let used = f64::max(used - used_before, 0.0);
        Ok(Some(100.0 * cpus * used / (all - all_before)))
    }

    /// Bytes in use, pages of files aside that were not touched for a while: under
    /// version 1 of the control groups `total_inactive_file`, under 2 `inactive_file`.
    pub(super) fn memory(&self) -> Result<Option<f64>, FigureError> {
        let Some(usage) = self.number("/memory_stats/usage")? else {
            return Ok(None);
        };
        let inactive = match self.number("/memory_stats/stats/total_inactive_file")? {
            None => self.number("/memory_stats/stats/inactive_file")?,
            inactive => inactive,
        };
        // The two are not read at the same moment, so the part may exceed the whole.
        let inactive = inactive.filter(|inactive| *inactive < usage);
        Ok(Some(usage - inactive.unwrap_or(0.0)))
    }

    /// The tightest of the limits on the container and on its task, in bytes. A
    /// container's `Limits` in `/task` do not count: they may be a mere reservation.
    pub(super) fn memory_limit(&self, task: &Task) -> Result<Option<f64>, FigureError> {
        let limits = [
            self.number("/memory_stats/limit")?,
            self.number("/memory_stats/stats/hierarchical_memory_limit")?,
            task.memory_limit,
        ];
        let set = limits.into_iter().flatten();
        let set = set.filter(|limit| (1.0..NO_LIMIT).contains(limit));
        Ok(set.reduce(f64::min))
    }

    /// Bytes since the start, over all interfaces. Containers of a task in `awsvpc`
    /// mode share their interfaces, so each of them reports the whole task's traffic.
    pub(super) fn network(&self, direction: Direction) -> Result<Option<f64>, FigureError> {
        let Some(interfaces) = self.stats.get("networks").and_then(Json::as_object) else {
            return Ok(None);
        };
        let name = match direction {
            Direction::In => "rx_bytes",
            Direction::Out => "tx_bytes",
        };
        let mut sum = None;
        for (interface, counts) in interfaces {
            let count = counts.get(name).unwrap_or(&Json::Null);
            let count = number(count, || format!("/networks/{interface}/{name}"))?;
            sum = match (sum, count) {
                (Some(sum), Some(count)) => Some(sum + count),
                (sum, count) => sum.or(count),
            };
        }
        Ok(sum)
    }

    fn number(&self, pointer: &str) -> Result<Option<f64>, FigureError> {
        let found = self.stats.pointer(pointer).unwrap_or(&Json::Null);
        number(found, || pointer.to_owned())
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
    fn percpu_count(&self) -> f64 {
        let each = self.stats.pointer("/cpu_stats/cpu_usage/percpu_usage");
        each.and_then(Json::as_array).map_or(0, Vec::len) as f64
    }
}

/// The family, the cluster and the id of a task.
pub(super) fn identity(task: &str) -> Result<[String; 3], TaskError> {
    let task = json(task)?;
    let arn = text(&task, "/TaskARN")?;
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let parts = [text(&task, "/Family")?, cluster(&task)?, id];
    Ok(parts.map(str::to_owned))
}

/// The endpoint gives an ARN or the short name (Developer Guide, "task metadata v4 JSON
/// response").
fn cluster(task: &Json) -> Result<&str, TaskError> {
    let cluster = text(task, "/Cluster")?;
    let name = cluster.split_once(":cluster/");
    Ok(name.map_or(cluster, |(_, name)| name))
}

fn number(found: &Json, pointer: impl Fn() -> String) -> Result<Option<f64>, FigureError> {
    if found.is_null() {
        return Ok(None);
    }
    let number = found.as_f64().ok_or_else(|| FigureError {
        pointer: redacted_prefix(&pointer()),
        read: redacted_prefix(&found.to_string()),
    });
    number.map(Some)
}

fn json(text: &str) -> Result<Json, TaskError> {
    let read = whole(text).map_err(|source| TaskError::NotJson {
        read: redacted_prefix(text.trim()),
        source,
    })?;
    read.ok_or(TaskError::TooLarge)
}

fn text<'a>(json: &'a Json, pointer: &'static str) -> Result<&'a str, TaskError> {
    let found = json.pointer(pointer).unwrap_or(&Json::Null);
    found
        .as_str()
        .ok_or_else(|| unexpected("a text", pointer, found))
}

fn unexpected(what: &'static str, pointer: &'static str, found: &Json) -> TaskError {
    TaskError::Unexpected {
        what,
        pointer,
        read: redacted_prefix(&found.to_string()),
    }
}
