//! A sink that logs the points in the place of sending them.

use tracing::info;

use crate::outbox::Batch;
use crate::publish::{RequestError, Sink};

/// Accepts everything and sends nothing.
#[derive(Clone, Copy, Debug)]
pub struct DryRun;

impl Sink for DryRun {
    fn is_dry(&self) -> bool {
        true
    }

    async fn put(&self, batch: &Batch) -> Result<(), RequestError> {
        for point in batch.points() {
            let metric = &point.metric;
            info!(
                namespace = metric.namespace.as_str(),
                name = metric.name.as_str(),
                dimensions = %metric.dimensions,
                value = point.value.get(),
                unit = metric.unit.as_str(),
                resolution_seconds = metric.resolution.seconds(),
                point_timestamp = %point.at.format("%Y-%m-%dT%H:%M:%SZ"),
                "would publish"
            );
        }
        Ok(())
    }
}
