//! Ending a command inside its container: closing the connection leaves it running, and the
//! API has no call for it.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use crate::client::DockerApiClient;
use crate::exec::session::Session;
use crate::exec::{Exec, ExecItem};

/// The variable that a command and all that it starts carry.
const VARIABLE: &str = "DOCKER_CLIENT_EXEC";
/// How long the killing itself may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Kills what has the marker, again until nothing is found: a process may start others
/// meanwhile. It needs no more than a shell and `cat`. Its own environment lacks the marker.
const SCRIPT: &str = r#"
for round in 1 2 3 4 5; do
    found=
    for p in /proc/[0-9]*; do
        case "$(cat "$p/environ" 2>/dev/null)" in
            *"$1"*) kill -9 "${p#/proc/}" && found=1 ;;
        esac
    done
    [ -n "$found" ] || exit 0
done 2>/dev/null
"#;

/// Tells one command's processes from all others.
#[derive(Debug)]
pub(crate) struct Marker(String);

impl Marker {
    pub(crate) fn random() -> Self {
        // The standard library's source of randomness for hash maps. It is no secret.
        let number = || RandomState::new().hash_one(0);
        Self(format!("{:016x}{:016x}", number(), number()))
    }

    /// As it stands in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }

    /// Kills every process of the container that has the marker and that the user may kill.
    /// Whether that could be tried: it cannot where there is no shell.
    pub(crate) fn kill_all<'a>(
        &'a self,
        client: &'a DockerApiClient,
        container: &'a str,
        user: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let mut exec = Exec::new(["sh", "-c", SCRIPT, "sh", &self.variable()]);
        exec.user = user.map(str::to_owned);
        Box::pin(async move {
            let run = async {
                let mut session = Session::start(client, container, exec).await?;
                while let Some(item) = session.next().await? {
                    if let ExecItem::Exited { exit_code } = item {
                        return Ok(exit_code == 0);
                    }
                }
                Ok(false)
            };
            let run = tokio::time::timeout(LIMIT, run).await;
            matches!(run, Ok(Ok::<_, crate::DockerClientError>(true)))
        })
    }
}
