//! The endpoint as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cloudwatch-local"))
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// Ends with the test, and so does what it says.
pub(crate) struct Running(pub(crate) Child, BufReader<ChildStdout>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it, and gives the address that it names.
pub(crate) fn run(command: &mut Command) -> (Running, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running(child, output);
    let mut line = String::new();
    running.1.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://");
    let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
    (running, address)
}

/// The status of the answer to one who means this host.
fn status(address: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.0\r\nhost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].to_owned()
}

#[test]
fn name_of_a_host_is_listened_on() {
    let (_running, address) = run(program().args(["--listen", "localhost:0"]));
    assert_eq!(status(&address, "localhost"), "200");
}

#[test]
fn host_that_is_allowed_by_argument_or_by_variable_is_answered() {
    let (_running, address) = run(program()
        .args(["--listen", "127.0.0.1:0", "--allow-host", "cloudwatch"])
        .env("CLOUDWATCH_LOCAL_ALLOW_HOSTS", "replaced"));
    assert_eq!(status(&address, "cloudwatch:4580"), "200");
    assert_eq!(status(&address, "replaced"), "421");

    let (_running, address) = run(program()
        .args(["--listen", "127.0.0.1:0"])
        .env("CLOUDWATCH_LOCAL_ALLOW_HOSTS", "one, two"));
    assert_eq!(status(&address, "one"), "200");
    assert_eq!(status(&address, "two"), "200");
    assert_eq!(status(&address, "three"), "421");
}

#[test]
fn all_addresses_are_listened_on_and_shown_as_they_were_named() {
    let (_running, address) = run(program().args(["--listen", "0.0.0.0:0"]));
    assert_eq!(status(&address, &address), "200");
    assert_eq!(status(&address, "evil.example"), "421");
}

#[test]
fn what_is_no_host_is_refused() {
    let output = output(&["--allow-host", "cloudwatch:4580"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("without a port"), "{error}");
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

#[test]
fn number_of_bytes_is_a_number() {
    for arguments in [
        ["--keep-logs", "1k"],
        ["--read-rate", "0"],
        ["--read-rate", "fast"],
    ] {
        let output = output(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("needs a number of bytes"), "{error}");
    }
}
