//! What hangs: files that the SDK reads, a standard output that nobody reads, and the
//! thread that hears signals.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use shutdown::{Requests, Watchdog};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::idle;
use crate::support::{PATIENCE, Setup, endpoint};

/// What stands for "within the grace" on a crowded machine.
const SOON: Duration = Duration::from_secs(20);

/// A pipe that nobody writes to, as a file of a server that is gone.
fn pipe() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    (dir, pipe)
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

/// Waits until somebody reads the pipe, and holds its other end.
async fn opened(pipe: &Path) -> std::fs::File {
    let pipe = pipe.to_owned();
    let open = move || std::fs::File::options().write(true).open(pipe);
    let opened = tokio::task::spawn_blocking(open);
    timeout(PATIENCE, opened).await.unwrap().unwrap().unwrap()
}

/// No credentials but those that the variables lead to.
fn without_keys() -> Setup {
    idle("http://127.0.0.1:1")
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONFIG_FILE", "/dev/null")
        .with("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
}

#[tokio::test]
async fn credentials_file_that_hangs_holds_up_neither_signals_nor_the_end() {
    for (variable, others) in [
        ("AWS_SHARED_CREDENTIALS_FILE", vec![]),
        ("AWS_CONFIG_FILE", vec![]),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            vec![("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")],
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")],
        ),
    ] {
        let (_dir, pipe) = pipe();
        let mut setup = without_keys().with(variable, pipe.display());
        for (name, value) in others {
            setup = setup.with(name, value);
        }
        let publisher = setup.start();
        let _writer = opened(&pipe).await;
        let began = Instant::now();
        let ended = publisher.stopped().await;
        assert!(began.elapsed() < SOON, "{variable}");
        assert_eq!(ended.code(), Some(0), "{variable} {ended:#?}");
        ended.line("stopped");
    }
}

#[tokio::test]
async fn profiles_that_hang_while_their_region_is_looked_for_hold_up_no_stop() {
    let (_dir, pipe) = pipe();
    let setup = without_keys()
        .without("AWS_REGION")
        .with("AWS_CONFIG_FILE", pipe.display());
    let publisher = setup.start();
    let _writer = opened(&pipe).await;
    let began = Instant::now();
    assert_eq!(publisher.stopped().await.code(), Some(0));
    // They are given up after five seconds.
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn credentials_file_that_hangs_is_told_and_waited_for_until_it_answers() {
    let endpoint = endpoint().await;
    let (_dir, pipe) = pipe();
    let setup = Setup::new(&endpoint.url())
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONFIG_FILE", "/dev/null")
        .with("AWS_SHARED_CREDENTIALS_FILE", pipe.display())
        .with("REQUEST_TIMEOUT", "500ms")
        .with("SCHEDULE", "* * * * * *");
    let publisher = setup.start();
    let writer = opened(&pipe).await;
    publisher
        .line("credentials unavailable, continuing without")
        .await;
    // The server of the file is back.
    std::fs::remove_file(&pipe).unwrap();
    std::fs::write(
        &pipe,
        "[default]\naws_access_key_id = test\naws_secret_access_key = test\n",
    )
    .unwrap();
    drop(writer);
    publisher.line("published").await;
    assert_eq!(publisher.stopped().await.code(), Some(0));
}

#[tokio::test]
async fn file_that_hangs_when_credentials_are_read_again_costs_no_tick() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    std::fs::write(
        &file,
        "[default]\naws_access_key_id = test\naws_secret_access_key = test\n",
    )
    .unwrap();
    let setup = Setup::new(&endpoint.url())
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONFIG_FILE", "/dev/null")
        .with("AWS_SHARED_CREDENTIALS_FILE", file.display())
        .with("REQUEST_TIMEOUT", "2s")
        .with("SCHEDULE", "* * * * * *");
    let publisher = setup.start();
    publisher.line("published").await;
    std::fs::remove_file(&file).unwrap();
    mkfifoat(CWD, &file, Mode::RUSR | Mode::WUSR).unwrap();
    publisher.signal(Signal::HUP);
    let _writer = opened(&file).await;
    let so_far = endpoint.points().len();
    endpoint.received_at_least(so_far + 2).await;
    publisher
        .line("credentials not reloaded, keeping the old ones")
        .await;
    assert_eq!(publisher.stopped().await.code(), Some(0));
}

