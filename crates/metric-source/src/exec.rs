//! `exec:/program arg…`: the number that a program prints.
//!
//! There is no shell: the text is split by a shell's quoting rules, and nothing in it
//! is expanded. The program gets this process's environment and working directory
//! and no input, as `docker exec` would give it. What it starts ends with it (see
//! `group`).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::str::FromStr;

use cloudwatch_metric::Value;
use diagnostics::redacted_prefix_bytes;

use super::threads::THREADS;
use super::{NumberError, Sampling, Source, Tick, number};

mod group;
mod output;

use group::{Group, Started};
use output::{OUTPUT_MAX, Output};

/// How much of the end of standard error an error shows: a program's last words say
/// what was wrong, and a few lines of them do not flood a log.
const STDERR_SHOWN: usize = 200;
/// Bytes kept for that: no character of UTF-8 is longer than four.
const STDERR_KEPT: usize = 4 * STDERR_SHOWN;

#[derive(PartialEq, Eq)]
pub(super) struct Exec {
    program: PathBuf,
    arguments: Vec<String>,
}

/// Why a text names no program.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseExecError {
    #[error("no program is given, write exec:/path/to/program argument")]
    Empty,
    #[error("a quote is left open or the end is a backslash, close the quote")]
    Quoting,
    #[error(
        "the program is not given by its absolute path, write exec:/path/to/program; \
         there is no shell, for one write exec:/bin/sh -c '...'"
    )]
    NotAbsolute,
}

/// Why a program gave no value. Its arguments are never shown, they may hold secrets.
#[derive(Debug, thiserror::Error)]
enum ExecError {
    #[error(
        "{program} does not exist; the image holds no programs but cw-publisher itself, \
         mount a static one or build an image FROM cw-publisher that has it"
    )]
    Absent { program: PathBuf },
    #[error(
        "{program} exists, but what runs it does not: its dynamic loader, or the interpreter \
         in its first line; link it statically or add that to the image"
    )]
    NoInterpreter { program: PathBuf },
    #[error("start {program}")]
    Start { program: PathBuf, source: io::Error },
    #[error("read what {program} prints")]
    Read { program: PathBuf, source: io::Error },
    #[error("wait for {program}")]
    Wait { program: PathBuf, source: io::Error },
    #[error("{program} printed more than {OUTPUT_MAX} bytes")]
    TooLong { program: PathBuf },
    #[error("{program} failed with {status}, its standard error ends with {stderr:?}")]
    Failed {
        program: PathBuf,
        status: ExitStatus,
        stderr: String,
    },
    #[error("what {program} prints is not UTF-8 text, read \"{read}\"")]
    NotText { program: PathBuf, read: String },
    #[error("the output of {program}")]
    Number {
        program: PathBuf,
        source: NumberError,
    },
}

impl FromStr for Exec {
    type Err = ParseExecError;

    fn from_str(text: &str) -> Result<Self, ParseExecError> {
        let words = shlex::split(text).ok_or(ParseExecError::Quoting)?;
        let mut words = words.into_iter();
        let program = words.next().ok_or(ParseExecError::Empty)?;
        if !program.starts_with('/') {
            return Err(ParseExecError::NotAbsolute);
        }
        Ok(Self {
            program: program.into(),
            arguments: words.collect(),
        })
    }
}

/// The program, and whether it has arguments, which may hold secrets.
impl fmt::Display for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.arguments.is_empty() {
            ""
        } else {
            " …"
        };
        write!(f, "exec:{}{more}", self.shown().display())
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exec({self})")
    }
}

impl Exec {
    /// The program as errors show it. Who quotes a whole command makes it one long name, so
    /// that ends where no name of a program goes on.
    fn shown(&self) -> PathBuf {
        let name = self.program.to_string_lossy();
        let goes_on = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
        match name.find(|c| !goes_on(c)) {
            Some(end) => format!("{}…", &name[..end]).into(),
            None => self.program.clone(),
        }
    }

    async fn value(&self) -> Result<Value, ExecError> {
        let program = || self.shown();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        // Held to the end of this function: whatever ends it ends the group.
        let mut group = Group::start(command, THREADS.free().await);
        let started = match group.started().await {
            Ok(started) => started,
            Err(source) => return Err(self.why_not_started(source).await),
        };
        let printed = self.finish(started).await?;
        let text = String::from_utf8(printed).map_err(|error| ExecError::NotText {
            program: program(),
            read: redacted_prefix_bytes(error.as_bytes()),
        })?;
        number(&text).map_err(|source| ExecError::Number {
            program: program(),
            source,
        })
    }

    /// What the program prints until it ends. A pipe that a daemon keeps open does
    /// not prolong that.
    async fn finish(&self, started: Started) -> Result<Vec<u8>, ExecError> {
        let program = || self.shown();
        let read = |source| ExecError::Read {
            program: program(),
            source,
        };
        let mut stdout = Output::new(started.stdout.into(), OUTPUT_MAX + 1).map_err(read)?;
        let mut stderr = Output::new(started.stderr.into(), STDERR_KEPT).map_err(read)?;
        let mut ended = started.ended;
        let status = loop {
            tokio::select! {
                status = &mut ended => break status,
                more = stdout.more(), if stdout.is_open() => more.map_err(read)?,
                more = stderr.more(), if stderr.is_open() => more.map_err(read)?,
            }
            if stdout.length() > OUTPUT_MAX {
                return Err(ExecError::TooLong { program: program() });
            }
        };
        let stdout = stdout.rest().map_err(read)?;
        let stderr = stderr.rest().map_err(read)?;
        let status = status
            .unwrap_or_else(|_| Err(io::Error::other("the supervising thread is gone")))
            .map_err(|source| ExecError::Wait {
                program: program(),
                source,
            })?;
        if !status.success() {
            return Err(ExecError::Failed {
                program: program(),
                status,
                stderr: last_words(&stderr),
            });
        }
        if stdout.len() > OUTPUT_MAX {
            return Err(ExecError::TooLong { program: program() });
        }
        Ok(stdout)
    }

