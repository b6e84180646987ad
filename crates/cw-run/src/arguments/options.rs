//! Every option: its names, its variable, its default and its meaning. The grammar, `--help` and
//! the README's table are made from these.

/// What an option is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What runs, or what is attached to.
    Container,
    /// Where its lines go.
    Destination,
    /// How lines become events.
    Events,
    /// When, and how long, is sent.
    Delivery,
    /// The way to AWS, and the way to Docker.
    Connection,
    /// What this program prints.
    Output,
}

impl Topic {
    /// All, in the order of the help.
    pub const ALL: [Self; 6] = [
        Self::Container,
        Self::Destination,
        Self::Events,
        Self::Delivery,
        Self::Connection,
        Self::Output,
    ];

    /// As `--help` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Destination => "destination",
            Self::Events => "events",
            Self::Delivery => "delivery",
            Self::Connection => "connection",
            Self::Output => "output",
        }
    }

    /// The topic of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// With which command an option goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// With all.
    Always,
    /// Where a container is made.
    Run,
    /// Where one is there already.
    Attach,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its name behind `--`, and in messages.
    pub name: &'static str,
    /// Other names that mean the same.
    pub also: &'static [&'static str],
    /// Its letter, as `docker run` has it.
    pub short: Option<char>,
    /// The variable that stands in for it.
    pub variable: &'static str,
    /// What its value is called; empty for a switch.
    pub value: &'static str,
    /// May be given more than once; in the variable one stands on each line.
    pub many: bool,
    /// What it is about.
    pub topic: Topic,
    /// With which command it goes.
    pub goes: Goes,
    /// A checkpoint belongs to this value. The region is not among them: it may come from a profile.
    pub identity: bool,
    /// What holds if it is not given; empty for nothing.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

const fn option(
    topic: Topic,
    name: &'static str,
    variable: &'static str,
    value: &'static str,
    help: &'static str,
) -> Opt {
    Opt {
        name,
        also: &[],
        short: None,
        variable,
        value,
        many: false,
        topic,
        goes: Goes::Always,
        identity: false,
        default: "",
        help,
    }
}

impl Opt {
    const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    const fn goes(mut self, goes: Goes) -> Self {
        self.goes = goes;
        self
    }

    const fn identity(mut self) -> Self {
        self.identity = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// Whether it takes no value.
    #[must_use]
    pub const fn is_switch(&self) -> bool {
        self.value.is_empty()
    }

    /// The option of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|option| option.name == name)
    }
}

use Goes::{Attach, Run};
use Topic::{Connection, Container, Delivery, Destination, Events, Output};

