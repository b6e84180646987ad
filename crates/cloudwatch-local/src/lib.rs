//! A small, strict CloudWatch endpoint on this machine, for tests and demonstrations.
//!
//! It speaks what the AWS SDKs speak to CloudWatch (Smithy RPC v2 CBOR) and to CloudWatch Logs
//! (AWS JSON 1.1), checks the Signature V4 of each request, refuses what the service refuses,
//! keeps what it accepted, and misbehaves on command. It shares no code with the programs that
//! it tests.
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
//!
//! let logs = endpoint.logs();
//! logs.fail_next_of("PutLogEvents", [Fault::throttling(), Fault::cut_after_accepting()]);
//! // … let a program ship a log there …
//! logs.events_at_least(1).await;
//! let event = &logs.events("group", "stream")[0];
//! assert_eq!((&*event.message, event.number, event.batch), ("hello", 1, 1));
//! # Ok(())
//! # }
//! ```

mod connection;
mod credentials;
mod fault;
mod host;
mod inspect;
mod journal;
mod logs;
mod pace;
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
pub use journal::{Attempt, Outcome, RefusedRequest};
pub use logs::{LogGroup, LogStream, Logs, LogsRequest, ReceivedBatch, ReceivedEvent, SentEvent};
pub use refusal::Refusal;
pub use server::{Builder, CloudWatchLocal, StartError};
pub use store::{Measure, ReceivedPoint, ReceivedRequest, Series};
