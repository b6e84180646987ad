//! Answers that are not the service's, or have no end, over the wire.

use cloudwatch_local::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::support::{Ended, Publisher, Setup, endpoint, text};

/// The most that a process in a debug build takes, in KiB; an endless answer takes more
/// within a second.
const RESIDENT_MAX: u64 = 100 * 1024;

/// One point, one attempt.
fn once(url: &str) -> Setup {
    Setup::new(url)
        .with("METRIC_VALUE", "42")
        .with("RETRY_MAX", "0")
        .arg("once")
}

fn error(ended: &Ended) -> String {
    text(&ended.line("publish failed"), "error").to_owned()
}

#[tokio::test]
async fn point_is_sent_again_unless_the_answer_has_a_sign_of_the_service() {
    let endpoint = endpoint().await;
    for (head, body, accepted) in [
        ("200 OK\r\nx-amzn-requestid: 1", "", true),
        ("200 OK\r\nsmithy-protocol: rpc-v2-cbor", "", true),
        ("200 OK\r\nsmithy-protocol: rpc-v2-cbor", "\x7f", false),
        ("200 OK\r\ncontent-type: text/html", "<html>", false),
        ("200 OK\r\nx-amzn-requestid:", "", false),
        ("204 No Content", "", false),
    ] {
        let length = body.len();
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
        endpoint.fail_next([Fault::raw(answer)]);
        let ended = once(&endpoint.url()).finish().await;
        let code = if accepted { 0 } else { 1 };
        assert_eq!(ended.code(), Some(code), "{head} {ended:#?}");
        if !accepted {
            let error = error(&ended);
            assert!(error.contains("something else gave it"), "{error}");
        }
    }
}

#[tokio::test]
async fn long_message_is_shown_in_part() {
    let endpoint = endpoint().await;
    let long = "é\n".repeat(10_000_000);
    endpoint.fail_always(Fault::error(400, "InvalidParameterValue", &long));
    let ended = once(&endpoint.url()).finish().await;
    assert_eq!(ended.code(), Some(1));
    let logged: usize = ended.output.iter().map(String::len).sum();
    assert!(logged < 10_000, "{logged}");
    let middle = "é\n".repeat(15_000);
    endpoint.fail_always(Fault::error(400, "Throttling", &middle));
    let ended = once(&endpoint.url()).finish().await;
    let error = error(&ended);
    assert!(
        error.starts_with("the service answered 400 Throttling é"),
        "{error}"
    );
    assert!((300..500).contains(&error.chars().count()), "{error}");
}

/// Answers each connection with a head and then a body without end.
struct Endless {
    url: String,
    task: AbortHandle,
}

impl Endless {
    async fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, head));
            }
        });
        let task = task.abort_handle();
        Self { url, task }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, head: &str) {
    let _ = stream.read(&mut [0; 4096]).await;
    let _ = stream.write_all(head.as_bytes()).await;
    let more = vec![b' '; 1024 * 1024];
    while stream.write_all(&more).await.is_ok() {}
}

/// The most memory that a process ever had, in KiB.
fn resident(publisher: &Publisher) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", publisher.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn answer_without_end_is_read_in_part() {
    for head in [
        "HTTP/1.1 200 OK\r\nx-amzn-requestid: 1\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nx-amzn-requestid: 1\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 99999999999\r\n\r\n",
    ] {
        let service = Endless::start(head).await;
        let publisher = Setup::new(&service.url)
            .with("RETRY_MAX", "0")
            .with("SCHEDULE", "* * * * * *")
            .start();
        let failed = publisher.lines("publish failed", 2).await;
        let error = text(&failed[0], "error");
        assert!(
            error.ends_with("the answer is longer than 64 KiB"),
            "{error}"
        );
        assert!(resident(&publisher) < RESIDENT_MAX, "{head}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn credentials_without_end_are_read_in_part() {
    let service = Endless::start("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await;
    let publisher = Setup::new("http://127.0.0.1:1")
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .with("AWS_CONFIG_FILE", "/dev/null")
        .with("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &service.url)
        .start();
    let line = publisher.line("credentials unavailable, retrying").await;
    let error = text(&line, "error");
    assert!(
        error.contains("the answer is longer than 64 KiB"),
        "{error}"
    );
    assert!(resident(&publisher) < RESIDENT_MAX);
}
