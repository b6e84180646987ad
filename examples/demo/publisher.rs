//! The publisher as a process of its own: this very program, started again with an argument.
//!
//! So it is the real program with the environment that it is to have, and needs no other
//! binary to be built.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::thread;

use cw_publisher::cli;
use signal_hook::consts::SIGTERM;
use signal_hook::low_level::raise;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Makes the program the publisher.
pub(crate) const ARGUMENT: &str = "as-the-publisher";

/// A publisher that runs.
pub(crate) struct Publisher {
    child: Child,
    /// Closing it is the request to stop, also when this process dies.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Publisher {
    /// Starts it with nothing of this process's environment: the user's AWS profile and
    /// proxies have no part in a demonstration.
    pub(crate) fn start(endpoint: &str, crontab: &Path) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .env_clear()
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_ENDPOINT_URL_CLOUDWATCH", endpoint)
            .env("CRONTAB", crontab)
            .env("LOG_FORMAT", "text")
            // A publisher beside this one has the socket that `auto` stands for.
            .env("HEALTH_ADDR", "off")
            // The outage is short, so the waiting is too.
            .env("RETRY_MAX", "2")
            .env("RETRY_BASE", "800ms")
            // Ctrl-C reaches this process alone, which then closes the input.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().expect("the output is a pipe");
        Ok(Self {
            input: child.stdin.take(),
            output: BufReader::new(output).lines(),
            child,
        })
    }

    /// The next line of its log, `None` after the last.
    pub(crate) async fn next_line(&mut self) -> io::Result<Option<String>> {
        self.output.next_line().await
    }

    /// Asks it to stop; `false` if that was done before.
    pub(crate) fn stop(&mut self) -> bool {
        self.input.take().is_some()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

/// What the process that was started does: the publisher's `main`, stopped as Docker stops
/// it when the input ends.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the main of the process that was started"
)]
pub(crate) fn main() -> ExitCode {
    thread::spawn(|| {
        // An error of the input is an end of it, too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        raise(SIGTERM)
    });
    cli::main([OsString::from("cw-publisher")], std::env::vars_os())
}
