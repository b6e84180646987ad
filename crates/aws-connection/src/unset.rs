//! Unsets what is set to nothing, for those who would take it at its word.
//!
//! Compose files and charts pass variables on whether they have a value or not. The SDK
//! panics at an empty `AWS_ENDPOINT_URL` and trusts nobody with an empty `SSL_CERT_FILE`.
//! It reads the environment of the process, which can only be changed safely by the start
//! of a program: this one starts anew in its own place, with the same process id.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Beginnings of the names that libraries read by themselves.
const READ_BY_LIBRARIES: &[&str] = &["AWS_", "SSL_CERT_"];

/// The variables that a library would misread.
#[must_use]
pub fn misread(environment: &[(OsString, OsString)]) -> Vec<&OsStr> {
    let empty = environment.iter().filter(|(name, value)| {
        let value_is_blank = value.to_str().is_some_and(|value| value.trim().is_empty());
        let name = name.to_str().unwrap_or_default();
        value_is_blank && READ_BY_LIBRARIES.iter().any(|own| name.starts_with(own))
    });
    empty.map(|(name, _)| name.as_os_str()).collect()
}

/// Starts the program anew without these variables. Only a failure returns.
pub fn start_without(names: &[&OsStr], arguments: &[OsString]) -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = Command::new(program);
    if let [own_name, rest @ ..] = arguments {
        command.arg0(own_name).args(rest);
    }
    for name in names {
        command.env_remove(name);
    }
    command.exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_of_libraries_are_misread_and_no_others() {
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
        assert_eq!(misread(&environment), expected);
    }
}
