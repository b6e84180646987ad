//! What misbehaves, how, and what is to be said of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use crate::support::Answer;

/// What the log says of a source that is given up at `SOURCE_TIMEOUT`.
const TIMED_OUT: &str = "source timed out";

/// Sources that give no value, and what the log says of each.
pub(super) const BAD: &[(&str, &str, &str)] = &[
    (
        "FileAbsent",
        "file:DIR/absent",
        "read DIR/absent: No such file",
    ),
    ("FileFolder", "file:DIR", "Is a directory"),
    (
        "FileSlow",
        "file:DIR/pipe",
        "it is a pipe, and only regular",
    ),
    (
        "FileHuge",
        "file:DIR/huge",
        "DIR/huge is longer than 1048576 bytes",
    ),
    (
        "FileDevice",
        "file:/dev/zero",
        "it is a device, and only regular files are read",
    ),
    (
        "FileGarbage",
        "file:DIR/garbage",
        r#"expected a number, read "\u{1b}[31mfull\n{\"m\":xx"#,
    ),
    (
        "FileBytes",
        "file:DIR/bytes",
        r#"DIR/bytes is not UTF-8 text, read "\xff\xfe1""#,
    ),
    (
        "FileWrongType",
        "file:DIR/stats#/queue",
        r#"at /queue, read {"depth":1}"#,
    ),
    ("FileNoNumber", "file:DIR/nan", "NaN is not a finite number"),
    ("FileOutOfRange", "file:DIR/large", "1e300 is out of range"),
    (
        "HttpRefused",
        "http://CLOSED/",
        "connect to http://CLOSED/: ",
    ),
    ("HttpSlow", "http://WEB/silent", TIMED_OUT),
    ("HttpStuck", "http://WEB/stuck", TIMED_OUT),
    (
        "HttpHuge",
        "http://WEB/endless",
        "answered more than 1048576 bytes",
    ),
    ("HttpHugeHead", "http://WEB/head", "get http://WEB/head: "),
    (
        "HttpGarbage",
        "http://WEB/garbage",
        "get http://WEB/garbage: ",
    ),
    (
        "HttpBytes",
        "http://WEB/bytes",
        r#"no UTF-8 text, read "\xff\xfe1""#,
    ),
    (
        "HttpWrongType",
        "http://WEB/page#/depth",
        r#"expected JSON, read "<html>"#,
    ),
    (
        "HttpFailed",
        "http://WEB/failed",
        "answered 503 Service Unavailable",
    ),
    ("HttpsSlow", "https://MUTE/", TIMED_OUT),
    (
        "HttpsGarbage",
        "https://WEB/garbage",
        "connect to https://WEB/garbage: ",
    ),
    (
        "SeriesRefused",
        "prometheus:http://CLOSED/#up",
        "connect to http://CLOSED/: ",
    ),
    ("SeriesSlow", "prometheus:http://WEB/silent#up", TIMED_OUT),
    (
        "SeriesHuge",
        "prometheus:http://WEB/endless#up",
        "answered more than 1048576 bytes",
    ),
    (
        "SeriesGarbage",
        "prometheus:http://WEB/page#up",
        r#"<html>"#,
    ),
    (
        "SeriesAbsent",
        "prometheus:http://WEB/metrics#down",
        "matches down",
    ),
    (
        "SeriesNoNumber",
        "prometheus:http://WEB/metrics#up",
        "NaN is not a finite number",
    ),
    (
        "LatencyRefused",
        "latency:tcp://CLOSED",
        "connect to tcp://CLOSED",
    ),
    ("LatencySlow", "latency:http://WEB/silent", TIMED_OUT),
    (
        "LatencyGarbage",
        "latency:http://WEB/garbage",
        "get http://WEB/garbage: ",
    ),
    (
        "LatencyFailed",
        "latency:http://WEB/failed",
        "answered 503 Service Unavailable",
    ),
    (
        "ExecAbsent",
        "exec:/no/such/program",
        "/no/such/program does not exist",
    ),
    (
        "ExecSlow",
        "exec:/bin/sh -c 'sleep 1000 & sleep 1000'",
        TIMED_OUT,
    ),
    (
        "ExecHuge",
        "exec:/bin/sh -c yes",
        "/bin/sh printed more than 65536 bytes",
    ),
    (
        "ExecGarbage",
        r#"exec:/bin/sh -c 'printf "\\033[31mfull"'"#,
        r#"read "\u{1b}[31mfull""#,
    ),
    (
        "ExecBytes",
        r#"exec:/bin/sh -c 'printf "\\377\\3761"'"#,
        r#"UTF-8 text, read "\xff\xfe1""#,
    ),
    (
        "ExecSilent",
        "exec:/bin/sh -c :",
        r#"expected a number, read """#,
    ),
    (
        "ExecFails",
        "exec:/bin/sh -c 'echo no >&2; exit 3'",
        r#"exit status: 3, its standard error ends with "no""#,
    ),
    (
        "DiskAbsent",
        "host:disk:/no/such",
        "holds /no/such: No such file",
    ),
    (
        "DiskWrongType",
        "host:disk:/proc",
        "/proc is on a pseudo file system",
    ),
];