    async fn why_not_started(&self, source: io::Error) -> ExecError {
        let program = self.shown();
        if source.kind() != io::ErrorKind::NotFound {
            return ExecError::Start { program, source };
        }
        let path = self.program.clone();
        match THREADS.run(move || path.try_exists()).await {
            Ok(Ok(true)) => ExecError::NoInterpreter { program },
            _ => ExecError::Absent { program },
        }
    }
}

impl Source for Exec {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value().await?.into()) })
    }
}

fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    match text.char_indices().rev().nth(STDERR_SHOWN) {
        Some((i, cut)) => format!("…{}", &text[i + cut.len_utf8()..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    async fn run(text: &str) -> Result<f64, String> {
        match text.parse::<Exec>().unwrap().value().await {
            Ok(value) => Ok(value.get()),
            Err(error) => Err(diagnostics::chain(&error)),
        }
    }

    fn script(text: &str) -> String {
        format!("/bin/sh -c {}", shlex::try_quote(text).unwrap())
    }

    #[test]
    fn arguments_are_split_by_a_shells_quoting_rules() {
        let exec: Exec = r#"/bin/x -a 'b c' "d \"e" f\ g '' $HOME *"#.parse().unwrap();
        assert_eq!(exec.program, Path::new("/bin/x"));
        let arguments = ["-a", "b c", "d \"e", "f g", "", "$HOME", "*"];
        assert_eq!(exec.arguments, arguments);
    }

    #[test]
    fn what_names_no_program_is_refused_with_the_way_to_write_it() {
        for (bad, part) in [
            ("", "exec:/path/to/program"),
            ("date +%s", "absolute path"),
            ("/bin/sh -c 'echo 1", "close the quote"),
            ("/bin/sh \\", "backslash"),
        ] {
            let error = bad.parse::<Exec>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    /// The end of a program and what it printed reach this process by different
    /// ways; a few dozen runs would show the one that overtakes the other.
    #[tokio::test]
    async fn printed_number_is_the_value() {
        for _ in 0..50 {
            assert_eq!(run("/bin/echo ' 4.5'").await, Ok(4.5));
        }
    }

    #[tokio::test]
    async fn program_has_no_input() {
        assert_eq!(run(&script("wc -c")).await, Ok(0.0));
    }

    #[tokio::test]
    async fn failure_is_told_with_the_exit_code_and_the_end_of_standard_error() {
        let noise = "i=0; while [ $i -lt 3000 ]; do echo 0123456789 >&2; i=$((i+1)); done;";
        let text = script(&format!(
            "{noise} printf 'no queue\\033[0m\n' >&2; echo 1; exit 3"
        ));
        let error = run(&text).await.unwrap_err();
        assert!(
            error.contains("/bin/sh failed with exit status: 3"),
            "{error}"
        );
        assert!(
            error.ends_with(r#"0123456789\nno queue\u{1b}[0m""#),
            "{error}"
        );
        assert!(error.len() < 400, "{error}");
        let error = run(&script("kill -TERM $$")).await.unwrap_err();
        assert!(error.contains("signal: 15"), "{error}");
    }

    #[tokio::test]
    async fn output_that_is_no_number_is_refused_and_shown() {
        for (text, part) in [
            ("echo full", r#"expected a number, read "full""#),
            ("true", r#"expected a number, read """#),
            ("echo 1; echo 2", r#"read "1\n2""#),
            ("echo NaN", "NaN"),
            (r"printf '\377'", "UTF-8"),
            ("yes", "more than 65536 bytes"),
            ("head -c 65537 /dev/zero", "more than 65536 bytes"),
        ] {
            let error = run(&script(text)).await.unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn absent_program_is_told_from_one_that_lacks_its_interpreter() {
        use std::os::unix::fs::PermissionsExt;

        let error = run("/no/such/program 1").await.unwrap_err();
        assert!(error.contains("FROM cw-publisher"), "{error}");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        std::fs::write(&path, "#!/no/such/interpreter\n").unwrap();
        let error = run(&path.display().to_string()).await.unwrap_err();
        assert!(error.contains("denied"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let error = run(&path.display().to_string()).await.unwrap_err();
        assert!(error.contains("interpreter"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn daemon_that_holds_the_output_open_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo").display().to_string();
        let text = script(&format!(
            "mkfifo {fifo}; setsid sh -c 'echo $$ > {fifo}; exec sleep 1000' & \
             read daemon < {fifo}; echo $daemon"
        ));
        let daemon = run(&text).await.unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "a process id")]
        let daemon = rustix::process::Pid::from_raw(daemon as i32).unwrap();
        rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
    }
}
