//! SIGHUP: what is read again, what stays, and that no tick is lost or doubled by it.

use std::path::Path;
use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Credentials, Fault};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::{Publisher, Setup, endpoint, text};

/// The numbers: ten reloads a second for half a minute.
const LOAD: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Replaces a file whole, as editors and Kubernetes do.
fn put(folder: &TempDir, name: &str, content: &str) {
    let new = folder.path().join("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, folder.path().join(name)).unwrap();
}

fn profile(key: &str) -> String {
    format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = of-{key}\n")
}

fn keys(key: &str) -> Credentials {
    Credentials::new(key, &format!("of-{key}"))
}

/// A publisher a second whose keys stand in a file.
fn with_profile(url: &str, folder: &Path) -> Setup {
    Setup::new(url)
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with(
            "AWS_SHARED_CREDENTIALS_FILE",
            folder.join("credentials").display(),
        )
        .with("AWS_CONFIG_FILE", "/dev/null")
        .with("SCHEDULE", "* * * * * *")
}

async fn points_more(endpoint: &CloudWatchLocal, count: usize) {
    let so_far = endpoint.points().len();
    endpoint.received_at_least(so_far + count).await;
}

/// The seconds of a metric's points, in order.
fn seconds(endpoint: &CloudWatchLocal, name: &str) -> Vec<i64> {
    let points = endpoint.points();
    let mut seconds: Vec<i64> = points
        .iter()
        .filter(|point| point.name == name)
        .map(|point| point.unix())
        .collect();
    seconds.sort_unstable();
    seconds
}

fn assert_each_second_once(seconds: &[i64]) {
    let first = *seconds.first().unwrap();
    let all: Vec<i64> = (first..).take(seconds.len()).collect();
    assert_eq!(seconds, all);
}

#[tokio::test]
async fn reloads_ten_times_a_second_lose_and_double_no_tick() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    put(&folder, "credentials", &profile("test"));
    endpoint.add_credentials(keys("test"));
    let steady = "* * * * * * name=Steady value=timestamp\n";
    put(&folder, "crontab", steady);
    let setup = with_profile(&endpoint.url(), folder.path());
    let publisher = setup
        .with("CRONTAB", folder.path().join("crontab").display())
        .start();
    publisher.line("published").await;

    let began = Instant::now();
    let mut beat = interval(PAUSE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut reloads = 0;
    while began.elapsed() < LOAD {
        beat.tick().await;
        // The line moves, has company, and every third file is bad.
        let crontab = match reloads % 3 {
            0 => format!("# moved\n{steady}"),
            1 => format!("* * * * * * name=Other value=1\n{steady}"),
            _ => format!("{steady}* * * * * * name=Bad value=fiel:/x\n"),
        };
        put(&folder, "crontab", &crontab);
        publisher.signal(Signal::HUP);
        reloads += 1;
    }
    points_more(&endpoint, 2).await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert!(reloads >= 290, "{reloads}");

    let steady = seconds(&endpoint, "Steady");
    assert_each_second_once(&steady);
    assert!(steady.len() >= 30, "{steady:?}");
    for other in ["Other", "Bad"] {
        let mut seconds = seconds(&endpoint, other);
        let count = seconds.len();
        seconds.dedup();
        assert_eq!(seconds.len(), count, "{other} is doubled");
        assert!(other == "Other" || count == 0);
    }
    for message in [
        "ticks missed",
        "publish failed",
        "publish attempt failed, retrying",
    ] {
        assert_eq!(ended.lines(message).len(), 0, "{message}");
    }
    // Signals that come while one is served are one more together, so there are fewer.
    let taken = ended.lines("crontab reloaded").len();
    let refused = ended.lines("crontab rejected, keeping the old one").len();
    assert!(
        taken > 50 && refused > 25,
        "{taken} taken, {refused} refused"
    );
    assert_eq!(
        endpoint.connections(),
        1,
        "the connection outlives a reload"
    );
}

#[tokio::test]
async fn hangup_reads_the_credentials_again() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    put(&folder, "credentials", &profile("old"));
    endpoint.add_credentials(keys("old"));
    endpoint.add_credentials(keys("new"));
    let publisher = with_profile(&endpoint.url(), folder.path()).start();
    publisher.line("published").await;

    put(&folder, "credentials", &profile("new"));
    publisher.signal(Signal::HUP);
    publisher.line("credentials reloaded").await;
    let requests = endpoint.requests().len();
    points_more(&endpoint, 2).await;
    // One may have been under way.
    let later = &endpoint.requests()[requests + 1..];
    assert!(later.iter().all(|request| request.access_key == "new"));

    // A file without credentials is refused.
    put(&folder, "credentials", "[default]\n");
    publisher.signal(Signal::HUP);
    let line = publisher
        .line("credentials not reloaded, keeping the old ones")
        .await;
    assert_eq!(text(&line, "level"), "ERROR");
    points_more(&endpoint, 2).await;
    let ended = publisher.stopped().await;
    assert_eq!(endpoint.refused().len(), 0);
    assert_each_second_once(&seconds(&endpoint, "TestMetric"));
    let output = ended.output.concat();
    assert!(!output.contains("of-old") && !output.contains("of-new"));
}

