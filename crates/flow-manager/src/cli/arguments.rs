//! The arguments, defined once for the program and its help.

use std::ffi::OsString;
use std::fmt::Write;

use crate::config::setting;

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Run,
    Check,
    Healthcheck,
}

impl Command {
    /// The error of a call for help is the help.
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(arguments)?;
        Ok(match matches.subcommand_name() {
            Some("check") => Self::Check,
            Some("healthcheck") => Self::Healthcheck,
            _ => Self::Run,
        })
    }
}

/// The definition of the arguments.
#[must_use]
pub fn command() -> clap::Command {
    clap::Command::new("flow-manager")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Manages containers over Socket.IO, and talks to each through a Unix socket")
        .after_help(environment_help())
        .subcommand(clap::Command::new("run").about("Serve until SIGTERM (the default)"))
        .subcommand(
            clap::Command::new("check")
                .about("Check the configuration without the engine and the network; exit 0 or 78"),
        )
        .subcommand(
            clap::Command::new("healthcheck")
                .about("Ask the running flow-manager whether it is there; exit 0 or 1"),
        )
}

fn environment_help() -> String {
    let mut help = String::from("Environment (empty means unset):\n");
    for setting in setting::ALL {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        let _ = writeln!(help, "  {}{default}\n      {}", setting.name, setting.help);
    }
    help.push_str(
        "\nExit codes: 0 clean stop, 1 failure, 2 wrong arguments, 78 bad configuration.\n\
         SIGTERM and SIGINT stop, SIGHUP reads TOKENS_FILE again. Containers run on without flow-manager.",
    );
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Command, clap::Error> {
        let words = ["flow-manager"].iter().chain(words).map(OsString::from);
        Command::parse(words.collect::<Vec<_>>())
    }

    #[test]
    fn definition_is_sound_and_run_is_the_default() {
        command().debug_assert();
        for (words, expected) in [
            (&[][..], Command::Run),
            (&["run"], Command::Run),
            (&["check"], Command::Check),
            (&["healthcheck"], Command::Healthcheck),
        ] {
            assert_eq!(parse(words).unwrap(), expected);
        }
        assert!(parse(&["walk"]).is_err());
    }

    #[test]
    fn help_and_readme_have_every_setting() {
        let (help, readme) = (environment_help(), include_str!("../../README.md"));
        for setting in setting::ALL {
            assert!(help.contains(setting.name), "{}", setting.name);
            assert!(
                readme.contains(&format!("| `{}` |", setting.name)),
                "{}",
                setting.name
            );
        }
    }
}
