//! Where the programs find each other, and their settings: free ports and files in a folder
//! that goes with it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::flows::IMAGE;
use crate::program::Program;

/// What `deploy/system` publishes, and where it asks.
const CRONTAB: &str = include_str!("../../deploy/system/crontab");
const METRICS: &str = "127.0.0.1:7071";

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Site {
    folder: TempDir,
    listen: SocketAddr,
    metrics: SocketAddr,
}

impl Site {
    pub(crate) fn open() -> io::Result<Self> {
        // Both at a time, or they might be the same.
        let probes = [
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        ];
        let site = Self {
            folder: TempDir::new()?,
            listen: probes[0].local_addr()?,
            metrics: probes[1].local_addr()?,
        };
        fs::write(
            site.crontab_path(),
            CRONTAB.replace(METRICS, &site.metrics.to_string()),
        )?;
        Ok(site)
    }

    /// The settings of flow-manager.
    pub(crate) fn flow_manager(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LISTEN", self.listen.to_string()),
            ("METRICS_ADDR", self.metrics.to_string()),
            ("STATE_DIR", self.state().display().to_string()),
            ("IMAGES", IMAGE.to_owned()),
            ("PULL", "never".to_owned()),
        ]
    }

    pub(crate) async fn until_it_listens(&self, program: &mut Program) -> io::Result<()> {
        let connected = async {
            while TcpStream::connect(self.listen).await.is_err() {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            listens = timeout(PATIENCE, connected) => {
                listens.map_err(|_| io::Error::other("flow-manager does not listen"))
            }
            () = program.ended() => Err(io::Error::other("flow-manager did not start")),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The file of the token that flow-manager made.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.state().join("tokens")
    }

    /// What all containers of this flow-manager are labelled with.
    pub(crate) fn instance(&self) -> io::Result<String> {
        let text = fs::read_to_string(self.state().join("instance"))?;
        Ok(text.trim().to_owned())
    }

    pub(crate) fn crontab_path(&self) -> PathBuf {
        self.folder.path().join("crontab")
    }
}

/// The settings of who sends to the endpoint.
pub(crate) fn aws(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
    ]
}
