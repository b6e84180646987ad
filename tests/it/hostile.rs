//! Sources that were made to hurt, sampled at every second: a metric beside them leaves on
//! time, the health is answered at once, and a signal ends the process.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use cloudwatch_local::CloudWatchLocal;
use rustix::fs::{CWD, Mode, mkfifoat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{Answer, PATIENCE, Publisher, Setup, Web, endpoint};

const SOURCE_TIMEOUT: Duration = Duration::from_millis(600);
/// What a crowded machine may add.
const MARGIN: Duration = Duration::from_secs(3);
/// Points of the healthy metric to wait for.
const TICKS: usize = 6;
/// Most memory that a process may come to hold, in KiB: the manifests in `deploy/` allow
/// 32 MiB to the image's program, and this one is neither small nor optimized.
const MEMORY_MAX: u64 = 64 * 1024;

/// A page that is as long as a page may be.
fn page(begin: &str, piece: impl Fn(usize) -> String, end: &str) -> Answer {
    let mut page = begin.to_owned();
    for number in 0.. {
        let piece = piece(number);
        if page.len() + piece.len() + end.len() > 1024 * 1024 {
            break;
        }
        page.push_str(&piece);
    }
    Answer::ok(page + end)
}

fn hostile(head: &str) -> Answer {
    match head.split(' ').nth(1).unwrap_or_default() {
        "/labels" => page("m{", |i| format!("l{i:x}=\"\","), "} 1\n"),
        "/value" => page("m{a=\"", |_| "a".repeat(1000), "\"} 1\n"),
        "/values" => page("", |i| format!("m{{a=\"{i}{}\"}} 1\n", "a".repeat(900)), ""),
        "/lines" => page("", |i| format!("m{{a=\"{i}\"}} 1\n"), ""),
        _ => page("[", |_| "{},".to_owned(), "{}]"),
    }
}

/// The health endpoint's answer, and how long it took.
async fn health(place: &str) -> Duration {
    let start = Instant::now();
    let asking = async {
        let mut stream = TcpStream::connect(place).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    timeout(MARGIN, asking).await.expect("no health in time");
    start.elapsed()
}

async fn listening(place: &str) {
    let connecting = async {
        while TcpStream::connect(place).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, connecting)
        .await
        .expect("no health at all");
}

async fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Starts a publisher of these lines and of a healthy metric at every second, and sees to
/// it that the healthy one leaves on time, that the health is answered and that it stops.
async fn run(dir: &Path, lines: &str, setup: impl FnOnce(Setup) -> Setup) {
    let (endpoint, place) = (endpoint().await, free_port().await);
    let crontab = dir.join("crontab");
    fs::write(
        &crontab,
        format!("* * * * * * name=Healthy value=1\n{lines}"),
    )
    .unwrap();
    let publisher = Setup::new(&endpoint.url())
        .with("CRONTAB", crontab.display())
        .with(
            "SOURCE_TIMEOUT",
            format!("{}ms", SOURCE_TIMEOUT.as_millis()),
        )
        .with("PUBLISH_ON_START", "false")
        .with("HEALTH_ADDR", &place);
    let publisher = setup(publisher).start();
    publisher.line("started").await;
    listening(&place).await;
    let points = endpoint.received_at_least(TICKS);
    let watched = watched(points, &place, &publisher).await;
    let stop = Instant::now();
    let ended = publisher.stopped().await;
    assert!(stop.elapsed() < MARGIN, "{:?}", stop.elapsed());
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert!(watched < MEMORY_MAX, "{watched} KiB: {ended:#?}");
    assert_on_time(&endpoint);
    let failed = ended.lines("source failed").len() + ended.lines("source timed out").len();
    assert!(failed >= lines.lines().count(), "{ended:#?}");
}

/// Asks for the health until the points are there; gives the most memory that was held.
async fn watched<T>(points: impl Future<Output = T>, place: &str, publisher: &Publisher) -> u64 {
    let mut points = std::pin::pin!(points);
    loop {
        health(place).await;
        tokio::select! {
            _ = &mut points => return publisher.memory_peak(),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

fn assert_on_time(endpoint: &CloudWatchLocal) {
    for request in endpoint.requests() {
        for point in &request.points {
            let tick = Duration::from_millis(point.timestamp_ms.try_into().unwrap());
            let late = request.at.duration_since(SystemTime::UNIX_EPOCH + tick);
            let late = late.unwrap();
            assert!(late <= SOURCE_TIMEOUT + MARGIN, "{late:?} late: {point:?}");
        }
    }
    let points = endpoint.points();
    let healthy = points.iter().filter(|point| point.name == "Healthy");
    let ticks: Vec<_> = healthy.map(|point| point.unix()).collect();
    let seconds: Vec<_> = (ticks[0]..).take(ticks.len()).collect();
    assert_eq!(ticks, seconds, "a tick at each second");
}

#[tokio::test]
async fn pages_that_are_dear_to_read_hold_up_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let web = Web::start(hostile).await;
    let place = web.place();
    let mut lines = String::new();
    for (name, source) in [
        ("Labels", "prometheus:http://WEB/labels#m"),
        (
            "Value",
            "prometheus:http://WEB/value#m{a=~'([a-z]{1,60})*x'}",
        ),
        (
            "Values",
            "prometheus:http://WEB/values#m{a=~'.*([a-z]{1,60})*x'}",
        ),
        (
            "Lines",
            "prometheus:http://WEB/lines#m{a!~'([a-z]{1,60})*x'}",
        ),
        ("Objects", "http://WEB/objects#/x"),
    ] {
        let source = source.replace("WEB", &place);
        lines += &format!("* * * * * * name={name} value=\"{source}\"\n");
    }
    run(dir.path(), &lines, |setup| setup).await;
}

#[tokio::test]
async fn files_without_an_end_hold_up_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let web = Web::start(|_| Answer::ok("1")).await;
    let mut lines = String::new();
    for (number, file) in ["/dev/zero", "PIPE"].iter().enumerate() {
        let file = file.replace("PIPE", &pipe.display().to_string());
        lines += &format!("* * * * * * name=F{number} value=file:{file}\n");
        let source = format!("http://{}/", web.place());
        lines += &format!("* * * * * * name=H{number} value={source} headers_file={file}\n");
    }
    run(dir.path(), &lines, |setup| setup).await;
}

#[tokio::test]
async fn certificates_without_an_end_hold_up_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let web = Web::start(|_| Answer::ok("1")).await;
    let line = format!("* * * * * * name=Https value=https://{}/\n", web.place());
    for file in [Path::new("/dev/zero"), &pipe] {
        run(dir.path(), &line, |setup| {
            setup.with("SSL_CERT_FILE", file.display())
        })
        .await;
    }
}
