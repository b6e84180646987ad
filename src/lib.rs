//! cw-publisher publishes metrics to Amazon CloudWatch on a schedule and loses no
//! point in an outage. ARCHITECTURE.md has the map of these modules.

mod blocking;
pub mod cli;
pub mod clock;
pub mod cloudwatch;
pub mod config;
pub mod dry_run;
mod files;
pub mod health;
pub mod metric;
pub mod outbox;
pub mod proxy;
pub mod publish;
pub mod run;
pub mod shutdown;
pub mod source;
pub mod spool;
pub mod telemetry;
pub mod ticker;