/// Every option, in the order of the help.
pub const ALL: &[Opt] = &[
    option(Container, "docker-image", "CW_RUN_DOCKER_IMAGE", "IMAGE", "the image; in short it is the first word behind --").also(&["image"]).goes(Run).identity(),
    option(Container, "bash-command", "CW_RUN_BASH_COMMAND", "TEXT", "runs bash -c TEXT in the place of the image's entrypoint").goes(Run).identity(),
    option(Container, "shell", "CW_RUN_SHELL", "PROGRAM", "the shell of --bash-command, for images without bash").goes(Run).identity().default("bash"),
    option(Container, "name", "CW_RUN_NAME", "NAME", "the container's name").goes(Run).identity(),
    option(Container, "env", "CW_RUN_ENV", "NAME=VALUE", "one more variable; NAME alone takes the value of ours").short('e').many().goes(Run).identity(),
    option(Container, "env-file", "CW_RUN_ENV_FILE", "FILE", "variables from a file, one a line, up to 1 MiB").many().goes(Run).identity(),
    option(Container, "volume", "CW_RUN_VOLUME", "[HOST:]PATH[:MODE]", "one more mount: a folder of the host's, a volume's name, or neither for a new volume").short('v').many().goes(Run).identity(),
    option(Container, "workdir", "CW_RUN_WORKDIR", "PATH", "the working directory").short('w').goes(Run).identity(),
    option(Container, "user", "CW_RUN_USER", "USER[:GROUP]", "the user").short('u').goes(Run).identity(),
    option(Container, "network", "CW_RUN_NETWORK", "NETWORK", "the network").goes(Run).identity(),
    option(Container, "memory", "CW_RUN_MEMORY", "SIZE", "most memory, as 512m or 1.5g").short('m').goes(Run).identity(),
    option(Container, "cpus", "CW_RUN_CPUS", "NUMBER", "most processors, as 1.5").goes(Run).identity(),
    option(Container, "entrypoint", "CW_RUN_ENTRYPOINT", "PROGRAM", "what runs the words behind --; empty for none").goes(Run).identity(),
    option(Container, "platform", "CW_RUN_PLATFORM", "OS[/ARCH]", "as linux or linux/arm64").goes(Run).identity(),
    option(Container, "stop-timeout", "CW_RUN_STOP_TIMEOUT", "SECONDS", "the container's grace between its stop signal and SIGKILL; Docker's 10 otherwise").goes(Run).identity(),
    option(Container, "pull", "CW_RUN_PULL", "POLICY", "always, missing or never").goes(Run).default("missing"),
    option(Container, "rm", "CW_RUN_RM", "", "removes the container once all its lines were accepted; one with lines left stays").goes(Run),
    option(Container, "label", "CW_RUN_LABEL", "NAME[=VALUE]", "with run one more label of the container; with attach all containers that carry it, those to come as well").many().identity(),
    option(Container, "tail", "CW_RUN_TAIL", "LINES", "with attach, begin with the last so many lines; 0 for those to come; otherwise all that the engine kept").goes(Attach).identity(),
    option(Container, "follow-restarts", "CW_RUN_FOLLOW_RESTARTS", "", "with attach NAME, go on when the container is started again").goes(Attach),
    option(Destination, "aws-cloudwatch-group", "CW_RUN_GROUP", "GROUP", "the log group, a template").also(&["group"]).identity(),
    option(Destination, "aws-cloudwatch-stream", "CW_RUN_STREAM", "STREAM", "the log stream, a template").also(&["stream"]).identity().default("{name}/{id}"),
    option(Destination, "stderr-stream", "CW_RUN_STDERR_STREAM", "STREAM", "a stream of its own for standard error, a template").identity(),
    option(Destination, "no-create", "CW_RUN_NO_CREATE", "", "refuses to begin if group or stream are missing, and creates neither"),
    option(Destination, "retention-days", "CW_RUN_RETENTION_DAYS", "DAYS", "how long the group keeps events"),
    option(Destination, "kms-key-id", "CW_RUN_KMS_KEY_ID", "ARN", "the key of a group that is created"),
    option(Destination, "log-group-class", "CW_RUN_LOG_GROUP_CLASS", "CLASS", "STANDARD, INFREQUENT_ACCESS or DELIVERY, of a group that is created"),
    option(Destination, "tag", "CW_RUN_TAG", "NAME=VALUE", "one more tag of a group that is created").many(),
    option(Events, "multiline-pattern", "CW_RUN_MULTILINE_PATTERN", "REGEX", "a line that matches begins an event, others belong to the one before").identity(),
    option(Events, "datetime-format", "CW_RUN_DATETIME_FORMAT", "FORMAT", "the same by a date, as %Y-%m-%d %H:%M:%S").identity(),
    option(Delivery, "checkpoint", "CW_RUN_CHECKPOINT", "FILE", "remembers the container and what was accepted; the next run with it goes on there"),
    option(Delivery, "on-failure", "CW_RUN_ON_FAILURE", "ACTION", "continue, or stop: the container is stopped when nothing can be shipped").goes(Run).default("continue"),
    option(Delivery, "failure-after", "CW_RUN_FAILURE_AFTER", "TIME", "how long nothing was accepted when --on-failure=stop acts").goes(Run).default("60s"),
    option(Delivery, "detach-on-exit", "CW_RUN_DETACH_ON_EXIT", "", "SIGTERM and SIGINT leave the container running").goes(Run),
    option(Delivery, "drain-timeout", "CW_RUN_DRAIN_TIMEOUT", "TIME", "how long shipping may go on after SIGTERM; after the container's own end, how long nothing may be accepted").default("30s"),
    option(Delivery, "flush-interval", "CW_RUN_FLUSH_INTERVAL", "TIME", "how long an event may wait for others").default("5s"),
    option(Delivery, "buffer-bytes", "CW_RUN_BUFFER_BYTES", "SIZE", "memory for lines that are not accepted yet; reading stops when it is full").default("16MiB"),
    option(Delivery, "request-timeout", "CW_RUN_REQUEST_TIMEOUT", "TIME", "the longest that one request may take").default("30s"),
    option(Connection, "aws-region", "AWS_REGION", "REGION", "the region; AWS_DEFAULT_REGION or the profile's also serve").also(&["region"]),
    option(Connection, "aws-access-key-id", "AWS_ACCESS_KEY_ID", "ID", "a key; better leave keys to the SDK's own ways, a role or a profile"),
    option(Connection, "aws-secret-access-key", "AWS_SECRET_ACCESS_KEY", "SECRET", "its secret; as an argument everybody sees it in ps"),
    option(Connection, "aws-session-token", "AWS_SESSION_TOKEN", "TOKEN", "the token of a temporary key"),
    option(Connection, "endpoint-url", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "URL", "another endpoint, for example a local one; AWS_ENDPOINT_URL also serves").identity(),
    option(Connection, "docker-host", "DOCKER_HOST", "URL", "the engine: unix:///path or tcp://host:port; the local socket otherwise").identity(),
    option(Output, "tee", "CW_RUN_TEE", "", "prints the container's lines, of both its streams, on standard output"),
    option(Output, "log-level", "LOG_LEVEL", "LEVEL", "error, warn, info, debug, trace, off, or a filter").default("info"),
    option(Output, "log-format", "LOG_FORMAT", "FORMAT", "json, text, or auto: text on a terminal").default("auto"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_option_has_a_variable_and_no_name_is_given_twice() {
        let mut names = HashSet::new();
        for option in ALL {
            assert!(
                !option.variable.is_empty() && !option.help.is_empty(),
                "{}",
                option.name
            );
            assert!(names.insert(option.variable), "{}", option.variable);
            for name in option.also.iter().chain([&option.name]) {
                assert!(names.insert(name), "{name}");
            }
        }
    }
}
