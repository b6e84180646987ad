//! `42`: the same value at every tick.

use cloudwatch_metric::{MetricError, Value};

use super::{Sampling, Source, Tick};

#[derive(Debug)]
pub(super) struct Constant(Value);

impl Constant {
    pub(super) fn new(number: f64) -> Result<Self, MetricError> {
        Value::try_from(number).map(Self)
    }
}

impl Source for Constant {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(std::future::ready(Ok(self.0.into())))
    }
}
