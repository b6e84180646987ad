//! `timestamp`: the tick itself in Unix seconds, to see delays end to end.

use cloudwatch_metric::Value;

use super::{Sampling, Source, Tick};

#[derive(Debug)]
pub(super) struct Timestamp;

impl Source for Timestamp {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        #[expect(clippy::cast_precision_loss, reason = "seconds stay exact below 2^53")]
        let seconds = tick.at.timestamp() as f64;
        let readings = Value::try_from(seconds).map(Into::into).map_err(Into::into);
        Box::pin(std::future::ready(readings))
    }
}
