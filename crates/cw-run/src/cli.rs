//! The program: arguments and environment in, exit code out.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::FutureExt;
use settings::Environment;
use shutdown::{Requests, Stop as Signal, Stops, Watchdog};
use telemetry::{LogConfig, LogFormat, Output};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::arguments::{BadArguments, Request, parse_arguments};
use crate::docker_manager::get_docker_client;
use crate::failure::{RunError, exit, handle_error};
use crate::job::{Format, Job, Target};
use crate::run::{self, Stop};

mod anew;
mod check;
mod connection;

/// The longest that the last lines of the log are waited for.
const LOG_PATIENCE: Duration = Duration::from_secs(1);
/// Docker's grace, if the container has none of its own.
const STOP_TIMEOUT: u64 = 10;
/// What the engine may take beyond it, and the last requests beyond the drain.
const BEYOND: Duration = Duration::from_secs(45);
/// Names, files, the checkpoint.
const BLOCKING_THREADS_MAX: usize = blocking_io::RESOLVING_MAX + 16;

/// Runs the program.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let variables: Vec<_> = variables.into_iter().collect();
    let environment: Environment = variables.iter().cloned().collect();
    let code = match parse_arguments(arguments.iter().cloned(), &environment) {
        Err(bad) => refuse(&bad),
        Ok(Request::Print(text)) => print(&text),
        Ok(Request::Check { job, json }) => match runtime() {
            Ok(runtime) => print(&runtime.block_on(check::describe(&job, &environment, json))),
            Err(failure) => fail(&failure),
        },
        Ok(Request::Do(job)) => {
            let code = act(*job, &arguments, &variables, environment);
            telemetry::flush(LOG_PATIENCE);
            match code {
                Ok(code) => code,
                Err(failure) => handle_error(&failure, &mut io::stderr()),
            }
        }
    };
    ExitCode::from(code)
}

fn refuse(bad: &BadArguments) -> u8 {
    for problem in &bad.problems {
        let _ = writeln!(io::stderr(), "cw-run: {problem}");
    }
    match bad.is_usage() {
        true => exit::USAGE,
        false => exit::CONFIGURATION,
    }
}

fn print(text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        // Who read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &io::Error) -> u8 {
    let _ = writeln!(io::stderr(), "cw-run: {failure}");
    exit::FAILED
}

/// One thread: there is more waiting than work.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
}

fn act(
    job: Job,
    arguments: &[OsString],
    variables: &[(OsString, OsString)],
    environment: Environment,
) -> Result<u8, RunError> {
    let failed = |failure: io::Error| RunError::Process { source: failure };
    begin_log(&job)?;
    if job.aws.shown {
        warn!(
            "secrets on the command line show in ps and in the shell's history: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or a role"
        );
    }
    if let Some(change) = anew::needed(arguments, variables) {
        telemetry::flush(LOG_PATIENCE);
        return Err(failed(change.start()));
    }
    let runtime = runtime().map_err(failed)?;
    let requests = {
        let _entered = runtime.enter();
        // As PID 1 in a container a process gets only the signals that it asks for.
        Requests::catch().map_err(failed)?
    };
    let _watchdog = Watchdog::start_with(grace(&job), i32::from(exit::FAILED)).map_err(failed)?;
    let code = runtime.block_on(caught(until_stopped_again(requests, |stop| {
        do_job(job, environment, stop)
    })));
    // A thread that hangs in a dead file system must not keep the process.
    runtime.shutdown_background();
    code
}

fn begin_log(job: &Job) -> Result<(), RunError> {
    let format = match job.output.log_format {
        Format::Json => LogFormat::Json,
        Format::Text => LogFormat::Text,
        Format::Auto if io::stderr().is_terminal() => LogFormat::Text,
        Format::Auto => LogFormat::Json,
    };
    let config = LogConfig {
        filter: job.output.log_level.clone(),
        format,
    };
    telemetry::init(&config, Output::Stderr).map_err(|failure| RunError::Process {
        source: io::Error::other(failure),
    })?;
    for warning in &job.warnings {
        warn!(problem = warning, "the arguments look wrong");
    }
    Ok(())
}

/// When whoever still hangs is ended.
fn grace(job: &Job) -> Duration {
    let stop_timeout = match &job.target {
        Target::Run(run) => run
            .container
            .body
            .stop_timeout
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or(STOP_TIMEOUT),
        Target::Attach(_) => 0,
    };
    Duration::from_secs(stop_timeout) + job.delivery.drain_timeout + BEYOND
}

/// A panic would end the process with a code of Rust's own.
async fn caught(job: impl Future<Output = Result<u8, RunError>>) -> Result<u8, RunError> {
    let ended = AssertUnwindSafe(job).catch_unwind().await;
    ended.unwrap_or(Err(RunError::Panicked))
}

/// A first signal stops the job, a second one ends it at once.
async fn until_stopped_again<F: Future<Output = Result<u8, RunError>>>(
    mut requests: Requests,
    job: impl FnOnce(Stop) -> F,
) -> Result<u8, RunError> {
    let (ask, asked) = watch::channel(false);
    let job = job(Stop::new(asked));
    tokio::pin!(job);
    let mut stops = Stops::default();
    loop {
        tokio::select! {
            ended = &mut job => return ended,
            () = requests.stop() => match stops.take(std::time::Instant::now()) {
                Signal::First => {
                    info!("stopping, a second signal ends at once");
                    ask.send_replace(true);
                }
                Signal::Same => {}
                Signal::Again => return Err(RunError::Abandoned),
            },
        }
    }
}

async fn do_job(mut job: Job, environment: Environment, mut stop: Stop) -> Result<u8, RunError> {
    let host = job.docker_host.clone();
    // A container that the checkpoint knows is taken up and stopped.
    let may_run = job.delivery.checkpoint.is_some() && matches!(job.target, Target::Run(_));
    let ((service, region), docker) = tokio::select! {
        both = async {
            let connected = connection::connect(&job, &environment).await?;
            Ok((connected, get_docker_client(host.as_deref()).await?))
        } => both?,
        () = stop.asked(), if !may_run => return Err(RunError::Stopped),
    };
    job.aws.region = Some(region);
    run::run(job, service, docker, stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_ends_with_our_own_exit_code() {
        let ended = caught(async { panic!("a test") }).await;
        assert_eq!(ended.unwrap_err().code(), exit::FAILED);
    }
}
