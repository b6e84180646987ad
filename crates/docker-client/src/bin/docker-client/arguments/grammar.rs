//! Which commands and options there are, and their help.

use clap::{Arg, ArgAction};

use crate::arguments::values;

const AFTER: &str = "\
The engine is that of DOCKER_HOST, else the one of the local socket.
Colours are for terminals; NO_COLOR=1 turns them off.
Exit codes: 0, 1 for a failure, 125 for wrong arguments; exec: that of the program, 126 or 127 if it
could not be started, 124 if it did not end in time.";

/// All that can be asked for.
pub(super) fn command() -> clap::Command {
    let sub = |name: &'static str, about: &'static str| {
        let json = switch("json", None, "Print JSON: a document, or one for each line");
        clap::Command::new(name).about(about).arg(json)
    };
    let container = || {
        Arg::new("container")
            .value_name("CONTAINER")
            .help("Name, id, or its beginning")
    };
    let since = |help| option("since", None, "TIME", help).value_parser(values::moment);
    let until = |help| option("until", None, "TIME", help).value_parser(values::moment);
    let filter = option(
        "filter",
        Some('f'),
        "NAME=VALUE",
        "Only those, for example label=app",
    )
    .action(ArgAction::Append)
    .value_parser(values::pair);
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
            .arg(
                option("tail", Some('n'), "LINES", "Only so many at the end")
                    .value_parser(values::tail),
            )
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
                        .value_parser(values::pair),
                )
                .arg(
                    option("timeout", None, "SECONDS", "Kill it after that")
                        .value_parser(values::seconds),
                )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_of_the_arguments_is_sound() {
        command().debug_assert();
    }
}
