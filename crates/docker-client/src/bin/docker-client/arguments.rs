//! The arguments, named as those of the `docker` command.

use std::ffi::OsString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgMatches};
use docker_client::{EventOptions, Exec, ListOptions, LogOptions, Timestamp};

const AFTER: &str = "\
The engine is that of DOCKER_HOST, else the one of the local socket.
Colours are for terminals; NO_COLOR=1 turns them off.
Exit codes: 0, 1 for a failure, 125 for wrong arguments; exec: that of the program, 126 or 127 if it
could not be started, 124 if it did not end in time.";

/// What the program was asked to do.
pub(crate) struct Arguments {
    pub(crate) host: Option<String>,
    pub(crate) json: bool,
    pub(crate) command: Command,
}

/// The commands.
pub(crate) enum Command {
    Ps(ListOptions),
    Logs {
        name: String,
        follow: bool,
        options: Box<LogOptions>,
    },
    Exec {
        name: String,
        exec: Box<Exec>,
        interactive: bool,
    },
    Inspect(Vec<String>),
    Stats {
        names: Vec<String>,
        once: bool,
    },
    Events(EventOptions),
}

impl Arguments {
    /// The error of a call for help is the help.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(arguments)?;
        let (name, of_command) = matches.subcommand().expect("clap asks for one");
        let command = match name {
            "ps" => Command::Ps(list_options(of_command)),
            "logs" => Command::Logs {
                name: texts(of_command, "container").remove(0),
                follow: of_command.get_flag("follow"),
                options: Box::new(log_options(of_command)),
            },
            "exec" => Command::Exec {
                name: texts(of_command, "container").remove(0),
                exec: Box::new(exec_options(of_command)),
                interactive: of_command.get_flag("interactive"),
            },
            "inspect" => Command::Inspect(texts(of_command, "container")),
            "stats" => Command::Stats {
                names: texts(of_command, "container"),
                once: of_command.get_flag("no-stream"),
            },
            _ => Command::Events(event_options(of_command)),
        };
        Ok(Self {
            host: matches.get_one("host").cloned(),
            json: of_command.get_flag("json"),
            command,
        })
    }
}

fn command() -> clap::Command {
    let sub = |name: &'static str, about: &'static str| {
        let json = switch("json", None, "Print JSON: a document, or one for each line");
        clap::Command::new(name).about(about).arg(json)
    };
    let container = || {
        Arg::new("container")
            .value_name("CONTAINER")
            .help("Name, id, or its beginning")
    };
    let since = |help| option("since", None, "TIME", help).value_parser(moment);
    let until = |help| option("until", None, "TIME", help).value_parser(moment);
    let filter = option(
        "filter",
        Some('f'),
        "NAME=VALUE",
        "Only those, for example label=app",
    )
    .action(ArgAction::Append)
    .value_parser(pair);
    clap::Command::new("docker-client")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Looks into the containers of a Docker engine")
        .after_help(AFTER)
        .subcommand_required(true)
        .arg(option(
            "host",
            Some('H'),
            "URL",
            "The engine: unix:///path or tcp://host:port",
        ))
        .subcommand(
            sub("ps", "List containers")
                .arg(switch("all", Some('a'), "Those that do not run, too"))
                .arg(filter.clone()),
        )
        .subcommand(
            sub(
                "logs",
                "Print the log of a container, each stream to its own",
            )
            .arg(container().required(true))
            .arg(switch(
                "follow",
                Some('f'),
                "Go on until the container ends; no line is lost or repeated",
            ))
            .arg(switch(
                "timestamps",
                Some('t'),
                "Put its time before each line",
            ))
            .arg(option("tail", Some('n'), "LINES", "Only so many at the end").value_parser(tail))
            .arg(since(
                "Only those from then on: RFC 3339, Unix seconds, or an age as 10m",
            ))
            .arg(until("Only those up to then")),
        )
        .subcommand(
            sub("exec", "Run a program in a container")
                .arg(switch(
                    "interactive",
                    Some('i'),
                    "Hand on the standard input, up to 64 MiB",
                ))
                .arg(switch("tty", Some('t'), "Give it a terminal"))
                .arg(option("user", Some('u'), "USER", "As whom"))
                .arg(option("workdir", Some('w'), "PATH", "Where"))
                .arg(
                    option("env", Some('e'), "NAME=VALUE", "One more variable")
                        .action(ArgAction::Append)
                        .value_parser(pair),
                )
                .arg(option("timeout", None, "SECONDS", "Kill it after that").value_parser(seconds))
                .arg(container().required(true))
                .arg(
                    Arg::new("program")
                        .value_name("PROGRAM")
                        .num_args(1..)
                        .required(true)
                        .trailing_var_arg(true)
                        .allow_hyphen_values(true),
                ),
        )
        .subcommand(
            sub("inspect", "Tell all about containers")
                .arg(container().num_args(1..).required(true)),
        )
        .subcommand(
            sub("stats", "Tell what containers use")
                .arg(switch("no-stream", None, "Once, not every second"))
                .arg(
                    container()
                        .num_args(0..)
                        .help("Names or ids; all that run otherwise"),
                ),
        )
        .subcommand(
            sub("events", "Tell what happens at the engine")
                .arg(since("Also those from then on that the engine still knows"))
                .arg(filter),
        )
}

