//! What signals do to a process: one to stop, a second one, and SIGHUP.

use std::time::Duration;

use cloudwatch_local::Fault;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::{assert_lines, idle};
use crate::support::{Setup, endpoint, text};

/// What stands for "at once" on a crowded machine.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn signals_stop_an_idle_publisher_with_0_and_a_closing_line() {
    for signal in [Signal::TERM, Signal::INT] {
        let endpoint = endpoint().await;
        let publisher = idle(&endpoint.url()).start();
        publisher.line("published").await;
        let began = Instant::now();
        publisher.signal(signal);
        let ended = publisher.ended().await;
        assert!(began.elapsed() < SOON);
        assert_eq!(ended.code(), Some(0), "{signal:?}");
        let stopped = ended.line("stopped");
        assert_eq!(stopped["points_sent"], 1);
        assert_eq!(stopped["points_dropped"], 0);
        assert_eq!(stopped["points_unsent"], 0);
        assert!(ended.output.last().unwrap().contains(r#""stopped""#));
    }
}

#[tokio::test]
async fn stop_in_the_middle_of_a_retry_sends_once_more_and_waits_for_no_delay() {
    let endpoint = endpoint().await;
    endpoint.fail_next([Fault::throttling().with_header("retry-after", "3600")]);
    let setup = idle(&endpoint.url()).with("RETRY_CAP", "1h");
    let publisher = setup.start();
    publisher.line("publish attempt failed, retrying").await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.line("stopped")["points_sent"], 1);
    assert_eq!(endpoint.attempts().len(), 2);
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn stop_ends_at_the_grace_when_the_service_does_not_answer() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::hang());
    let setup = idle(&endpoint.url()).with("SHUTDOWN_GRACE", "1s");
    let publisher = setup.with("REQUEST_TIMEOUT", "1h").start();
    endpoint.requests_at_least(1).await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    let stopped = ended.line("stopped");
    assert_eq!(stopped["points_unsent"], 1, "{stopped}");
    assert_eq!(text(&stopped, "unsent_from"), text(&stopped, "unsent_to"));
}

/// How far apart signals are that stand for one request, and for two.
const ONE_CAUSE: Duration = Duration::from_millis(5);
const TWO_CAUSES: Duration = Duration::from_millis(300);

#[tokio::test]
async fn second_signal_ends_at_once() {
    for command in ["run", "once"] {
        let endpoint = endpoint().await;
        endpoint.fail_always(Fault::hang());
        let setup = idle(&endpoint.url()).with("SHUTDOWN_GRACE", "1h");
        let publisher = setup.with("REQUEST_TIMEOUT", "1h").arg(command).start();
        endpoint.requests_at_least(1).await;
        publisher.signal(Signal::TERM);
        publisher.line("stopping").await;
        sleep(TWO_CAUSES).await;
        publisher.signal(Signal::TERM);
        let ended = publisher.ended().await;
        assert_eq!(ended.code(), Some(1), "{ended:#?}");
        ended.line("second signal, ended at once");
    }
}

#[tokio::test]
async fn two_signals_of_one_cause_leave_the_whole_grace() {
    for second in [Signal::TERM, Signal::INT] {
        let endpoint = endpoint().await;
        endpoint.fail_next([Fault::throttling().with_header("retry-after", "3600")]);
        endpoint.fail_next([Fault::delay(2 * TWO_CAUSES)]);
        let publisher = idle(&endpoint.url()).with("RETRY_CAP", "1h").start();
        publisher.line("publish attempt failed, retrying").await;
        publisher.signal(Signal::TERM);
        sleep(ONE_CAUSE).await;
        publisher.signal(second);
        let ended = publisher.ended().await;
        assert_eq!(ended.code(), Some(0), "{ended:#?}");
        assert_eq!(ended.line("stopped")["points_sent"], 1);
        assert_eq!(endpoint.points().len(), 1);
    }
}

