//! An engine in the process for tests: answers each request with bytes, then hangs up.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::DockerApiClient;

/// A request, without the version before its path.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET /containers/a/json`.
    pub(crate) line: String,
    query: String,
}

impl Request {
    /// A value of the query, without its percent-encoding of dots.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let value = self
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.replace("%2E", "."))
    }
}

/// What is sent before the connection ends.
pub(crate) type Answer = Vec<u8>;

/// An answer of JSON, or of the engine's words in JSON.
pub(crate) fn json(status: u16, body: &str) -> Answer {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

/// An answer that ends as it should.
pub(crate) fn whole(bytes: &[u8]) -> Answer {
    let mut answer = cut_off(bytes);
    answer.extend(b"0\r\n\r\n");
    answer
}

/// An answer that breaks off behind `bytes`.
pub(crate) fn cut_off(bytes: &[u8]) -> Answer {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    if !bytes.is_empty() {
        answer.extend(format!("{:x}\r\n", bytes.len()).bytes());
        answer.extend(bytes);
        answer.extend(b"\r\n");
    }
    answer
}

/// The answer to an inspection of a container that ended.
pub(crate) fn container(id: &str, state: &str, tty: bool, driver: &str) -> Answer {
    let running = state == "running";
    json(
        200,
        &format!(
            r#"{{"Id":"{id}","Name":"/web","State":{{"Status":"{state}","Running":{running},"ExitCode":0,
            "StartedAt":"2026-11-21T10:00:00Z","FinishedAt":"0001-01-01T00:00:00Z"}},
            "Config":{{"Tty":{tty}}},"HostConfig":{{"LogConfig":{{"Type":"{driver}"}}}}}}"#
        ),
    )
}

pub(crate) struct TestEngine {
    socket: PathBuf,
    _folder: TempDir,
    serving: JoinHandle<()>,
}

impl TestEngine {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let answer = Arc::new(answer);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move { serve(stream, &*answer).await });
            }
        });
        Self {
            socket,
            _folder: folder,
            serving,
        }
    }

    pub(crate) async fn client(&self) -> DockerApiClient {
        let url = format!("unix://{}", self.socket.display());
        DockerApiClient::connect_to(&url).await.unwrap()
    }
}

impl Drop for TestEngine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: UnixStream, answer: &(dyn Fn(&Request) -> Answer + Send + Sync)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => &rest[rest.find('/').unwrap()..],
        None => path,
    };
    let request = Request {
        line: format!("{method} {path}"),
        query: query.to_owned(),
    };
    let bytes = match path {
        "/_ping" => b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK".to_vec(),
        "/version" => json(200, r#"{"ApiVersion":"1.41","MinAPIVersion":"1.12"}"#),
        _ => answer(&request),
    };
    // A client that went away has seen enough.
    let _ = stream.write_all(&bytes).await;
}