/// What is down is no failure to measure: these have a value.
pub(super) const VALUES: &[(&str, &str, f64)] = &[
    ("Heartbeat", "1", 1.0),
    ("UpRefused", "up:tcp://CLOSED", 0.0),
    ("UpSlow", "up:http://WEB/silent", 0.0),
    ("UpGarbage", "up:http://WEB/garbage", 0.0),
    ("UpHugeHead", "up:http://WEB/head", 0.0),
    ("UpFailed", "up:http://WEB/failed", 0.0),
    ("UpHuge", "up:http://WEB/endless", 1.0),
];

/// What the ECS agent answers one tick after the other, and what the log says of each.
pub(super) const ECS: &[(&str, &str)] = &[
    ("cut", "ask the ECS task metadata endpoint: get http"),
    ("silent", TIMED_OUT),
    ("endless", "ask the ECS task metadata endpoint: "),
    (
        "page",
        r#"understand the ECS task metadata endpoint: expected JSON, read "<html>"#,
    ),
    ("list", "expected an object at /, read [1,2]"),
    (
        "text",
        r#"expected a number at /memory_stats/usage, read "much""#,
    ),
];

/// Gives the end of the pipe that is written to.
pub(super) fn write_files(folder: &Path) -> impl Sized {
    let path = |name: &str| folder.join(name);
    fs::write(
        path("garbage"),
        format!("\x1b[31mfull\n{{\"m\":{}", "x".repeat(5000)),
    )
    .unwrap();
    fs::write(path("huge"), vec![b'1'; 1024 * 1024 + 1]).unwrap();
    fs::write(path("bytes"), b"\xff\xfe1").unwrap();
    fs::write(path("stats"), r#"{"queue":{"depth":1}}"#).unwrap();
    fs::write(path("nan"), "NaN").unwrap();
    fs::write(path("large"), "1e300").unwrap();
    mkfifoat(CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    rustix::fs::open(path("pipe"), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

pub(super) fn misbehave(path: &str) -> Answer {
    let head = |head: &str| format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
    match path {
        "/silent" => Answer::Stuck(Vec::new()),
        "/stuck" => Answer::Stuck(head("content-length: 2\r\n\r\n1")),
        "/endless" => Answer::Endless(head("\r\n"), vec![b'1'; 64 * 1024]),
        "/head" => Answer::Endless(head(""), b"x-more: of this\r\n".repeat(1000)),
        "/bytes" => Answer::ok(b"\xff\xfe1"),
        "/page" => Answer::ok(format!("<html>{}", "x".repeat(5000))),
        "/metrics" => Answer::ok("up NaN\n"),
        "/failed" => Answer::status("503 Service Unavailable", "1"),
        // To TLS, too, for which this is no answer either.
        _ => Answer::Whole(b"\x00\x01\x1b[31m2\r\n\r\n".to_vec()),
    }
}

pub(super) fn agent(path: &str, asked: &AtomicUsize) -> Answer {
    if path == "/task" {
        let container = r#"{"DockerId":"1","Name":"web"}"#;
        return Answer::ok(format!(
            r#"{{"Cluster":"c","Family":"f","Containers":[{container}]}}"#
        ));
    }
    match ECS[asked.fetch_add(1, Ordering::Relaxed) % ECS.len()].0 {
        "cut" => Answer::Whole(Vec::new()),
        "list" => Answer::ok("[1,2]"),
        "text" => Answer::ok(r#"{"1":{"memory_stats":{"usage":"much"}}}"#),
        name => misbehave(&format!("/{name}")),
    }
}

/// What a request asks for.
pub(super) fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}
