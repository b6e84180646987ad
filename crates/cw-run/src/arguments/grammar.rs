//! The grammar of the command line.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::given::Given;
use super::options::{ALL, Opt};
use super::reader::Problem;

/// Switches that are no settings.
const SWITCHES: &[&str] = &["version", "json"];

/// Parts the command line.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Given, Problem> {
    let mut words: Vec<OsString> = arguments.into_iter().skip(1).collect();
    // The commands come first, and only there: a container may be called `check`.
    let mut given = Given {
        check: take(&mut words, "check"),
        attach: take(&mut words, "attach"),
        ..Given::default()
    };
    if !given.attach {
        take(&mut words, "run");
    }
    if take(&mut words, "help") {
        words.insert(0, "--help".into());
    }
    let matches = command()
        .try_get_matches_from(words)
        .map_err(|error| Problem::usage("", one_line(&error)))?;
    fill(&mut given, &matches);
    Ok(given)
}

fn take(words: &mut Vec<OsString>, word: &str) -> bool {
    let is_first = words.first().is_some_and(|first| first == word);
    if is_first {
        words.remove(0);
    }
    is_first
}

fn command() -> Command {
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("cw-run")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(SWITCHES.iter().map(|name| switch(name)))
        .arg(
            Arg::new("help")
                .long("help")
                .short('h')
                .num_args(0..=1)
                .default_missing_value(""),
        )
        .args(ALL.iter().map(argument))
        .arg(Arg::new("words").value_name("CONTAINER").num_args(0..))
        .arg(
            Arg::new("command")
                .value_name("WORD")
                .num_args(0..)
                .last(true)
                .allow_hyphen_values(true),
        )
}

fn argument(option: &Opt) -> Arg {
    let argument = Arg::new(option.name)
        .long(option.name)
        .short(option.short)
        .visible_aliases(option.also);
    match option.is_switch() {
        true => argument.action(ArgAction::SetTrue),
        false => argument.value_name(option.value).action(if option.many {
            ArgAction::Append
        } else {
            ArgAction::Set
        }),
    }
}

fn fill(given: &mut Given, matches: &ArgMatches) {
    let all = |name: &str| -> Vec<String> {
        matches
            .get_many::<String>(name)
            .unwrap_or_default()
            .cloned()
            .collect()
    };
    given.help = matches.get_one("help").cloned();
    given.words = all("words");
    given.command = all("command");
    given.switches = SWITCHES
        .iter()
        .copied()
        .filter(|name| matches.get_flag(name))
        .collect();
    for option in ALL {
        if option.is_switch() {
            if matches.get_flag(option.name) {
                given.switches.push(option.name);
            }
        } else if matches.contains_id(option.name) {
            given.values.insert(
                option.name,
                (format!("--{}", option.name), all(option.name)),
            );
        }
    }
}

/// What clap says over several lines, without the usage.
fn one_line(error: &clap::Error) -> String {
    // What was given for a switch may be meant for another option, and be a secret.
    if let (ErrorKind::TooManyValues, Some(switch)) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    {
        return format!("{switch} takes no value: leave out = and what stands behind it");
    }
    let text = error.to_string();
    let said = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let said = said
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("For more"));
    let said: Vec<_> = said
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    format!("{}; cw-run --help lists the options", said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Given {
        let words = ["cw-run"].iter().chain(words).map(OsString::from);
        parse(words.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn grammar_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn words_behind_the_dashes_are_left_alone() {
        let given = given(&["--group", "g", "--", "alpine", "sh", "-c", "--group x"]);
        assert_eq!(given.command, ["alpine", "sh", "-c", "--group x"]);
        assert_eq!(given.values["aws-cloudwatch-group"].1, ["g"]);
    }

    #[test]
    fn commands_are_only_the_first_words() {
        let given = given(&["check", "attach", "check"]);
        assert!(given.check && given.attach);
        assert_eq!(given.words, ["check"]);
    }

    #[test]
    fn text_that_may_be_a_secret_is_not_told() {
        for words in [
            &["--tee=hunter2"][..],
            &["--rm=hunter2"],
            &["--json=hunter2"],
            &["--aws-secret-acces-key=hunter2"],
            &["--group", "a", "--group=hunter2"],
            &["-xhunter2"],
        ] {
            let words = ["cw-run"].iter().chain(words).map(OsString::from);
            let problem = parse(words.collect::<Vec<_>>()).unwrap_err().to_string();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        let problem = parse(["cw-run", "--tee=x"].map(OsString::from)).unwrap_err();
        assert!(
            problem.to_string().starts_with("--tee takes no value"),
            "{problem}"
        );
    }

    #[test]
    fn help_takes_a_topic_or_none() {
        assert_eq!(given(&["--help"]).help.as_deref(), Some(""));
        assert_eq!(given(&["help", "events"]).help.as_deref(), Some("events"));
        assert_eq!(given(&["attach", "-h"]).help.as_deref(), Some(""));
    }
}
