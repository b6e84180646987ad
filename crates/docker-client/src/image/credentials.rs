//! The registry's credentials, from where `docker login` leaves them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::address::{Environment, process_environment};
use crate::error::DockerClientError;

/// Docker Hub's name in the file.
const HUB: &str = "https://index.docker.io/v1/";
const LONGEST_FILE: u64 = 1024 * 1024;
const LONGEST_SECRET: u64 = 64 * 1024;
/// A helper may ask the user's keyring, which may ask the user.
const HELPER: Duration = Duration::from_secs(30);
/// The user name with which a helper says that the secret is a token.
const TOKEN: &str = "<token>";

/// The file `config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    auths: BTreeMap<String, Stored>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stored {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// What the engine is told.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Auth {
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    password: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    identitytoken: String,
    serveraddress: String,
}

impl Credentials {
    /// Those of the user that runs the process; none if there is no file.
    pub(super) async fn of_user() -> Result<Self, DockerClientError> {
        match file(&process_environment) {
            Some(path) => Self::read(&path).await,
            None => Ok(Self::default()),
        }
    }

    async fn read(path: &Path) -> Result<Self, DockerClientError> {
        let failed = |source| DockerClientError::LocalFile {
            operation: "read",
            path: path.to_owned(),
            source,
        };
        let file = match tokio::fs::File::open(path).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            file => file.map_err(failed)?,
        };
        let mut json = Vec::new();
        file.take(LONGEST_FILE)
            .read_to_end(&mut json)
            .await
            .map_err(failed)?;
        // The parser's own words may hold a piece of the text.
        serde_json::from_slice(&json).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            failed(std::io::Error::other(format!(
                "it is not as `docker login` writes it: {place}"
            )))
        })
    }

    /// The header for a pull from this registry; `None` without credentials.
    pub(super) async fn for_registry(
        &self,
        domain: Option<&str>,
    ) -> Result<Option<String>, DockerClientError> {
        let registry = match domain {
            None | Some("docker.io" | "index.docker.io") => HUB,
            Some(domain) => domain,
        };
        let auth = self.auth(registry).await?;
        Ok(auth.as_ref().and_then(header))
    }

    /// The header for a build, which may pull from any of them; `None` without credentials.
    pub(super) async fn for_all(&self) -> Result<Option<String>, DockerClientError> {
        let mut all = BTreeMap::new();
        for registry in self.auths.keys().chain(self.helpers.keys()) {
            if let Some(auth) = self.auth(registry).await? {
                all.insert(registry.clone(), auth);
            }
        }
        Ok(if all.is_empty() { None } else { header(&all) })
    }

    async fn auth(&self, registry: &str) -> Result<Option<Auth>, DockerClientError> {
        if let Some(helper) = self.helpers.get(registry).or(self.store.as_ref()) {
            return ask(helper, registry).await;
        }
        let same = |key: &str| {
            let bare = |text: &str| {
                let text = text
                    .trim_start_matches("https://")
                    .trim_start_matches("http://");
                text.split('/').next().unwrap_or_default().to_owned()
            };
            bare(key) == bare(registry)
        };
        let stored = self.auths.get(registry).or_else(|| {
            self.auths
                .iter()
                .find(|(key, _)| same(key))
                .map(|(_, stored)| stored)
        });
        stored.map_or(Ok(None), |stored| stored.auth(registry))
    }
}

impl Stored {
    fn auth(&self, registry: &str) -> Result<Option<Auth>, DockerClientError> {
        let serveraddress = registry.to_owned();
        if let Some(token) = self.identitytoken.clone().filter(|token| !token.is_empty()) {
            return Ok(Some(Auth {
                identitytoken: token,
                serveraddress,
                ..Auth::default()
            }));
        }
        let Some(auth) = self.auth.as_deref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let decoded = BASE64_STANDARD.decode(auth).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        let Some((username, password)) = pair else {
            return Err(refused(
                registry,
                "`auth` is not base64 of `user:password`: log in anew",
            ));
        };
        let (username, password) = (
            username.to_owned(),
            password.trim_end_matches('\0').to_owned(),
        );
        Ok(Some(Auth {
            username,
            password,
            serveraddress,
            ..Auth::default()
        }))
    }
}

/// Asks the program `docker-credential-NAME`.
async fn ask(helper: &str, registry: &str) -> Result<Option<Auth>, DockerClientError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if helper.is_empty() || !helper.chars().all(allowed) {
        return Err(refused(
            registry,
            "the name of the credential helper is none",
        ));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |what: &str| refused(registry, &format!("{program} {what}"));
    let run = async {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("cannot be started: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read is judged by its answer.
            let _ = stdin.write_all(registry.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(LONGEST_SECRET).read_to_end(&mut output).await;
            read.map_err(|_| failed("cannot be read"))?;
        }
        let status = child
            .wait()
            .await
            .map_err(|_| failed("cannot be waited for"))?;
        if !status.success() {
            let words = String::from_utf8_lossy(&output).to_ascii_lowercase();
            return match words.contains("not found") {
                true => Ok(None),
                false => Err(failed("failed")),
            };
        }
        let answer: Answer =
            serde_json::from_slice(&output).map_err(|_| failed("answered no JSON"))?;
        let serveraddress = registry.to_owned();
        Ok(Some(match answer.username.as_str() {
            TOKEN => Auth {
                identitytoken: answer.secret,
                serveraddress,
                ..Auth::default()
            },
            _ => Auth {
                username: answer.username,
                password: answer.secret,
                serveraddress,
                ..Auth::default()
            },
        }))
    };
    tokio::time::timeout(HELPER, run)
        .await
        .unwrap_or_else(|_| Err(failed("did not answer")))
}

fn file(env: Environment<'_>) -> Option<PathBuf> {
    let folder = |name: &str| {
        env(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = folder("DOCKER_CONFIG").or_else(|| Some(folder("HOME")?.join(".docker")))?;
    Some(folder.join("config.json"))
}

fn header(auth: &impl Serialize) -> Option<String> {
    Some(BASE64_URL_SAFE.encode(serde_json::to_vec(auth).ok()?))
}

fn refused(registry: &str, reason: &str) -> DockerClientError {
    DockerClientError::Credentials {
        registry: registry.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