fn switch(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .short(short)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn option(name: &'static str, short: Option<char>, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .short(short)
        .value_name(value)
        .help(help)
}

fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    let values = matches.get_many::<String>(name);
    values.into_iter().flatten().cloned().collect()
}

fn pairs(matches: &ArgMatches, name: &str) -> Vec<(String, String)> {
    let values = matches.get_many::<(String, String)>(name);
    values.into_iter().flatten().cloned().collect()
}

fn list_options(matches: &ArgMatches) -> ListOptions {
    let options = ListOptions::new(matches.get_flag("all"));
    let filters = pairs(matches, "filter").into_iter();
    filters.fold(options, |options, (name, value)| {
        options.filter(&name, &value)
    })
}

fn log_options(matches: &ArgMatches) -> LogOptions {
    let mut options = LogOptions::default();
    options.timestamps = matches.get_flag("timestamps") || matches.get_flag("json");
    options.tail = matches.get_one::<Option<u64>>("tail").copied().flatten();
    options.since = matches.get_one("since").copied();
    options.until = matches.get_one("until").copied();
    options
}

fn exec_options(matches: &ArgMatches) -> Exec {
    let mut exec = Exec::new(texts(matches, "program"));
    exec.user = matches.get_one("user").cloned();
    exec.workdir = matches.get_one("workdir").cloned();
    exec.env = pairs(matches, "env");
    exec.tty = matches.get_flag("tty");
    exec.timeout = matches.get_one("timeout").copied();
    exec
}

fn event_options(matches: &ArgMatches) -> EventOptions {
    let mut options = EventOptions::default();
    options.since = matches.get_one("since").copied();
    let filters = pairs(matches, "filter").into_iter();
    filters.fold(options, |options, (name, value)| {
        options.filter(&name, &value)
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn tail(text: &str) -> Result<Option<u64>, String> {
    if text == "all" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| "write a number, or all".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("write seconds, for example 2.5".to_owned())
}

fn moment(text: &str) -> Result<Timestamp, String> {
    #[allow(clippy::disallowed_methods)] // A program's edge: ages are told from now on.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    moment_at(text, now)
        .ok_or("write a time as 2026-11-21T10:00:00Z, Unix seconds, or an age as 1h30m".to_owned())
}

fn moment_at(text: &str, now: Duration) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let nanos = |time: Duration| {
        i64::try_from(time.as_nanos())
            .ok()
            .map(Timestamp::from_nanos)
    };
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return nanos(Duration::try_from_secs_f64(text.parse().ok()?).ok()?);
    }
    let (mut age, mut number) = (Duration::ZERO, String::new());
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        let count: u64 = number.parse().ok()?;
        age = age.checked_add(Duration::from_secs(count.checked_mul(unit)?))?;
        number.clear();
    }
    number
        .is_empty()
        .then(|| now.saturating_sub(age))
        .and_then(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_of_the_arguments_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn moments_are_times_seconds_or_ages() {
        let now = Duration::from_secs(10_000);
        let cases = [
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("12.5", Some(12_500_000_000)),
            ("90s", Some(9_910_000_000_000)),
            ("1h30m", Some(4_600_000_000_000)),
            ("", None),
            ("5", Some(5_000_000_000)),
            ("5x", None),
            ("m", None),
            ("1m5", None),
            ("99999999999999999999h", None),
        ];
        for (text, expected) in cases {
            let found = moment_at(text, now).map(Timestamp::nanos);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn program_keeps_its_own_options() {
        let words = [
            "docker-client",
            "exec",
            "-u",
            "guest",
            "-e",
            "A=b=c",
            "web",
            "ls",
            "-l",
            "--json",
        ];
        let arguments = Arguments::parse(words.map(OsString::from)).unwrap();
        let Command::Exec { name, exec, .. } = arguments.command else {
            panic!("not an exec");
        };
        assert_eq!(
            (&*name, &*exec.cmd, arguments.json),
            ("web", &["ls", "-l", "--json"].map(str::to_owned)[..], false)
        );
        assert_eq!(exec.env, [("A".to_owned(), "b=c".to_owned())]);
    }
}
