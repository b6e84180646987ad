//! cw-publisher publishes metrics to Amazon CloudWatch on a schedule and loses no
//! point in an outage. ARCHITECTURE.md has the map of these modules.

pub mod cli;
pub mod clock;
pub mod cloudwatch;
pub mod config;
pub mod dry_run;
pub mod format;
pub mod health;
pub mod outbox;
pub mod publish;
pub mod run;
pub mod spool;
pub mod ticker;
