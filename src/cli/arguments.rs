//! The arguments, defined once for the program, its help, its completions and its
//! manual page.

use std::ffi::OsString;
use std::fmt::Write;

use clap::{Arg, ArgAction};
use settings::Setting;

use crate::config::setting;

/// What the program was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) command: Command,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Run,
    Once,
    Check,
    Healthcheck,
}

impl Arguments {
    /// The error of a call for help is the help.
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(arguments)?;
        let (name, of_command) = matches.subcommand().unwrap_or(("run", &matches));
        let is_set = |id| {
            of_command
                .try_get_one::<bool>(id)
                .is_ok_and(|set| set == Some(&true))
        };
        Ok(Self {
            command: match name {
                "once" => Command::Once,
                "check" => Command::Check,
                "healthcheck" => Command::Healthcheck,
                _ => Command::Run,
            },
            dry_run: is_set("dry-run") || matches.get_flag("dry-run"),
            json: is_set("json"),
        })
    }
}

/// The definition of the arguments.
#[must_use]
pub fn command() -> clap::Command {
    let dry_run = Arg::new("dry-run")
        .long("dry-run")
        .action(ArgAction::SetTrue)
        .help("Do everything but the request, and log the points");
    clap::Command::new("cw-publisher")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Publishes metrics to Amazon CloudWatch on a schedule and loses no point in an outage",
        )
        .after_help(environment_help())
        .arg(dry_run.clone())
        .subcommand(
            clap::Command::new("run")
                .about("Publish on the schedule until SIGTERM (the default)")
                .arg(dry_run.clone()),
        )
        .subcommand(
            clap::Command::new("once")
                .about("Publish every metric once, now; exit 0 if all points were accepted, else 1")
                .arg(dry_run),
        )
        .subcommand(
            clap::Command::new("check")
                .about("Check the configuration without the network; exit 0 or 78")
                .arg(
                    Arg::new("json")
                        .long("json")
                        .action(ArgAction::SetTrue)
                        .help("Print the result as one JSON document"),
                ),
        )
        .subcommand(
            clap::Command::new("healthcheck")
                .about(
                "Ask the running publisher whether it is healthy; exit 0 or 1, or 78 for a wrong HEALTH_ADDR",
            ),
        )
}

fn environment_help() -> String {
    let mut help = String::from("Environment (empty means unset):\n");
    for setting in setting::ALL {
        describe(&mut help, setting);
    }
    help.push_str("\nOf AWS and of HTTP clients, as their users know them:\n");
    for setting in setting::FOREIGN {
        describe(&mut help, setting);
    }
    help.push_str(
        "\nExit codes: 0 clean stop, 1 failure, 2 wrong arguments, 78 bad configuration or no credentials.\n\
         SIGTERM and SIGINT stop, SIGHUP reads the crontab and the credentials again; a crontab file that has changed is read without it.",
    );
    help
}

fn describe(help: &mut String, setting: &Setting) {
    let Setting {
        name,
        default,
        help: text,
    } = setting;
    let default = if default.is_empty() {
        String::new()
    } else {
        format!(" [default: {default}]")
    };
    let _ = writeln!(help, "  {name}{default}\n      {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        let words = ["cw-publisher"].iter().chain(words).map(OsString::from);
        Arguments::parse(words.collect::<Vec<_>>())
    }

    #[test]
    fn definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn run_is_the_default_and_takes_dry_run_on_both_sides() {
        let expected = |command, dry_run| Arguments {
            command,
            dry_run,
            json: false,
        };
        for (words, arguments) in [
            (&[][..], expected(Command::Run, false)),
            (&["run"], expected(Command::Run, false)),
            (&["--dry-run"], expected(Command::Run, true)),
            (&["run", "--dry-run"], expected(Command::Run, true)),
            (&["--dry-run", "once"], expected(Command::Once, true)),
            (&["check"], expected(Command::Check, false)),
            (&["healthcheck"], expected(Command::Healthcheck, false)),
        ] {
            assert_eq!(parse(words).unwrap(), arguments, "{words:?}");
        }
        assert!(parse(&["check", "--json"]).unwrap().json);
        assert!(parse(&["run", "--json"]).is_err());
        assert!(parse(&["rnu"]).is_err());
        assert!(parse(&["--drry"]).is_err());
    }

    #[test]
    fn help_names_every_variable_with_its_default() {
        let help = command().render_long_help().to_string();
        for setting in setting::ALL {
            assert!(help.contains(setting.name), "{}", setting.name);
            assert!(help.contains(setting.default), "{}", setting.default);
        }
    }

    #[test]
    fn help_names_every_kind_of_source() {
        let help = setting::METRIC_VALUE.help;
        for kind in metric_source::kinds() {
            assert!(help.contains(kind), "{kind}");
        }
    }
}
