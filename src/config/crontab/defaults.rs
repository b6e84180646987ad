//! What the lines of a crontab leave open.

use std::sync::Arc;

use cloudwatch_metric::{Dimensions, Metric, MetricName, Namespace, Resolution, Unit};
use cron_schedule::Zone;
use metric_source::Options;
use settings::Environment;

use crate::config::task::Task;

/// What a metric line may leave open.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// `METRIC_NAMESPACE`.
    pub namespace: Namespace,
    /// `METRIC_UNIT`.
    pub unit: Unit,
    /// `METRIC_DIMENSIONS`.
    pub dimensions: Dimensions,
    /// `METRIC_RESOLUTION`.
    pub resolution: Resolution,
    /// `CRON_TZ`, and `SCHEDULE_TZ` before any line.
    pub zone: Zone,
    /// `COMMON_DIMENSIONS`, beside those of every metric.
    pub common: Dimensions,
    /// What only some sources take.
    pub options: Options,
    /// What `${NAME}` stands for.
    pub variables: Arc<Environment>,
    /// What `task:id` and the like stand for.
    pub task: Task,
}

impl Defaults {
    /// The metric of this name.
    #[must_use]
    pub fn metric(&self, name: MetricName, dimensions: Dimensions) -> Metric {
        Metric {
            namespace: self.namespace.clone(),
            name,
            unit: self.unit,
            dimensions,
            resolution: self.resolution,
        }
    }
}
