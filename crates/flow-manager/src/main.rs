//! The command line of flow-manager: reads the process's arguments and environment, and ends
//! with the exit code that the command gives.

use std::process::ExitCode;

#[expect(
    clippy::disallowed_methods,
    reason = "main reads the environment for everybody"
)]
fn main() -> ExitCode {
    flow_manager::cli::main(std::env::args_os(), std::env::vars_os())
}
