//! A batch: points of one namespace that fit one request.

use std::ops::Range;
use std::sync::Arc;

use cloudwatch_metric::{Namespace, Point};

use super::queued_point::{Id, QueuedPoint};

/// Most points of one request (API Reference, `PutMetricData`).
pub const BATCH_POINTS_MAX: usize = 1000;
/// Most bytes of one request before compression. The service takes 1 MB (API
/// Reference, `PutMetricData`); the rest is for the frame around the points.
pub const BATCH_BYTES_MAX: usize = 999_000;

/// At least one point; all of one namespace, in order of arrival. A clone and a part share
/// the points with the whole.
#[derive(Clone, Debug)]
pub struct Batch {
    namespace: Namespace,
    all: Arc<[QueuedPoint]>,
    positions: Range<usize>,
}

impl Batch {
    /// Takes as many of the first points as one request carries.
    pub(super) fn fill<'a>(
        namespace: &Namespace,
        points: impl Iterator<Item = (Id, &'a Point)>,
    ) -> Option<Self> {
        let mut bytes = 0;
        let held = points
            .take(BATCH_POINTS_MAX)
            .take_while(|(_, point)| {
                bytes += point.metric.request_bytes_max();
                bytes <= BATCH_BYTES_MAX
            })
            .map(|(id, point)| QueuedPoint {
                id,
                point: point.clone(),
            });
        Self::of(namespace, held.collect())
    }

    fn of(namespace: &Namespace, all: Arc<[QueuedPoint]>) -> Option<Self> {
        (!all.is_empty()).then(|| Self {
            namespace: namespace.clone(),
            positions: 0..all.len(),
            all,
        })
    }

    fn held(&self) -> &[QueuedPoint] {
        &self.all[self.positions.clone()]
    }

    /// The namespace of all points.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The points in order of arrival.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.held().iter().map(|held| &held.point)
    }

    /// How many points; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// The places of the points, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        self.held().iter().map(|held| held.id)
    }

    /// The place of the first point.
    pub(super) fn first_id(&self) -> Id {
        self.held()
            .first()
            .expect("a batch has at least one point")
            .id
    }

    /// The points of a range of positions, none if it is empty.
    #[must_use]
    pub fn part(&self, positions: Range<usize>) -> Option<Self> {
        self.held().get(positions.clone())?;
        let start = self.positions.start;
        (!positions.is_empty()).then(|| Self {
            namespace: self.namespace.clone(),
            all: self.all.clone(),
            positions: start + positions.start..start + positions.end,
        })
    }

    /// All points but those at some positions, which ascend; none if those are all.
    #[must_use]
    pub fn without(&self, positions: &[usize]) -> Option<Self> {
        let kept = self.held().iter().enumerate();
        let held = kept
            .filter(|(position, _)| positions.binary_search(position).is_err())
            .map(|(_, held)| held.clone());
        Self::of(&self.namespace, held.collect())
    }
}

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.held() == other.held()
    }
}
