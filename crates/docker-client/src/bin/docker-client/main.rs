//! The command `docker-client`: each operation of the library for people and for scripts.

mod arguments;
mod commands;
mod print;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use docker_client::DockerClientError;

use crate::arguments::Arguments;
use crate::print::Printer;

/// As the `docker` command: its own failures, which are not those of a program in a container.
const FAILED: u8 = 1;
/// As the `docker` command, for arguments that it does not take.
const WRONG_ARGUMENTS: u8 = 125;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to do if that fails.
            let _ = error.print();
            return match error.use_stderr() {
                true => WRONG_ARGUMENTS.into(),
                false => ExitCode::SUCCESS,
            };
        }
    };
    #[allow(clippy::disallowed_methods)] // A program's main reads the environment.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut printer = Printer::new(io::stdout().is_terminal(), no_color);
    match commands::run(arguments, &mut printer).await {
        Ok(code) => code.into(),
        // Who read it has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let colored = io::stderr().is_terminal() && !no_color;
            let name = if colored {
                "\x1b[31mdocker-client\x1b[0m"
            } else {
                "docker-client"
            };
            let text = print::clean(&chain(&failure));
            let _ = writeln!(io::stderr(), "{name}: {text}");
            failure.code().into()
        }
    }
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Docker(#[from] DockerClientError),
    #[error("write the output")]
    Output(#[from] io::Error),
    #[error("read the standard input")]
    Input(#[source] io::Error),
    #[error("{0}")]
    Missing(String),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            // As a shell, and the `docker` command, have it for a program that does not start.
            Self::Docker(DockerClientError::ContainerCommand { exit_code, .. }) => {
                u8::try_from(*exit_code).unwrap_or(FAILED)
            }
            // As `timeout` has it.
            Self::Docker(DockerClientError::ExecTimeout { .. }) => 124,
            _ => FAILED,
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        // Some causes repeat theirs.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
