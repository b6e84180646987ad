//! Delivery: the port to the service, the verdict on each failure, the one retry
//! loop, and the isolation of bad points.

use std::error::Error;
use std::future::Future;

use chrono::SecondsFormat;

use crate::outbox::Batch;

mod delivery;
mod isolation;
mod remedy;

pub use delivery::{Delivery, Outcome, Step};
pub use remedy::{hint, named_members};
pub use retry_policy::{RequestError, RequestErrorKind, Retry, Verdict};

/// Where batches go. One call is one attempt; the sink never retries by itself.
pub trait Sink: Send + Sync + 'static {
    /// Whether what it accepts goes nowhere, and is not to be told as published.
    fn is_dry(&self) -> bool {
        false
    }

    /// Whether requests could be signed. FileRead once, before the first tick.
    fn ready(&self) -> impl Future<Output = Result<(), RequestError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Sends one batch, which the service accepts or refuses as a whole.
    fn put(&self, batch: &Batch) -> impl Future<Output = Result<(), RequestError>> + Send;
}

/// The same failure, saying which point it was that was refused in a request of its own: the
/// log line speaks of a whole delivery.
fn sent_alone(failure: RequestError, refused: &Batch) -> RequestError {
    let point = refused.points().next();
    let alone = point.map(|point| SentAlone {
        point: format!(
            "{} at {}",
            point.metric,
            point.at.to_rfc3339_opts(SecondsFormat::Secs, true)
        ),
        source: failure.source,
    });
    RequestError {
        kind: failure.kind,
        source: alone.map(|alone| Box::new(alone) as _),
    }
}

/// What was sent when it failed.
#[derive(Debug, thiserror::Error)]
#[error("the point of {point} was sent alone")]
struct SentAlone {
    point: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}