#[tokio::test]
async fn credentials_that_the_service_refuses_are_looked_for_anew() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    put(&folder, "credentials", &profile("old"));
    endpoint.add_credentials(keys("old"));
    let publisher = with_profile(&endpoint.url(), folder.path()).start();
    publisher.line("published").await;

    endpoint.remove_credentials("old");
    publisher.line("publish failed").await;
    endpoint.add_credentials(keys("new"));
    put(&folder, "credentials", &profile("new"));
    let line = publisher.line("recovered").await;
    assert_eq!(line["points_lost"], 0);
    points_more(&endpoint, 1).await;
    publisher.stopped().await;
    assert_each_second_once(&seconds(&endpoint, "TestMetric"));
}

#[tokio::test]
async fn stop_does_not_wait_for_a_reload_that_hangs() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "token").unwrap();
    put(&folder, "credentials", &profile("test"));
    endpoint.add_credentials(keys("test"));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sts = format!("http://{}", silent.local_addr().unwrap());
    let setup = with_profile(&endpoint.url(), folder.path())
        .without("AWS_ENDPOINT_URL")
        .with("AWS_ENDPOINT_URL_CLOUDWATCH", endpoint.url())
        .with("AWS_ENDPOINT_URL_STS", sts)
        .with("REQUEST_TIMEOUT", "1h")
        .with("SCHEDULE", "@yearly");
    let publisher = setup.start();
    publisher.line("published").await;

    let role = format!(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = {}\n",
        token.display()
    );
    put(&folder, "credentials", &role);
    publisher.signal(Signal::HUP);
    let _connection = silent.accept().await.unwrap();
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(ended.line("stopped")["points_unsent"], 0);
}

/// An endpoint whose counter is 10 higher at each scrape.
async fn counter() -> String {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", server.local_addr().unwrap());
    tokio::spawn(async move {
        for scrape in 1.. {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut head = BufReader::new(&mut stream).lines();
            while !head
                .next_line()
                .await
                .unwrap()
                .unwrap_or_default()
                .is_empty()
            {}
            let body = format!("# TYPE jobs_total counter\njobs_total {}\n", scrape * 10);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

async fn reloaded(publisher: &Publisher, times: usize) {
    publisher.signal(Signal::HUP);
    publisher.lines("crontab reloaded", times).await;
}

#[tokio::test]
async fn entries_that_did_not_change_keep_their_counters_and_held_points() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    let jobs = format!(
        "* * * * * * name=Jobs value='prometheus:{}#jobs_total'\n",
        counter().await
    );
    let gone = "* * * * * * name=Gone value=timestamp\n";
    put(&folder, "crontab", &format!("{jobs}{gone}"));
    let setup = Setup::new(&endpoint.url()).with("RETRY_MAX", "0");
    let publisher = setup
        .with("CRONTAB", folder.path().join("crontab").display())
        .start();
    endpoint.received_at_least(4).await;

    endpoint.fail_always(Fault::status(503));
    publisher.lines("publish failed", 3).await;
    put(&folder, "crontab", &format!("# Gone is gone.\n{jobs}"));
    reloaded(&publisher, 1).await;
    reloaded(&publisher, 2).await;
    publisher.lines("publish failed", 6).await;
    endpoint.heal();
    publisher.line("recovered").await;
    points_more(&endpoint, 2).await;
    publisher.stopped().await;

    // The points of a metric that was removed are still delivered.
    assert!(seconds(&endpoint, "Gone").len() >= 4);
    assert_each_second_once(&seconds(&endpoint, "Gone"));
    // A counter that was forgotten would miss an increase at the first scrape after.
    assert_each_second_once(&seconds(&endpoint, "Jobs"));
    let points = endpoint.points();
    let increases = points.iter().filter(|point| point.name == "Jobs");
    assert!(
        increases.clone().all(|point| point.value() == 10.0),
        "{points:?}"
    );
}
