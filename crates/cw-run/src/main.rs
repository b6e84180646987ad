//! The command line of cw-run: reads the process's arguments and environment, and ends with the
//! exit code of what was done.

use std::process::ExitCode;

#[expect(
    clippy::disallowed_methods,
    reason = "main reads the environment for everybody"
)]
fn main() -> ExitCode {
    cw_run::main(std::env::args_os(), std::env::vars_os())
}
