//! The program, a scripted engine, and waiting with a deadline.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docker_local::DockerLocal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Long enough for a crowded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const IMAGE: &str = "flow:1";
pub(crate) const ADMIN: &str = "admin-token-admin-token-admin-token";
pub(crate) const OPERATE: &str = "operate-token-operate-token-operate";
pub(crate) const READ: &str = "read-token-read-token-read-token-read";

/// Waits until something holds.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    within(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// A port that was free a moment ago, for a program whose log does not tell its own.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A scripted engine, and a place on disk for the program that uses it.
pub(crate) struct Site {
    pub(crate) engine: DockerLocal,
    ground: Ground,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let engine = DockerLocal::builder().start().await.unwrap();
        engine.add_image(IMAGE);
        let ground = Ground::new(&engine.url());
        Self { engine, ground }
    }
}

impl Deref for Site {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl DerefMut for Site {
    fn deref_mut(&mut self) -> &mut Ground {
        &mut self.ground
    }
}

/// A place on disk; the program may be started in it more than once.
pub(crate) struct Ground {
    pub(crate) place: TempDir,
    settings: Vec<(String, String)>,
}

impl Ground {
    pub(crate) fn new(docker_host: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        for folder in ["mounts", "code"] {
            std::fs::create_dir(place.path().join(folder)).unwrap();
        }
        let tokens = format!("admin root {ADMIN}\noperate op {OPERATE}\nread eye {READ}\n");
        std::fs::write(place.path().join("tokens"), tokens).unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        let settings = [
            ("LISTEN", "127.0.0.1:0".to_owned()),
            ("STATE_DIR", path("state")),
            ("TOKENS_FILE", path("tokens")),
            ("MOUNT_ROOTS", path("mounts")),
            ("CODE_ROOTS", path("code")),
            ("DOCKER_HOST", docker_host.to_owned()),
            ("LOG_LEVEL", "debug".to_owned()),
        ];
        Self {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            place,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// The folders of containers.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.state().join("c"));
        let folders = folders
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path());
        folders.collect()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow-manager"));
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        command
            .env_clear()
            .envs(settings)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Where it was told to listen, if that names a port.
    fn given_address(&self) -> Option<SocketAddr> {
        let (_, listen) = self.settings.iter().find(|(name, _)| name == "LISTEN")?;
        let address: SocketAddr = listen.parse().ok()?;
        (address.port() > 0).then_some(address)
    }

    /// Starts the program and waits until it is ready.
    pub(crate) async fn start(&self) -> Program {
        let program = self.start_unready().await;
        within("the engine", async {
            while program.get("/readyz").await.0 != 200 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        program
    }

    /// Starts the program and waits until it listens.
    pub(crate) async fn start_unready(&self) -> Program {
        let mut child = self.command().stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let keeps = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                keeps.lock().unwrap().push(line);
            }
        });
        let program = Program {
            child,
            log,
            address: None,
        };
        let address = match self.given_address() {
            Some(address) => {
                within("the program to listen", async {
                    while TcpStream::connect(address).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                })
                .await;
                Some(address)
            }
            None => {
                until("the program to listen", || {
                    program.line("listening").is_some()
                })
                .await;
                let listening = program.line("listening").unwrap();
                listening["address"].as_str().unwrap().parse().ok()
            }
        };
        Program { address, ..program }
    }
}

pub(crate) struct Program {
    pub(crate) child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) address: Option<SocketAddr>,
}

impl Program {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    /// The first line of the log with this message.
    pub(crate) fn line(&self, message: &str) -> Option<Value> {
        let log = self.log.lock().unwrap();
        let mut lines = log
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        within("the program to stop", self.child.wait())
            .await
            .unwrap()
    }

    pub(crate) async fn stop_without_signal(mut self) -> ExitStatus {
        within("the program to stop", self.child.wait())
            .await
            .unwrap()
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let host = self.address().to_string();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        http(self.address(), head.as_bytes()).await
    }
}

/// Sends bytes and gives the status and what follows the line with it.
pub(crate) async fn http(address: SocketAddr, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = within("an answer", stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    (status, answer)
}
