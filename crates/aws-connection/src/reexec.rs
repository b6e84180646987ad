//! Unsets what is set to nothing, for those who would take it at its word.
//!
//! Compose files and charts pass variables on whether they have a value or not. The SDK
//! panics at an empty `AWS_ENDPOINT_URL` and trusts nobody with an empty `SSL_CERT_FILE`.
//! It reads the environment of the process, which can only be changed safely by the start
//! of a program: this one starts anew in its own place, with the same process id.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Beginnings of the names that libraries read by themselves.
const READ_BY_LIBRARIES: &[&str] = &["AWS_", "SSL_CERT_"];

/// How the program is to start anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reexec {
    /// The arguments, the program's own name first.
    pub arguments: Vec<OsString>,
    /// Variables that are to have these values.
    pub set: Vec<(&'static str, OsString)>,
    /// Variables that are not to be set.
    pub unset: Vec<OsString>,
}

impl Reexec {
    /// Starts the program anew. Only a failure returns.
    pub fn start(&self) -> io::Error {
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => return error,
        };
        let mut command = Command::new(program);
        if let [own_name, rest @ ..] = &self.arguments[..] {
            command.arg0(own_name).args(rest);
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        command.exec()
    }
}

/// Why the program could not start anew.
#[derive(Debug, thiserror::Error)]
#[error("cannot unset {names:?}")]
pub struct ReexecError {
    names: Vec<OsString>,
    source: io::Error,
}

/// Starts the program anew without the variables of the SDK that are set to nothing, if there
/// is any. Returns only if there is none, or with why it could not.
pub fn reexec_without_empty_sdk_vars(
    environment: &[(OsString, OsString)],
    arguments: &[OsString],
) -> Result<(), ReexecError> {
    let unset = empty_sdk_vars(environment);
    if unset.is_empty() {
        return Ok(());
    }
    let reexec = Reexec {
        arguments: arguments.to_vec(),
        set: Vec::new(),
        unset,
    };
    Err(ReexecError {
        source: reexec.start(),
        names: reexec.unset,
    })
}

/// The variables of the SDK that are set to nothing.
#[must_use]
pub fn empty_sdk_vars(environment: &[(OsString, OsString)]) -> Vec<OsString> {
    let empty = environment.iter().filter(|(name, value)| {
        let value_is_blank = value.to_str().is_some_and(|value| value.trim().is_empty());
        let name = name.to_str().unwrap_or_default();
        value_is_blank && READ_BY_LIBRARIES.iter().any(|own| name.starts_with(own))
    });
    empty.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_variables_of_libraries_are_unset() {
        let environment = [
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_PROFILE", " "),
            ("AWS_REGION", "us-east-1"),
            ("SSL_CERT_FILE", ""),
            ("METRIC_NAME", ""),
            ("HTTPS_PROXY", ""),
        ];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let expected = ["AWS_ENDPOINT_URL", "AWS_PROFILE", "SSL_CERT_FILE"];
        assert_eq!(empty_sdk_vars(&environment), expected);
    }
}
