//! The flows: their image, and the client that creates them, gives them something to do and
//! deletes them, `deploy/system/flows.py`. It runs in a container of the same image, so that
//! nothing but Docker is needed for it.

use std::io;

use tokio::process::Command;

use crate::program::{Program, succeeded};
use crate::site::Site;

pub(crate) const IMAGE: &str = "flow:1";
/// What the client calls them.
pub(crate) const NAMES: [&str; 3] = ["flow-a", "flow-b", "flow-c"];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Builds their image. `PYTHON_IMAGE` names another base, as for the compose file.
#[expect(
    clippy::disallowed_methods,
    reason = "what a user says of images holds for what is built here"
)]
pub(crate) async fn build() -> io::Result<()> {
    let mut docker = Command::new("docker");
    docker.args(["build", "--quiet", "--tag", IMAGE]);
    if let Ok(base) = std::env::var("PYTHON_IMAGE") {
        docker.args(["--build-arg", &format!("PYTHON_IMAGE={base}")]);
    }
    docker.arg(format!("{ROOT}/crates/flow-manager/examples/flows"));
    succeeded("docker build", docker.status().await?)
}

/// The client. It sits in the network of this machine, for flow-manager listens on its loopback.
pub(crate) struct Flows {
    container: String,
    program: Program,
}

impl Flows {
    pub(crate) fn start(site: &Site) -> io::Result<Self> {
        let container = format!("system-flows-{}", std::process::id());
        let mut docker = Command::new("docker");
        docker
            .args(["run", "--rm", "--network", "host", "--name", &container])
            .arg(format!("--volume={ROOT}/deploy/system:/system:ro"))
            .arg(format!("--volume={}:/tokens:ro", site.tokens().display()))
            .arg(format!("--env=FLOW_MANAGER_URL={}", site.url()))
            .arg(format!("--env=FLOW_IMAGE={IMAGE}"))
            .args(["--env=TOKENS_FILE=/tokens", IMAGE])
            .args(["python3", "-u", "/system/flows.py"]);
        Ok(Self {
            container,
            program: Program::spawn("flows", docker)?,
        })
    }

    pub(crate) fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    /// Stops the client, which deletes the flows first. One that has ended did it already.
    pub(crate) async fn stop(self) -> io::Result<()> {
        let mut docker = Command::new("docker");
        docker.args(["stop", "--time", "30", &self.container]);
        let _ = docker.output().await?;
        self.program.stop().await
    }
}
