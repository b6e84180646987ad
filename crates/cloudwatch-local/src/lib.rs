//! A small, strict CloudWatch endpoint on this machine, for tests and demonstrations.
//!
//! It speaks what the AWS SDKs speak to CloudWatch (Smithy RPC v2 CBOR), checks the
//! Signature V4 of each request, refuses what the service refuses, keeps what it accepted,
//! and misbehaves on command. It shares no code with the publisher that it tests.
//!
//! ```no_run
//! # async fn example() -> Result<(), cloudwatch_local::StartError> {
//! use cloudwatch_local::{CloudWatchLocal, Fault};
//!
//! let endpoint = CloudWatchLocal::builder().start().await?;
//! endpoint.fail_next([Fault::throttling(), Fault::cut()]);
//! // … send something to endpoint.url(), with the access key "test" and the secret "test" …
//! endpoint.received_at_least(1).await;
//! assert_eq!(endpoint.attempts().len(), 3);
//! assert_eq!(endpoint.points()[0].name, "TestMetric");
//! # Ok(())
//! # }
//! ```

mod connection;
mod credentials;
mod fault;
mod host;
mod inspect;
mod page;
mod protocol;
mod refusal;
mod rules;
mod server;
mod service;
mod signature;
mod state;
mod store;

pub use credentials::Credentials;
pub use fault::{Blame, Fault};
pub use host::{Host, ParseHostError};
pub use refusal::Refusal;
pub use server::{Builder, CloudWatchLocal, StartError};
pub use store::{
    Attempt, Measure, Outcome, ReceivedPoint, ReceivedRequest, RefusedRequest, Series,
};
