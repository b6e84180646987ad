//! The arguments, named as those of the `docker` command.

use std::ffi::OsString;

use clap::ArgMatches;
use docker_client::{EventOptions, Exec, ListOptions, LogOptions};

mod grammar;
mod values;

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
        let matches = grammar::command().try_get_matches_from(arguments)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
