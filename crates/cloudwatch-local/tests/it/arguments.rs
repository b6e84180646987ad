//! The endpoint as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cloudwatch-local"))
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn name_of_a_host_is_listened_on() {
    let mut command = program();
    command
        .args(["--listen", "localhost:0"])
        .stdout(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut line = String::new();
    let output = running.0.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://"), "{line:?}");
}

#[test]
fn what_is_no_address_is_refused_with_one_that_is() {
    for listen in ["localhost", "127.0.0.1", "127.0.0.1:http", ":"] {
        let output = output(&["--listen", listen]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains("write for example 127.0.0.1:4580"),
            "{error}"
        );
    }
}

#[test]
fn version_is_that_of_the_package() {
    let output = output(&["--version"]);
    let version = String::from_utf8(output.stdout).unwrap();
    let expected = concat!("cloudwatch-local ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((output.status.code(), &*version), (Some(0), expected));
}
