//! What is to be done: what runs, where its lines go, and how. Checked when made.

use std::path::PathBuf;
use std::time::Duration;

use docker_client::CreateContainer;

use crate::arguments::in_region;
use crate::event::LineStart;
use crate::template::Template;

/// All that a run needs to know.
#[derive(Clone, Debug)]
pub struct Job {
    /// What prints.
    pub target: Target,
    /// Where its lines go.
    pub destination: Destination,
    /// How a group that is missing is made.
    pub group: GroupSettings,
    /// What begins an event; every line does if nothing is given.
    pub events: Option<LineStart>,
    /// When is sent, and how long it is tried.
    pub delivery: Delivery,
    /// The way to AWS.
    pub aws: Aws,
    /// The engine, if it is not the one of the local socket.
    pub docker_host: Option<String>,
    /// What this program prints.
    pub output: Output,
    /// What a checkpoint belongs to, beside the region.
    pub fingerprint: String,
    /// What looks wrong but is harmless, one line each.
    pub warnings: Vec<String>,
}

impl Job {
    /// What a checkpoint belongs to.
    #[must_use]
    pub fn identity(&self) -> String {
        let region = self.aws.region.as_deref().unwrap_or_default();
        in_region(&self.fingerprint, region)
    }
}

/// What prints.
#[derive(Clone, Debug)]
pub enum Target {
    /// A container that is made for it.
    Run(Box<RunSettings>),
    /// Containers that are there.
    Attach(AttachSettings),
}

/// A container to make.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The container.
    pub container: CreateContainer,
    /// The shell that runs it, for the hint if the image has none.
    pub shell: Option<String>,
    /// When its image is pulled.
    pub pull: Pull,
    /// Remove it once all its lines were accepted.
    pub remove: bool,
    /// A signal leaves it running.
    pub detach: bool,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Each time.
    Always,
    /// If the engine does not have it.
    Missing,
    /// Not at all.
    Never,
}

/// Containers that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachSettings {
    /// Which.
    pub which: Which,
    /// Begin with the last so many lines.
    pub tail: Option<u64>,
}

/// Which containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// One, by name or id.
    Named {
        /// Its name or id.
        name: String,
        /// Go on when it is started again.
        follow_restarts: bool,
    },
    /// All that carry these labels, and those to come.
    Labelled(Vec<String>),
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The group.
    pub group: Template,
    /// The stream.
    pub stream: Template,
    /// A stream of its own for standard error.
    pub stderr_stream: Option<Template>,
}

/// How a group that is missing is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// Make neither group nor stream.
    pub no_create: bool,
    /// How many days events are kept.
    pub retention_days: Option<i32>,
    /// The key that it is encrypted with.
    pub kms_key_id: Option<String>,
    /// Its class, as the API spells it.
    pub class: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// When is sent, and how long it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What was accepted is remembered here.
    pub checkpoint: Option<PathBuf>,
    /// Stop the container when nothing was accepted for so long.
    pub stop_after: Option<Duration>,
    /// How long is shipped after a signal, and how long nothing may be accepted after the
    /// container's own end.
    pub drain_timeout: Duration,
    /// How long an event may wait for others.
    pub flush_interval: Duration,
    /// Memory for lines that are not accepted yet.
    pub buffer_bytes: usize,
    /// The longest that one request may take.
    pub request_timeout: Duration,
}

/// The way to AWS. Keys are not here: they are the SDK's to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// The region; until the connection is set up none if the profile names it.
    pub region: Option<String>,
    /// Another endpoint.
    pub endpoint_url: Option<String>,
    /// A secret stands on the command line.
    pub shown: bool,
}

/// What this program prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The container's lines on standard output.
    pub tee: bool,
    /// The log's filter.
    pub log_level: String,
    /// The log's form.
    pub log_format: Format,
}

/// The log's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// One line of text.
    Text,
    /// Text on a terminal, else JSON.
    Auto,
}