/// It passes a signal on to the process and then to the whole group.
#[tokio::test]
async fn timeout_of_coreutils_leaves_the_whole_grace() {
    let endpoint = endpoint().await;
    endpoint.fail_next([Fault::throttling().with_header("retry-after", "3600")]);
    endpoint.fail_next([Fault::delay(2 * TWO_CAUSES)]);
    let setup = idle(&endpoint.url()).with("RETRY_CAP", "1h");
    let publisher = setup.under(&["timeout", "1h"]).start();
    publisher.line("publish attempt failed, retrying").await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.line("stopped")["points_sent"], 1);
    assert!(ended.lines("second signal, ended at once").is_empty());
    assert_eq!(endpoint.points().len(), 1);
}

#[tokio::test]
async fn stop_before_credentials_are_there_is_a_clean_stop_too() {
    // A server of container credentials that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let setup = idle("http://127.0.0.1:1")
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    let publisher = setup.start();
    let _connection = silent.accept().await.unwrap();
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.line("stopped")["points_sent"], 0);
}

#[tokio::test]
async fn hangup_reads_the_crontab_again_and_a_bad_one_changes_nothing() {
    let endpoint = endpoint().await;
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| std::fs::write(crontab.path(), text).unwrap();
    write("* * * * * * name=Before value=1\n");
    let setup = Setup::new(&endpoint.url()).with("CRONTAB", crontab.path().display());
    let publisher = setup.start();
    publisher.line("published").await;

    write("* * * * * * name=After value=2\n");
    publisher.signal(Signal::HUP);
    let line = publisher.line("crontab reloaded").await;
    assert_eq!(line["metrics"], 1);
    let received = |name: &str| endpoint.points().iter().filter(|p| p.name == name).count();
    while received("After") == 0 {
        endpoint
            .received_at_least(endpoint.points().len() + 1)
            .await;
    }

    write("* * * * * * name=Bad value=fiel:/x\n* * * * * * name= value=1\n");
    publisher.signal(Signal::HUP);
    let refused = publisher
        .lines("crontab rejected, keeping the old one", 2)
        .await;
    let place = format!("{}:1:", crontab.path().display());
    assert!(
        text(&refused[0], "setting").starts_with(&place),
        "{refused:?}"
    );
    let so_far = received("After");
    while received("After") < so_far + 2 {
        endpoint
            .received_at_least(endpoint.points().len() + 1)
            .await;
    }

    std::fs::remove_file(crontab.path()).unwrap();
    publisher.signal(Signal::HUP);
    publisher
        .lines("crontab rejected, keeping the old one", 3)
        .await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(received("Bad"), 0);
    assert_lines(&ended);
}

#[tokio::test]
async fn crontab_that_became_a_pipe_is_refused_at_once() {
    let endpoint = endpoint().await;
    let dir = tempfile::tempdir().unwrap();
    let crontab = dir.path().join("crontab");
    std::fs::write(&crontab, "* * * * * * name=Steady value=1\n").unwrap();
    let setup = Setup::new(&endpoint.url()).with("CRONTAB", crontab.display());
    let publisher = setup.start();
    publisher.line("published").await;

    std::fs::remove_file(&crontab).unwrap();
    mkfifoat(CWD, &crontab, Mode::RUSR | Mode::WUSR).unwrap();
    publisher.signal(Signal::HUP);
    let refused = publisher
        .line("crontab rejected, keeping the old one")
        .await;
    let problem = text(&refused, "problem");
    assert!(problem.contains("it is a pipe"), "{problem}");
    let so_far = endpoint.points().len();
    endpoint.received_at_least(so_far + 2).await;
    assert_eq!(publisher.stopped().await.code(), Some(0));
}

#[tokio::test]
async fn hangup_without_a_crontab_speaks_of_none() {
    let endpoint = endpoint().await;
    let publisher = idle(&endpoint.url()).start();
    publisher.line("published").await;
    publisher.signal(Signal::HUP);
    publisher.line("credentials reloaded").await;
    let ended = publisher.stopped().await;
    assert!(ended.lines("crontab reloaded").is_empty(), "{ended:#?}");
}
