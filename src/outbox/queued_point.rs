//! A point with its place in the queue.

use cloudwatch_metric::Point;

/// A point's place in the order of arrival; never used twice.
pub type Id = u64;

/// A point with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedPoint {
    /// The place in the order of arrival.
    pub id: Id,
    /// The point itself.
    pub point: Point,
}
