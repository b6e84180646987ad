//! What an entry tells its source beside the text, and which kinds of source have a use
//! for it.

use std::fmt;
use std::path::PathBuf;

use cloudwatch_metric::Dimensions;

/// Most series that one entry may select unless it says otherwise. Each is a metric that
/// AWS bills, about 0.30 USD a month, so a careless selector costs no fortune.
const MAX_SERIES: usize = 500;

/// Settings of an entry that only some kinds of source take.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// A file of request headers, one `Name: value` a line.
    pub headers_file: Option<PathBuf>,
    /// The labels of series that become dimensions; none given means all. Series that
    /// differ in other labels only become several values of one metric, which CloudWatch
    /// aggregates: its Sum is their sum, its Maximum the largest.
    pub keep_labels: Vec<String>,
    /// Labels that become no dimensions, even if kept.
    pub drop_labels: Vec<String>,
    /// Most series that one entry may select.
    pub max_series: usize,
    /// The names of the entry's own dimensions, which no label that becomes one may have, and
    /// which those of the ECS task give way to.
    pub own_dimensions: Vec<String>,
    /// Where the ECS agent answers (`ECS_CONTAINER_METADATA_URI_V4`).
    pub ecs_metadata_uri: Option<String>,
}

/// The address of the ECS agent is left out: it is a token of the task.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("headers_file", &self.headers_file)
            .field("keep_labels", &self.keep_labels)
            .field("drop_labels", &self.drop_labels)
            .field("max_series", &self.max_series)
            .field("own_dimensions", &self.own_dimensions)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            headers_file: None,
            keep_labels: Vec::new(),
            drop_labels: Vec::new(),
            max_series: MAX_SERIES,
            own_dimensions: Vec::new(),
            ecs_metadata_uri: None,
        }
    }
}

impl Options {
    /// Notes the dimensions of an entry if the source that `text` names adds others.
    pub fn note(&mut self, own: &Dimensions, text: &str) {
        if Uses::of(text).adds_dimensions {
            self.own_dimensions = own.iter().map(|own| own.name().to_owned()).collect();
        }
    }
}

/// What the source that a text names has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    /// Request headers, for it asks over HTTP.
    pub headers: bool,
    /// What is said of series and their labels.
    pub series: bool,
    /// Dollars that are no variables': of a program's arguments, of a regular expression.
    pub dollars: bool,
    /// Its points have dimensions beside those of the entry.
    pub adds_dimensions: bool,
}

impl Uses {
    /// Looks at the kind alone: whether the text is sound is for [`super::parse`] to say.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (kind, rest) = text.trim().split_once(':').unwrap_or_default();
        let series = kind == "prometheus";
        let headers = match kind {
            "http" | "https" => true,
            "up" | "latency" => rest.starts_with("http"),
            _ => series,
        };
        Self {
            headers,
            series,
            dollars: series || kind == "exec",
            adds_dimensions: series || kind == "ecs",
        }
    }
}
