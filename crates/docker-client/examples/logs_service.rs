//! A logs service: `GET /logs/NAME?tail=100` answers with a container's log, and
//! `GET /logs/NAME?follow=1` goes on with it until the container ends.
//!
//! ```text
//! cargo run -p docker-client --example logs_service -- 127.0.0.1:8300
//! curl 'http://127.0.0.1:8300/logs/web?tail=100'
//! ```
//!
//! Where such a service asks the `docker` command and reads its text, all failures are one.
//! Here each has its status, and a line that says what to do.

// All of a program may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io;
use std::time::Duration;

use docker_client::{DockerClientError, LogItem, LogOptions, get_docker_client};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Loopback only: whoever reaches this reads the log of every container.
const LISTEN: &str = "127.0.0.1:8300";
/// More lines than a person reads.
const TAIL: u64 = 1000;
/// A request has no body, and this is more than a browser sends before it.
const REQUEST_MAX: u64 = 16 * 1024;
/// Who says nothing, or does not read, is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// A thread serves them all; each may hold a line of 1 MiB.
const CONNECTIONS: usize = 64;
/// A log becomes as long as it becomes.
const CHUNKED: &str = "Transfer-Encoding: chunked";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| LISTEN.to_owned());
    let listener = TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // It ends with an error when its reader goes away, which is no news.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                connections.spawn(serve(accepted?.0));
            }
        }
    }
}

/// Answers one request.
async fn serve(mut connection: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut limited = (&mut connection).take(REQUEST_MAX);
    while !head.ends_with(b"\r\n\r\n") {
        if timeout(PATIENCE, limited.read_buf(&mut head)).await?? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default();
    match Wish::parse(line) {
        Ok(wish) => answer(&mut connection, &wish).await,
        Err((status, message)) => respond(&mut connection, status, message).await,
    }
}

/// What is asked for.
struct Wish {
    name: String,
    tail: u64,
    follow: bool,
}

impl Wish {
    /// From the first line of a request; else the status and the reason.
    fn parse(line: &str) -> Result<Self, (&'static str, &'static str)> {
        let bad = |reason| Err(("400 Bad Request", reason));
        let mut words = line.split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        if method != Some("GET") {
            return Err(("405 Method Not Allowed", "only GET"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(name) = path.strip_prefix("/logs/") else {
            return Err(("404 Not Found", "ask for /logs/NAME"));
        };
        // The client checks the name before it asks for it.
        let name = name.to_owned();
        let mut wish = Self {
            name,
            tail: TAIL,
            follow: false,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "1")) {
                ("tail", number) => match number.parse::<u64>() {
                    Ok(number) => wish.tail = number.min(TAIL),
                    Err(_) => return bad("tail is a number"),
                },
                ("follow", value) => wish.follow = matches!(value, "1" | "true"),
                _ => return bad("tail and follow are all that can be asked for"),
            }
        }
        Ok(wish)
    }
}

async fn answer(connection: &mut TcpStream, wish: &Wish) -> io::Result<()> {
    let opened = async {
        let client = get_docker_client().await?;
        let mut options = LogOptions::default();
        options.tail = Some(wish.tail);
        match wish.follow {
            true => client.follow_container_logs(&wish.name, options).await,
            false => client.read_container_logs(&wish.name, options).await,
        }
    };
    let mut stream = match opened.await {
        Ok(stream) => stream,
        Err(error) => return respond(connection, status(&error), &error.to_string()).await,
    };
    let mut begun = false;
    while let Some(item) = stream.next().await {
        let bytes = match item {
            // An empty chunk would end the body.
            Ok(LogItem::Line(line)) if line.partial && line.bytes.is_empty() => continue,
            Ok(LogItem::Line(line)) if line.partial => line.bytes.to_vec(),
            Ok(LogItem::Line(line)) => [&line.bytes[..], b"\n"].concat(),
            Ok(LogItem::Gap(_)) => b"[lines are missing here]\n".to_vec(),
            // As long as nothing was sent the failure has its status.
            Err(error) if !begun => {
                return respond(connection, status(&error), &error.to_string()).await;
            }
            // Without its last chunk nobody takes it for the whole log.
            Err(error) => return Err(io::Error::other(error)),
        };
        if !begun {
            begin(connection, "200 OK", CHUNKED).await?;
            begun = true;
        }
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
        timeout(PATIENCE, connection.write_all(&chunk)).await??;
    }
    if !begun {
        begin(connection, "200 OK", CHUNKED).await?;
    }
    connection.write_all(b"0\r\n\r\n").await?;
    connection.shutdown().await
}

/// Which status a failure has.
fn status(error: &DockerClientError) -> &'static str {
    use DockerClientError as E;
    match error {
        E::ContainerNotFound { .. } => "404 Not Found",
        E::InvalidName { .. } | E::InvalidArgument { .. } => "400 Bad Request",
        // The container is there, but has no log that could be read.
        E::LogsUnavailable { .. } | E::Conflict { .. } => "409 Conflict",
        E::EngineUnavailable { .. } | E::PermissionDenied { .. } => "503 Service Unavailable",
        E::Timeout { .. } => "504 Gateway Timeout",
        E::Engine { .. } | E::Decode { .. } | E::ApiVersion { .. } => "502 Bad Gateway",
        _ => "500 Internal Server Error",
    }
}

async fn respond(connection: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    let length = format!("Content-Length: {}", text.len() + 1);
    begin(connection, status, &length).await?;
    connection.write_all(format!("{text}\n").as_bytes()).await?;
    connection.shutdown().await
}

async fn begin(connection: &mut TcpStream, status: &str, length: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Connection: close\r\n{length}\r\n\r\n"
    );
    timeout(PATIENCE, connection.write_all(head.as_bytes())).await?
}
