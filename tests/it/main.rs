//! Tests of the whole program: through its library with a fake sink and a fake clock, or
//! as a process that publishes to a strict local endpoint.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod answers;
mod assumed_role;
mod bad_input;
mod check;
mod connections;
mod crontab_changes;
mod crontab_content;
mod delivery;
// Cargo runs the tests of an example only when it is told to.
#[allow(dead_code, clippy::print_stdout)]
#[path = "../../examples/demo/board.rs"]
mod demo_board;
mod deploy;
mod dimensions;
#[cfg(target_os = "linux")]
mod example;
mod health;
#[cfg(target_os = "linux")]
mod hostile;
mod isolation;
mod kill;
mod outage;
mod panics;
mod parking;
mod process;
mod proxies;
mod recovery;
mod reload;
mod sampling;
#[cfg(target_os = "linux")]
mod sources;
mod spool;
mod stopping;
mod substitution;
mod support;
