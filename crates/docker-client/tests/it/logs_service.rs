//! The example `logs_service`: what it answers over HTTP.

use std::process::Stdio;

use docker_local::{Container, DockerLocal, Fault, LogDriver};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::support::{LOGS, engine};

struct Service {
    address: String,
    _process: Child,
}

impl Service {
    async fn start(engine: &DockerLocal) -> Self {
        // `cargo test` builds examples, beside the folder of this test.
        let mut program = std::env::current_exe().unwrap();
        program.pop();
        program.pop();
        program.push("examples/logs_service");
        let mut process = Command::new(program)
            .arg("127.0.0.1:0")
            .env("DOCKER_HOST", engine.url())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        let address = line
            .strip_prefix("listening on http://")
            .unwrap()
            .to_owned();
        Self {
            address,
            _process: process,
        }
    }

    /// The status and the body, as it is on the wire.
    async fn ask(&self, request: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn log_is_the_body() {
    let engine = engine().await;
    let web = engine.add(Container::named("web").running());
    web.stdout("one\ntwo\n");
    web.stderr("three\n");
    let service = Service::start(&engine).await;
    let last = service.ask("GET /logs/web?tail=1").await;
    assert_eq!(last, (200, "6\r\nthree\n\r\n0\r\n\r\n".to_owned()));
    web.stdout("four");
    web.exit(0);
    let all = service.ask("GET /logs/web?follow=1").await;
    let chunks = "4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n4\r\nfour\r\n0\r\n\r\n";
    assert_eq!(all, (200, chunks.to_owned()));
}

#[tokio::test]
async fn each_failure_has_its_status_and_says_what_to_do() {
    let mut engine = engine().await;
    engine.add(Container::named("web").running());
    engine.add(
        Container::named("none")
            .running()
            .log_driver(LogDriver::None),
    );
    let service = Service::start(&engine).await;
    engine.fail_next(
        "GET /containers/*/json",
        [Fault::error(500, "no space left")],
    );
    for (request, status, words) in [
        ("GET /logs/web", 502, "no space left"),
        ("GET /logs/nope", 404, "no container \"nope\""),
        ("GET /logs/none", 409, "create it with json-file or local"),
        ("GET /logs/..%2Fimages", 400, "bad container name"),
        ("GET /logs/web?tail=x", 400, "tail is a number"),
        ("GET /", 404, "ask for /logs/NAME"),
        ("POST /logs/web", 405, "only GET"),
    ] {
        let (found, body) = service.ask(request).await;
        assert_eq!(found, status, "{request}: {body}");
        assert!(body.contains(words), "{request}: {body}");
    }
    engine.stop().await;
    let (status, body) = service.ask("GET /logs/web").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("is it running"), "{body}");
}

/// The client that all share is not the failure of the first try.
#[tokio::test]
async fn engine_that_comes_later_is_found() {
    let mut engine = engine().await;
    engine
        .add(Container::named("web").running())
        .stdout("one\n");
    let service = Service::start(&engine).await;
    engine.stop().await;
    assert_eq!(service.ask("GET /logs/web").await.0, 503);
    engine.restart().await.unwrap();
    let (status, body) = service.ask("GET /logs/web").await;
    assert_eq!((status, &*body), (200, "4\r\none\n\r\n0\r\n\r\n"));
    assert_eq!(service.ask("GET /logs/web").await.0, 200);
    // One connection to agree on the version, for all requests.
    assert_eq!(engine.requests_to("GET /_ping").len(), 1);
}

/// A client can tell a log that broke off from one that ended.
#[tokio::test]
async fn log_that_breaks_off_has_no_last_chunk() {
    let engine = engine().await;
    let web = engine.add(Container::named("web").running());
    web.stdout("one\ntwo\n");
    web.exit(0);
    let service = Service::start(&engine).await;
    // A frame of one line, and a part of the next.
    engine.fail_next(LOGS, [Fault::cut_body(15)]);
    let broken = service.ask("GET /logs/web").await;
    assert_eq!(broken, (200, "4\r\none\n\r\n".to_owned()));
}
