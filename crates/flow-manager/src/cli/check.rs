//! `check`: says what flow-manager would do, without the engine and the network.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use settings::{Diagnostics, Environment};

use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::auth::Tokens;
use crate::config::{Config, overview, setting};

/// Says whether SELinux decides.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// Checks the configuration and prints what it found: problems to standard error, one
/// `SETTING: problem` a line.
pub(super) fn check(environment: &Environment, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let (config, mut findings) = Config::read(environment);
    if let Some(config) = &config {
        look(config, &mut findings);
    }
    let is_good = findings.problems.is_empty();
    match print(config.as_ref().filter(|_| is_good), &findings, out, err) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(err, "cannot print the result: {error}");
            FAILURE
        }
        _ if is_good => SUCCESS,
        _ => BAD_CONFIGURATION,
    }
}

/// What the disk says about it.
fn look(config: &Config, findings: &mut Diagnostics) {
    if let Some(path) = &config.tokens_file {
        match Tokens::read(path) {
            Ok((tokens, problems, is_open)) => {
                if tokens.is_empty() && problems.is_empty() {
                    findings.problem(setting::TOKENS_FILE.name, "the file has no token");
                }
                findings.problems.extend(problems);
                if is_open {
                    findings.warning(
                        setting::TOKENS_FILE.name,
                        "others can read the file: chmod 600",
                    );
                }
            }
            Err(error) => findings.problem(setting::TOKENS_FILE.name, diagnostics::chain(&error)),
        }
    }
    let roots = [
        (setting::MOUNT_ROOTS, &config.policy.mount_roots),
        (setting::CODE_ROOTS, &config.policy.code_roots),
    ];
    for (setting, paths) in roots {
        for path in paths.iter().filter(|path| !path.is_dir()) {
            let message = format!("{} is no folder", path.display());
            findings.warning(setting.name, message);
        }
    }
    let decides = fs::read_to_string(SELINUX).is_ok_and(|text| text.trim() == "1");
    let labels = |options: &[String]| options.iter().any(|option| option.starts_with("label="));
    if decides && !labels(&config.policy.security_opt) {
        let message = "SELinux keeps flows from their sockets: set label=disable, or label=type: of a type that may";
        findings.warning(setting::FLOW_SECURITY_OPT.name, message);
    }
    if !Path::new("/proc/self/fd").is_dir() {
        findings.problem(setting::STATE_DIR.name, "/proc is needed and not mounted");
    }
}

fn print(
    config: Option<&Config>,
    findings: &Diagnostics,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<()> {
    for problem in &findings.problems {
        writeln!(err, "{problem}")?;
    }
    for warning in &findings.warnings {
        writeln!(err, "warning: {warning}")?;
    }
    if let Some(config) = config {
        for (name, value) in overview(config) {
            writeln!(out, "{name:20} {value}")?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(variables: &[(&str, &str)]) -> (u8, String, String) {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = check(&variables.collect(), &mut out, &mut err);
        (
            code,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn result_is_printed_or_each_problem_on_a_line() {
        let (code, out, err) = run(&[]);
        assert_eq!((code, &*err), (SUCCESS, ""));
        assert!(
            out.starts_with("listens on           127.0.0.1:7070\n"),
            "{out}"
        );
        let (code, out, err) = run(&[("LISTEN", "x"), ("PULL", "y")]);
        assert_eq!((code, &*out), (BAD_CONFIGURATION, ""));
        assert_eq!(err.lines().count(), 2, "{err}");
    }

    #[test]
    fn tokens_are_checked_and_never_printed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("tokens");
        let secret = "s3cret".repeat(6);
        fs::write(&file, format!("admin me {secret}\nking you {secret}x\n")).unwrap();
        let (code, out, err) = run(&[("TOKENS_FILE", file.to_str().unwrap())]);
        assert_eq!(code, BAD_CONFIGURATION);
        assert!(err.contains(":2:1: the role"), "{err}");
        assert!(!format!("{out}{err}").contains("s3cret"));
        fs::write(&file, "").unwrap();
        assert_eq!(
            run(&[("TOKENS_FILE", file.to_str().unwrap())]).0,
            BAD_CONFIGURATION
        );
    }
}
