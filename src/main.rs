//! The command line of cw-publisher: reads the process's arguments and environment,
//! and ends with the exit code that the command gives.

use std::process::ExitCode;

use cw_publisher::cli;

#[expect(
    clippy::disallowed_methods,
    reason = "main reads the environment for everybody"
)]
fn main() -> ExitCode {
    cli::main(std::env::args_os(), std::env::vars_os())
}
