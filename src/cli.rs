//! The commands: arguments and environment in, exit code out.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_connection::{SdkFiles, reexec_without_empty_sdk_vars};
use diagnostics::chain;
use settings::Environment;
use shutdown::{Requests, Watchdog};
use telemetry::Output;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, warn};

use crate::config::log_config;

mod arguments;
mod check;
mod destination;
mod files;
mod health;
mod load;
mod publish;
mod reload;
mod task;

pub use arguments::command;
use arguments::{Arguments, Command};
use load::{Loaded, Purpose, load};

/// A clean stop, and `once` with everything accepted.
const SUCCESS: u8 = 0;
/// Something that was to be done was not.
const FAILURE: u8 = 1;
/// Wrong arguments; the code of `clap` and of most commands.
const USAGE: u8 = 2;
/// The configuration is wrong; `EX_CONFIG` of sysexits.h.
const BAD_CONFIGURATION: u8 = 78;

/// Threads for what blocks, of sources and beside them: names being resolved, the spool, the
/// files of settings. One that is not needed any more ends.
const BLOCKING_THREADS_MAX: usize = metric_source::THREADS_MAX + blocking_io::RESOLVING_MAX + 32;

/// The longest that the last lines are waited for: whoever reads them reads at once, and
/// nobody waits for who does not.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// The grace until the setting is read.
const GRACE_BEFORE: Duration = Duration::from_secs(8);

/// Runs the program.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let environment: Vec<_> = environment.into_iter().collect();
    if let Err(error) = reexec_without_empty_sdk_vars(&environment, &arguments) {
        let _ = writeln!(io::stderr(), "cannot start anew: {}", chain(&error));
    }
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and the version are answers too, and go to standard output.
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { USAGE } else { SUCCESS });
        }
    };
    let _log = LastLines;
    match runtime() {
        Ok(runtime) => {
            let environment = environment.into_iter().collect();
            let code = runtime.block_on(dispatch(&arguments, environment));
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

/// Writes the last lines, however the command ends.
struct LastLines;

impl Drop for LastLines {
    fn drop(&mut self) {
        telemetry::flush(LOG_PATIENCE);
    }
}

/// One thread: a publisher waits most of the time, and memory is scarcer than cores.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
}

async fn dispatch(arguments: &Arguments, environment: Environment) -> u8 {
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    match arguments.command {
        Command::Run | Command::Once => publish(arguments, environment).await,
        Command::Check => check::check(environment, arguments.json, out, err).await,
        Command::Healthcheck => health::healthcheck(&environment, out, err).await,
    }
}

/// Commands that log what they do.
async fn publish(arguments: &Arguments, environment: Environment) -> u8 {
    // PID 1 gets only the signals that it asks for, so this comes before anything that
    // may take a while.
    let mut requests = Requests::catch();
    let watchdog = Watchdog::start(GRACE_BEFORE);
    let log = log_config(&environment);
    let files = SdkFiles::new(&environment);
    let dry_run = arguments.dry_run;
    let loading = load(environment, Purpose::Publish { dry_run });
    let Loaded {
        config,
        findings,
        look,
    } = match &mut requests {
        Ok(requests) => tokio::select! {
            loaded = loading => loaded,
            // Nothing was begun that had to come to an end.
            () = requests.stop() => return match arguments.command {
                Command::Once => FAILURE,
                _ => SUCCESS,
            },
        },
        Err(_) => loading.await,
    };
    if let Err(error) = telemetry::init(&log, Output::Stdout) {
        let _ = writeln!(io::stderr(), "cannot set up the log: {}", chain(&error));
        return FAILURE;
    }
    findings.log();
    let Some(config) = config else {
        return BAD_CONFIGURATION;
    };
    let requests = match requests {
        Ok(requests) => requests,
        Err(failure) => {
            error!(error = chain(&failure), "cannot catch signals");
            return FAILURE;
        }
    };
    match watchdog {
        Ok(watchdog) => watchdog.set_grace(config.shutdown_grace),
        // What it is for may never come; the metrics do.
        Err(failure) => warn!(error = chain(&failure), "cannot watch over the stop"),
    }
    match arguments.command {
        Command::Once => publish::once(config, files, arguments.dry_run, requests).await,
        _ => publish::run(config, look, files, arguments.dry_run, requests).await,
    }
}
