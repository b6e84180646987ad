//! The metrics of the points held, each of them once, and the memory that they take.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cloudwatch_metric::{Dimension, Metric};

/// What one allocation takes beside its content: the allocator's own notes, and rounding.
/// A long one is rounded up by a quarter at most.
const ALLOCATION: usize = 16;
/// The entries of a metric in the two tables below, with the room that tables keep free.
const TABLES: usize = 96;

/// Points with equal metrics share one: an entry's points have the same anyway, those of a
/// Prometheus page or of a spool get it here.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Keeps each alive, so that no address is used twice.
    known: HashSet<Arc<Metric>>,
    /// How many points have the metric at an address: an address is looked up sooner than
    /// 30 dimensions.
    points: HashMap<usize, usize>,
    bytes: usize,
}

impl Metrics {
    /// Puts the metric that equal points have in the place of a point's own.
    pub(super) fn share(&mut self, metric: &mut Arc<Metric>) {
        if let Some(points) = self.points.get_mut(&address(metric)) {
            *points += 1;
            return;
        }
        match self.known.get(metric) {
            Some(known) => *metric = known.clone(),
            None => {
                self.bytes += bytes(metric);
                self.known.insert(metric.clone());
            }
        }
        *self.points.entry(address(metric)).or_default() += 1;
    }

    /// One point less has this metric, which came out of [`Metrics::share`].
    pub(super) fn release(&mut self, metric: &Arc<Metric>) {
        let address = address(metric);
        let Some(points) = self.points.get_mut(&address) else {
            return;
        };
        *points -= 1;
        if *points == 0 {
            self.points.remove(&address);
            self.known.remove(metric);
            self.bytes -= bytes(metric);
        }
        if self.points.is_empty() {
            // A long outage leaves large tables behind.
            *self = Self::default();
        }
    }

    /// About how much memory all of them take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn address(metric: &Arc<Metric>) -> usize {
    Arc::as_ptr(metric).addr()
}

/// About how much memory a metric takes that is shared with nobody.
fn bytes(metric: &Metric) -> usize {
    let text = |text: &str| text.len() + text.len() / 4 + ALLOCATION;
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions
        .map(|dimension| size_of::<Dimension>() + text(dimension.name()) + text(dimension.value()));
    let texts = text(metric.namespace.as_str()) + text(metric.name.as_str());
    let counts = 2 * size_of::<usize>();
    TABLES + 2 * (ALLOCATION + counts) + size_of::<Metric>() + texts + dimensions.sum::<usize>()
}
