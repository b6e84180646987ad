//! A command as the engine knows it: made, started, asked for its end, killed.

use std::time::Duration;

use bollard::models::{ExecConfig, ExecInspectResponse};
use http::{Method, StatusCode, header};
use hyper::upgrade::Upgraded;
use tokio::time::Instant;

use crate::client::DockerApiClient;
use crate::engine::call::Call;
use crate::engine::{DEADLINE, Streamed, full};
use crate::error::DockerClientError;
use crate::exec::Exec;
use crate::exec::kill::Marker;
use crate::name;

/// How often an end is asked for, at first and at most.
const FIRST_ASK: Duration = Duration::from_millis(5);
const LONGEST_ASK: Duration = Duration::from_millis(500);
/// How long a killed command may take to be gone.
const GONE: Duration = Duration::from_secs(2);
/// The codes of a command that could not be started.
const NOT_STARTED: [i64; 2] = [126, 127];

/// A command in a container.
pub(crate) struct Command {
    client: DockerApiClient,
    container: String,
    cmd: Vec<String>,
    user: Option<String>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    id: String,
    marker: Marker,
}

impl Command {
    /// Makes it known to the engine. It is not started.
    pub(crate) async fn create(
        client: &DockerApiClient,
        container: &str,
        exec: Exec,
        attach_stdin: bool,
    ) -> Result<Self, DockerClientError> {
        if exec.cmd.is_empty() {
            let reason = "there is no command to run".to_owned();
            return Err(DockerClientError::InvalidArgument {
                argument: "command",
                reason,
            });
        }
        let bare = name::container(container)?;
        let marker = Marker::random();
        let env = exec
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let config = ExecConfig {
            attach_stdin: Some(attach_stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(exec.tty),
            env: Some(env.chain([marker.variable()]).collect()),
            cmd: Some(exec.cmd.clone()),
            user: exec.user.clone(),
            working_dir: exec.workdir,
            ..ExecConfig::default()
        };
        let call = Call::container("run a command in", container);
        let ask = |docker| bollard::Docker::create_exec(docker, bare, config.clone());
        let created = client.engine.call(call, DEADLINE, ask).await?;
        Ok(Self {
            client: client.clone(),
            container: container.to_owned(),
            cmd: exec.cmd,
            user: exec.user,
            timeout: exec.timeout,
            deadline: exec.timeout.map(|timeout| Instant::now() + timeout),
            id: created.id,
            marker,
        })
    }

    /// Starts it and takes the connection over.
    pub(crate) async fn start(&self, tty: bool) -> Result<Upgraded, DockerClientError> {
        let mut request = Streamed::get(format!("/exec/{}/start", self.id), &[]);
        request.method = Method::POST;
        request.headers = vec![
            (header::CONNECTION, "Upgrade".to_owned()),
            (header::UPGRADE, "tcp".to_owned()),
            (header::CONTENT_TYPE, "application/json".to_owned()),
        ];
        request.body = full(format!(r#"{{"Detach":false,"Tty":{tty}}}"#).into());
        let answer = match self.client.engine.open(self.call(), request).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.not_started(error).await),
        };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let source = "the connection was not handed over: is there a proxy between?".into();
            let operation = self.call().to_string();
            return Err(DockerClientError::Decode { operation, source });
        }
        match hyper::upgrade::on(answer).await {
            Ok(upgraded) => Ok(upgraded),
            Err(error) => Err(self.lost(error).await),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn call(&self) -> Call<'_> {
        Call::container("run a command in", &self.container)
    }

    /// What a broken connection means.
    pub(crate) async fn lost(
        &self,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> DockerClientError {
        self.client.engine.lost(self.call(), error).await
    }

    /// What the engine's words in the middle of the output mean.
    pub(crate) fn told(&self, words: &str) -> DockerClientError {
        self.client.engine.told(self.call(), 500, words)
    }

    /// Kills it; whether it is gone.
    pub(crate) async fn kill(&self) -> bool {
        self.marker
            .kill_all(&self.client, &self.container, self.user.as_deref())
            .await
            && self.wait_for_end().await
    }

    /// Asks for the exit code until there is one.
    pub(crate) async fn exit_code(&self, output: &[u8]) -> Result<i64, DockerClientError> {
        let mut pause = FIRST_ASK;
        loop {
            let answer = self.inspect().await?;
            if answer.running != Some(true)
                && let Some(exit_code) = answer.exit_code
            {
                if NOT_STARTED.contains(&exit_code) && answer.pid.unwrap_or(0) == 0 {
                    let output = String::from_utf8_lossy(output).into_owned();
                    return Err(self.refused(exit_code, output));
                }
                return Ok(exit_code);
            }
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                return Err(self.time_out().await);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_ASK);
        }
    }

    /// Kills the command, for its time is over.
    pub(crate) async fn time_out(&self) -> DockerClientError {
        let pid = self
            .inspect()
            .await
            .ok()
            .and_then(|answer| answer.pid)
            .unwrap_or(0);
        DockerClientError::ExecTimeout {
            name: self.container.clone(),
            command: self.cmd.clone(),
            after: self.timeout.unwrap_or_default(),
            killed: self.kill().await,
            pid,
        }
    }

    async fn wait_for_end(&self) -> bool {
        let deadline = Instant::now() + GONE;
        loop {
            let running = self.inspect().await.map(|answer| answer.running);
            if matches!(running, Ok(Some(false))) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn inspect(&self) -> Result<ExecInspectResponse, DockerClientError> {
        let call = Call::container("ask for the end of a command in", &self.container);
        self.client
            .engine
            .call(call, DEADLINE, |docker| docker.inspect_exec(&self.id))
            .await
    }

    /// What a refusal to start means: newer engines answer what older ones put into the output.
    async fn not_started(&self, error: DockerClientError) -> DockerClientError {
        let DockerClientError::Engine { message, .. } = &error else {
            return error;
        };
        match self
            .inspect()
            .await
            .map(|answer| (answer.exit_code, answer.pid))
        {
            Ok((Some(exit_code), None | Some(0))) if NOT_STARTED.contains(&exit_code) => {
                self.refused(exit_code, message.clone())
            }
            _ => error,
        }
    }

    fn refused(&self, exit_code: i64, output: String) -> DockerClientError {
        DockerClientError::ContainerCommand {
            name: self.container.clone(),
            command: self.cmd.clone(),
            exit_code,
            output,
        }
    }
}
