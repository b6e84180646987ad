//! Runs a container, or attaches to containers that run, and ships every line they print to
//! CloudWatch Logs: at least once, and nothing lost that the engine kept.
//!
//! ```no_run
//! use cw_run::cloudwatch_manager::{LogsService, StreamName};
//! use cw_run::event::Event;
//!
//! # async fn example(client: impl LogsService) -> Option<()> {
//! let docker = cw_run::docker_manager::get_docker_client(None).await.ok()?;
//! let id = cw_run::docker_manager::run_container(&docker, "alpine", &["echo", "hello"]).await.ok()?;
//! let name = StreamName { group: "jobs".to_owned(), stream: id };
//! cw_run::put_logs_to_cloudwatch(&client, &name, &[Event::new("hello", 1_800_000_000_000)]).await.ok()?;
//! # Some(())
//! # }
//! ```

pub mod batch;
pub mod checkpoint;
pub mod cloudwatch_manager;
pub mod delivery;
pub mod docker_manager;
pub mod event;
pub mod job;
pub mod run;
pub mod ship;

mod arguments;
mod cli;
mod clock;
mod failure;
mod progress;
mod tee;
mod template;
#[cfg(test)]
mod testing;
mod verdict;

pub use arguments::{
    ALL, BadArguments, Goes, Opt, Origin, Problem, Request, Topic, parse_arguments,
};
pub use cli::main;
pub use cloudwatch_manager::{
    create_cloudwatch_log_group, create_cloudwatch_log_stream, put_logs_to_cloudwatch,
    setup_cloudwatch_logging,
};
pub use docker_manager::{get_docker_client, run_container};
pub use failure::{RunError, exit, handle_error};
pub use tee::Tee;
pub use template::{Kind, Subject, Template, TemplateError};
pub use verdict::{Operation, Verdict, verdict};