#[tokio::test]
async fn certificates_that_hang_hold_up_neither_signals_nor_the_end() {
    let (_dir, pipe) = pipe();
    // Whoever read it would wait for ever.
    let both_ends = std::fs::File::options().read(true).write(true).open(&pipe);
    let _both_ends = both_ends.unwrap();
    let publisher = idle("https://127.0.0.1:1")
        .with("SSL_CERT_FILE", pipe.display())
        .start();
    let told = publisher.line("configuration looks wrong").await;
    assert_eq!(told["setting"], "SSL_CERT_FILE");
    assert_eq!(publisher.stopped().await.code(), Some(0));
}

#[tokio::test]
async fn check_gives_up_on_profiles_that_hang_and_says_so() {
    let (_dir, pipe) = pipe();
    let check = without_keys()
        .with("AWS_CONFIG_FILE", pipe.display())
        .arg("check");
    let ended = check.clone().finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let output = ended.output.join("\n");
    assert!(output.contains("did not come to an end"), "{output}");
    // Nor is it told only that no region is set.
    let refused = check.without("AWS_REGION").finish().await;
    assert_eq!(refused.code(), Some(78), "{refused:#?}");
    let why = "AWS_REGION: cannot read the profiles";
    assert!(refused.stderr.contains(why), "{refused:#?}");
}

/// Lines of a tick that are more than a pipe takes.
fn talkative(dir: &Path) -> PathBuf {
    let crontab = dir.join("crontab");
    let failing = "* * * * * * name=Failing value=file:/nothing/here\n".repeat(600);
    std::fs::write(&crontab, failing + "* * * * * * name=Good value=1\n").unwrap();
    crontab
}

#[tokio::test]
async fn standard_output_that_nobody_reads_holds_up_neither_ticks_nor_the_end() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup::new(&endpoint.url()).with("CRONTAB", talkative(dir.path()).display());
    let mut child = setup.command().spawn().unwrap();
    endpoint.received_at_least(4).await;
    signal(&child, Signal::TERM);
    let began = Instant::now();
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn lines_that_found_no_reader_are_counted_when_he_is_back() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup::new(&endpoint.url()).with("CRONTAB", talkative(dir.path()).display());
    let mut child = setup.command().spawn().unwrap();
    // 600 lines of 250 bytes each second are 1 MiB after seven.
    endpoint.received_at_least(12).await;
    let stdout = child.stdout.take().unwrap();
    let mut lines = BufReader::new(stdout).lines();
    let mut dropped = None;
    while dropped.is_none() {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap();
        let line: serde_json::Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
        if line["message"] == "log lines dropped, standard output was not read" {
            dropped = line["lines"].as_u64();
        }
    }
    assert!(dropped > Some(0), "{dropped:?}");
    signal(&child, Signal::TERM);
    let mut last = String::new();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
        last = line;
    }
    assert!(last.contains(r#""message":"stopped""#), "{last}");
}

/// Starts to hear signals and then hears no more.
#[expect(clippy::print_stderr, reason = "its parent waits for the line")]
fn hang(grace: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let _requests = Requests::catch().unwrap();
        let watchdog = Watchdog::start(Duration::from_secs(1800)).unwrap();
        watchdog.set_grace(grace);
        eprintln!("hanging");
        loop {
            std::thread::park();
        }
    });
}

#[test]
#[ignore = "a process of the tests below, which never ends by itself"]
fn hang_with_a_short_grace() {
    hang(Duration::from_millis(200));
}

#[test]
#[ignore = "a process of the tests below, which never ends by itself"]
fn hang_with_a_long_grace() {
    hang(Duration::from_secs(3600));
}

/// One of these as a process.
async fn process(test: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(format!("process::hanging::{test}"))
        .args(["--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut word = [0; 7];
    let stderr = child.stderr.as_mut().unwrap();
    let read = timeout(PATIENCE, stderr.read_exact(&mut word)).await;
    read.unwrap().unwrap();
    assert_eq!(&word, b"hanging");
    child
}

#[tokio::test]
async fn process_whose_thread_hangs_is_ended_a_second_after_the_grace() {
    let mut child = process("hang_with_a_short_grace").await;
    let began = Instant::now();
    signal(&child, Signal::TERM);
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(began.elapsed() >= Duration::from_millis(1200));
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn second_signal_ends_a_process_whose_thread_hangs() {
    let mut child = process("hang_with_a_long_grace").await;
    signal(&child, Signal::TERM);
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    signal(&child, Signal::INT);
    let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(began.elapsed() < SOON);
}
