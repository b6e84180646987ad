//! The engine that the tests run against, from its start to its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use docker_client::DockerApiClient;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// The image of all containers: busybox and nothing else.
pub(crate) const IMAGE: &str = "fixture:1";
const BUSYBOX: &str = "/usr/bin/busybox";
/// How long an engine may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Engine {
    folder: TempDir,
    bridge: String,
    daemon: Mutex<Option<Child>>,
    /// What every container of this run carries.
    pub(crate) label: String,
}

impl Engine {
    pub(crate) async fn start() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let run = std::process::id();
        let engine = Self {
            folder,
            bridge: format!("dc{run}"),
            daemon: Mutex::new(None),
            label: format!("docker-client-test={run}"),
        };
        let (high, low) = (run / 250 % 250, run % 250);
        engine
            .ip(&["link", "add", "name", &engine.bridge, "type", "bridge"])
            .await?;
        let address = format!("10.{high}.{low}.1/24");
        engine
            .ip(&["addr", "add", &address, "dev", &engine.bridge])
            .await?;
        engine.ip(&["link", "set", &engine.bridge, "up"]).await?;
        match engine.prepare().await {
            Ok(()) => Ok(engine),
            Err(error) => {
                engine.stop().await;
                Err(error)
            }
        }
    }

    async fn prepare(&self) -> Result<(), String> {
        self.start_daemon().await?;
        let tar = self.folder.path().join("image.tar");
        make_image(&self.folder.path().join("image"), &tar).await?;
        self.docker(&["import", tar.to_str().unwrap(), IMAGE])
            .await
            .map(drop)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) async fn client(&self) -> DockerApiClient {
        DockerApiClient::connect_to(&self.url()).await.unwrap()
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) async fn start_daemon(&self) -> Result<(), String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path("log"))
            .map_err(|error| error.to_string())?;
        let child = Command::new("dockerd")
            .args([
                "--host",
                &self.url(),
                "--bridge",
                &self.bridge,
                "--live-restore",
            ])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec")])
            .args([
                "--pidfile",
                &path("pid"),
                "--iptables=false",
                "--ip-masq=false",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("dockerd: {error}"))?;
        *self.daemon.lock().await = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while self.docker(&["version"]).await.is_err() {
            let mut daemon = self.daemon.lock().await;
            let ended = daemon
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(path("log")).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(5).collect();
                return Err(format!("dockerd does not answer: {}", lines.join("\n")));
            }
            drop(daemon);
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Stops the daemon; containers run on.
    pub(crate) async fn stop_daemon(&self) {
        let Some(mut child) = self.daemon.lock().await.take() else {
            return;
        };
        let pid = child.id().unwrap().to_string();
        let _ = Command::new("kill").arg(&pid).status().await;
        if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    /// The output of the `docker` command.
    pub(crate) async fn docker(&self, arguments: &[&str]) -> Result<std::process::Output, String> {
        let output = Command::new("docker")
            .arg("--host")
            .arg(self.url())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| format!("docker: {error}"))?;
        match output.status.success() {
            true => Ok(output),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Its standard output, as text.
    pub(crate) async fn docker_text(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments).await.unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Removes all that carries the label of this run.
    pub(crate) async fn remove_containers(&self) {
        let filter = format!("label={}", self.label);
        let list = self
            .docker(&["ps", "--all", "--quiet", "--filter", &filter])
            .await;
        let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let list = list.unwrap_or_default();
        let ids: Vec<_> = list.split_whitespace().collect();
        if !ids.is_empty() {
            let arguments = [&["rm", "--force", "--volumes"], &ids[..]].concat();
            let _ = self.docker(&arguments).await;
        }
    }

    pub(crate) async fn stop(&self) {
        if self.daemon.lock().await.is_some() {
            self.remove_containers().await;
        }
        self.stop_daemon().await;
        // With live-restore it leaves the containerd that it started.
        let pid = self.folder.path().join("exec/containerd/containerd.pid");
        if let Ok(pid) = std::fs::read_to_string(pid) {
            let _ = Command::new("kill").arg(pid.trim()).status().await;
        }
        let _ = self.ip(&["link", "del", &self.bridge]).await;
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let below = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in below.filter(|mount| Path::new(mount).starts_with(self.folder.path())) {
            let _ = Command::new("umount")
                .arg("--lazy")
                .arg(mount)
                .status()
                .await;
        }
    }

    async fn ip(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new("ip").args(arguments).output().await;
        let output = output.map_err(|error| format!("ip: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("ip: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

async fn make_image(root: &Path, tar: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("image: {error}");
    for folder in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(root.join(folder)).map_err(failed)?;
    }
    std::fs::copy(BUSYBOX, root.join("bin/busybox")).map_err(failed)?;
    let list = Command::new(BUSYBOX)
        .arg("--list")
        .output()
        .await
        .map_err(failed)?;
    for applet in String::from_utf8_lossy(&list.stdout).lines() {
        // The program itself is one of those in the list.
        let _ = std::os::unix::fs::symlink("busybox", root.join("bin").join(applet));
    }
    let users = "root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n";
    std::fs::write(root.join("etc/passwd"), users).map_err(failed)?;
    let made = Command::new("tar")
        .arg("--create")
        .arg("--file")
        .arg(tar)
        .arg("--directory")
        .arg(root)
        .arg(".")
        .status()
        .await
        .map_err(failed)?;
    made.success().then_some(()).ok_or("tar failed".to_owned())
}
