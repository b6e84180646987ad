//! A scripted Docker Engine in this process, for tests.
//!
//! It speaks HTTP over a Unix socket (or TCP) as `dockerd` 20.10 does: versions, containers
//! with their lifecycle, logs with every oddity of the drivers, exec, events. What it does is
//! scripted: nothing runs. It shares no code with any client, and it misbehaves on command.
//!
//! ```no_run
//! # async fn example() -> Result<(), docker_local::StartError> {
//! use docker_local::{Container, DockerLocal, Exec, Fault};
//!
//! let engine = DockerLocal::builder().start().await?;
//! let web = engine.add(
//!     Container::named("web")
//!         .running()
//!         .on_exec(|exec| Exec::new().stdout(exec.cmd.join(" ")).exit(3)),
//! );
//! web.stdout("hello\n");
//! engine.fail_next("GET /containers/*/logs", [Fault::cut_body(20), Fault::error(500, "no disk")]);
//! // … point a client at engine.url() …
//! web.exit(0);
//! assert_eq!(engine.requests_to("GET /containers/*/logs").len(), 3);
//! # Ok(())
//! # }
//! ```

mod answer;
mod api;
mod connection;
mod container;
mod events;
mod exec;
mod fault;
mod filters;
mod handle;
mod inspect;
mod log;
mod output;
mod pattern;
mod request;
mod server;
mod state;

pub use answer::Answer;
pub use container::{Container, LogDriver, State};
pub use exec::{Exec, ExecRequest};
pub use fault::Fault;
pub use handle::ContainerHandle;
pub use log::Stream;
pub use request::ReceivedRequest;
pub use server::{Builder, DockerLocal, StartError};
