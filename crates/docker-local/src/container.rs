//! Containers: how a test describes one, and what the engine knows of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::exec::{Exec, ExecRequest};
use crate::log::Log;

/// The states of Docker, those of an instant included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet started.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Ended, and about to be started by its restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Its removal failed half-way.
    Dead,
}

impl State {
    /// As the API spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// What the API gives as `Running`: a frozen and a restarting one count too.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

/// Where the engine keeps a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDriver {
    /// The default.
    JsonFile,
    /// As json-file, but the last chunk of a long line has no line break.
    Local,
    /// Nowhere: reading is refused.
    None,
}

impl LogDriver {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JsonFile => "json-file",
            Self::Local => "local",
            Self::None => "none",
        }
    }
}

pub(crate) type ExecScript = Arc<dyn Fn(&ExecRequest) -> Exec + Send + Sync>;

/// A container, for [`DockerLocal::add`](crate::DockerLocal::add). It is created and not started unless told otherwise.
#[derive(Clone)]
pub struct Container {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) environment: Vec<String>,
    pub(crate) tty: bool,
    pub(crate) state: State,
    pub(crate) exit_code: i64,
    pub(crate) health: Option<String>,
    pub(crate) restarts: u64,
    pub(crate) pid: u64,
    pub(crate) log_driver: LogDriver,
    pub(crate) log: Log,
    pub(crate) exec: Option<ExecScript>,
    /// The body that it was created with, over the API.
    pub(crate) config: Value,
    pub(crate) stats: Option<Value>,
    /// Laid over what is answered to an inspection.
    pub(crate) details: Value,
    pub(crate) created: i64,
    pub(crate) started: i64,
    pub(crate) finished: i64,
}

impl Container {
    /// A container of this name, of the image `fixture:1`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            image: "fixture:1".to_owned(),
            command: vec!["run".to_owned()],
            labels: BTreeMap::new(),
            environment: Vec::new(),
            tty: false,
            state: State::Created,
            exit_code: 0,
            health: None,
            restarts: 0,
            pid: 0,
            log_driver: LogDriver::JsonFile,
            log: Log::default(),
            exec: None,
            config: json!({}),
            stats: None,
            details: json!({}),
            created: 0,
            started: 0,
            finished: 0,
        }
    }

    /// Its id, 64 hexadecimal digits; otherwise one is made up.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// The image that it was made of.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.image = image.to_owned();
        self
    }

    /// The program and its arguments.
    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// One more label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// One more variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// It has a terminal: its log is not in frames, and all of it is standard output.
    #[must_use]
    pub fn tty(mut self) -> Self {
        self.tty = true;
        self
    }

    /// It runs.
    #[must_use]
    pub fn running(self) -> Self {
        self.state(State::Running)
    }

    /// It ended with this code.
    #[must_use]
    pub fn exited(mut self, code: i64) -> Self {
        self.exit_code = code;
        self.state(State::Exited)
    }

    /// It is in this state.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// It has a health check, with this result: `starting`, `healthy` or `unhealthy`.
    #[must_use]
    pub fn health(mut self, health: &str) -> Self {
        self.health = Some(health.to_owned());
        self
    }

    /// Where its log is kept.
    #[must_use]
    pub fn log_driver(mut self, driver: LogDriver) -> Self {
        self.log_driver = driver;
        self
    }

    /// What happens when something is executed in it. Otherwise no program is found in it.
    #[must_use]
    pub fn on_exec(
        mut self,
        script: impl Fn(&ExecRequest) -> Exec + Send + Sync + 'static,
    ) -> Self {
        self.exec = Some(Arc::new(script));
        self
    }

    /// What is answered to `stats`, recorded from a real engine for example. Otherwise a
    /// recording of a container that sleeps.
    #[must_use]
    pub fn stats(mut self, recorded: Value) -> Self {
        self.stats = Some(recorded);
        self
    }

    /// Lays this over what is answered to an inspection, object by object.
    ///
    /// ```
    /// # use docker_local::Container;
    /// # use serde_json::json;
    /// Container::named("web").details(json!({"HostConfig": {"LogConfig": {"Config": {"max-size": "1m"}}}}));
    /// ```
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("state", &self.state)
            .field("tty", &self.tty)
            .finish_non_exhaustive()
    }
}
