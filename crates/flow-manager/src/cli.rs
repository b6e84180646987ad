//! The commands: arguments and environment in, exit code out.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use settings::Environment;
use shutdown::{Requests, Watchdog};
use telemetry::Output;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, warn};

use crate::config::{Config, log_config};

mod arguments;
mod check;
mod healthcheck;
mod run;
mod tokens;

use arguments::Command;
pub use arguments::command;
pub use run::RunError;

/// A clean stop.
const SUCCESS: u8 = 0;
/// Something that was to be done was not.
const FAILURE: u8 = 1;
/// Wrong arguments; the code of `clap` and of most commands.
const USAGE: u8 = 2;
/// The configuration is wrong; `EX_CONFIG` of sysexits.h.
const BAD_CONFIGURATION: u8 = 78;

/// The runtime's own. One request that computes must not hold up the others, and more would
/// only wait.
const THREADS: usize = 2;
/// Threads for what works on the disk.
const DISK_THREADS: usize = 16;
/// The longest that the last lines are waited for.
const LOG_PATIENCE: Duration = Duration::from_secs(1);
/// The grace until the setting is read.
const GRACE_BEFORE: Duration = Duration::from_secs(8);

/// Runs the program.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let command = match Command::parse(arguments) {
        Ok(command) => command,
        Err(answer) => {
            // Help and the version are answers too, and go to standard output.
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { USAGE } else { SUCCESS });
        }
    };
    let environment = environment.into_iter().collect();
    match runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(dispatch(command, &environment));
            telemetry::flush(LOG_PATIENCE);
            // A thread that hangs in a dead file system must not keep the process.
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot set up the runtime: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(DISK_THREADS)
        .enable_all()
        .build()
}

async fn dispatch(command: Command, environment: &Environment) -> u8 {
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    match command {
        Command::Run => serve(environment).await,
        Command::Check => check::check(environment, out, err),
        Command::Healthcheck => healthcheck::healthcheck(environment, out, err).await,
    }
}

async fn serve(environment: &Environment) -> u8 {
    // PID 1 gets only the signals that it asks for, so this comes first.
    let requests = Requests::catch();
    let watchdog = Watchdog::start(GRACE_BEFORE);
    if let Err(error) = telemetry::init(&log_config(environment), Output::Stdout) {
        let _ = writeln!(
            io::stderr(),
            "cannot set up the log: {}",
            diagnostics::chain(&error)
        );
        return FAILURE;
    }
    let (config, findings) = Config::read(environment);
    findings.log();
    let Some(config) = config else {
        return BAD_CONFIGURATION;
    };
    let requests = match requests {
        Ok(requests) => requests,
        Err(failure) => {
            error!(error = diagnostics::chain(&failure), "cannot catch signals");
            return FAILURE;
        }
    };
    match watchdog {
        Ok(watchdog) => watchdog.set_grace(config.shutdown_grace + run::AFTER_GRACE),
        Err(failure) => warn!(
            error = diagnostics::chain(&failure),
            "cannot watch over the stop"
        ),
    }
    match run::run(config, requests).await {
        Ok(true) => SUCCESS,
        Ok(false) => FAILURE,
        Err(RunError::Tokens { problems }) => {
            settings::log_problems(&problems, "invalid configuration");
            BAD_CONFIGURATION
        }
        Err(failure) => {
            error!(error = diagnostics::chain(&failure), "cannot start");
            FAILURE
        }
    }
}
