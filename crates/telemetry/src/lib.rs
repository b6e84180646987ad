//! Logs: one JSON object (or one line of text) an event. Who logs never waits for who reads:
//! lines stand in a queue of bounded size that a thread of its own writes, and what finds no
//! room is counted. No event can break its line, and none holds the secrets of a URL.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use telemetry::{LogConfig, Output};
//!
//! telemetry::init(&LogConfig::default(), Output::Stdout)?;
//! tracing::info!(points = 1, "published");
//! telemetry::flush(Duration::from_secs(1));
//! # Ok::<(), telemetry::LogError>(())
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use diagnostics::redact;
use tracing::error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

mod config;
mod queue;

pub use config::{LevelError, LogConfig, LogFormat, filter, format};

use queue::Queue;

/// What libraries say below a warning is about them, not about the metrics, and the
/// SDK's own details may name what was signed. Whoever wants it names them in
/// `LOG_LEVEL`, for example `info,aws_config=debug`.
const QUIET: &str = "tokio_cron_scheduler=warn,aws_config=warn,aws_runtime=warn,\
    aws_sdk_cloudwatch=warn,aws_sdk_cloudwatchlogs=warn,aws_sdk_sts=warn,aws_sdk_sso=warn,aws_sdk_ssooidc=warn,aws_sigv4=warn,\
    aws_smithy_runtime=warn,aws_smithy_runtime_api=warn,aws_smithy_http_client=warn,\
    hyper=warn,hyper_util=warn,h2=warn,rustls=warn";

/// Enough to log a line, in unoptimised builds too.
const STACK: usize = 256 * 1024;

static LOG: OnceLock<Log> = OnceLock::new();

thread_local! {
    /// Whether this is the thread that writes, which waits for nobody but the output.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// Where the lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error, for programs whose output is something else.
    Stderr,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum LogError {
    #[error("take the output")]
    Output { source: io::Error },
    #[error("start the thread that writes")]
    Thread { source: io::Error },
    #[error("set up the log")]
    Init { source: TryInitError },
}

/// The lines and where they go.
struct Log {
    queue: Queue,
    /// Without the buffer and the lock of `io::Stdout`, which an exit would wait for.
    output: File,
}

/// Begins to log. Comes before anything that logs, once.
pub fn init(config: &LogConfig, output: Output) -> Result<(), LogError> {
    let dropped = match output {
        Output::Stdout => "log lines dropped, standard output was not read",
        Output::Stderr => "log lines dropped, standard error was not read",
    };
    let output = match output {
        Output::Stdout => io::stdout().as_fd().try_clone_to_owned(),
        Output::Stderr => io::stderr().as_fd().try_clone_to_owned(),
    };
    let log = Log {
        queue: Queue::default(),
        output: output.map_err(|source| LogError::Output { source })?.into(),
    };
    subscribe(config).map_err(|source| LogError::Init { source })?;
    let log = LOG.get_or_init(|| log);
    thread::Builder::new()
        .name("log".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            WRITES.set(true);
            log.queue
                .serve(&log.output, |lines| error!(lines, "{dropped}"));
        })
        .map_err(|source| LogError::Thread { source })?;
    Ok(())
}

/// Waits until all lines are written, but not for longer than this. Ends every command that
/// logs.
pub fn flush(patience: Duration) {
    if let Some(log) = LOG.get() {
        log.queue.flush(patience);
    }
}

fn subscribe(config: &LogConfig) -> Result<(), TryInitError> {
    // `Targets` and not `EnvFilter`: what that can do more, filters on spans and fields,
    // finds nothing here and costs two regex engines. `config` has checked the filter.
    let filter = format!("{QUIET},{}", config.filter)
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(|| OneLine(ToLog))
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match config.format {
        LogFormat::Json => {
            let json = layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false);
            registry.with(json).try_init()
        }
        LogFormat::Text => registry.with(layer).try_init(),
    }
}

/// Puts a line into the queue.
struct ToLog;

impl Write for ToLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(log) = LOG.get() {
            if WRITES.get() {
                queue::write(&mut &log.output, line);
            } else {
                log.queue.push(line);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes control characters, so that a value from outside cannot break a line. An
/// event is written at once and ends with the only line feed that it may have.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (body, end) = match event.split_last() {
            Some((b'\n', body)) => (body, "\n"),
            _ => (event, ""),
        };
        let body = String::from_utf8_lossy(body);
        // What libraries say may hold the URLs that they were given.
        let body = match body.contains("//") {
            // A quote of JSON ends a URL with the backslash before it.
            true => Cow::Owned(
                body.split("\\\"")
                    .map(redact)
                    .collect::<Vec<_>>()
                    .join("\\\""),
            ),
            false => body,
        };
        if body.contains(breaks_a_line) {
            let mut line = String::with_capacity(event.len() + 16);
            for character in body.chars() {
                match character {
                    '\n' => line.push_str("\\n"),
                    '\r' => line.push_str("\\r"),
                    '\t' => line.push_str("\\t"),
                    // In the form that JSON knows, too.
                    _ if breaks_a_line(character) => {
                        let _ = write!(line, "\\u{:04x}", u32::from(character));
                    }
                    _ => line.push(character),
                }
            }
            line.push_str(end);
            self.0.write_all(line.as_bytes())?;
        } else {
            self.0
                .write_all(&[body.as_bytes(), end.as_bytes()].concat())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, and what Unicode takes for the end of a line beside them.
fn breaks_a_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_holds_no_secret_of_a_url() {
        let mut written = Vec::new();
        let event = br#"{"m":"got \"http://me:secret@host/?token=secret\" at //a@b"}"#;
        assert_eq!(OneLine(&mut written).write(event).unwrap(), event.len());
        let shown = String::from_utf8(written).unwrap();
        assert_eq!(shown, r#"{"m":"got \"http://***@host/?…\" at //***@b"}"#);
    }

    #[test]
    fn event_stays_one_line() {
        let mut written = Vec::new();
        let event = "INFO a\nb\r\x1b[31m\u{85}\u{2028}\n".as_bytes();
        assert_eq!(OneLine(&mut written).write(event).unwrap(), event.len());
        assert_eq!(written, b"INFO a\\nb\\r\\u001b[31m\\u0085\\u2028\n");
    }
}
