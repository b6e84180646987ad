//! `prometheus:http://…/metrics#name{label="x"}`: series of a Prometheus endpoint.

mod exposition;
mod scan;
mod selector;

pub use exposition::{Exposition, ExpositionError, Format, Kind, Sample};
pub use selector::{ParseSelectorError, Selector};
