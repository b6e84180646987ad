//! Prints the completions of a shell or the manual page, made from the definition of the
//! arguments. An example and no command, so that the image does not carry it:
//!
//!     cargo run --example completions -- bash|zsh|fish|man

use std::io::{self, Write};
use std::process::ExitCode;

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use cw_publisher::cli;
use cw_publisher::config::setting::{ALL, FOREIGN};

const NAME: &str = "cw-publisher";

/// The exit codes, as `docs/settings.md` has them.
const EXIT_CODES: &[(&str, &str)] = &[
    (
        "0",
        "a clean stop; once: everything was accepted; check: no problem; healthcheck: healthy",
    ),
    (
        "1",
        "a failure; once: something was not accepted; healthcheck: unhealthy",
    ),
    ("2", "wrong arguments"),
    ("78", "bad configuration"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let written = match arguments.next().as_deref().and_then(generate) {
        Some(text) => io::stdout().write_all(&text),
        None => {
            let _ = writeln!(io::stderr(), "give one of bash, zsh, fish and man");
            return ExitCode::from(2);
        }
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn generate(what: &str) -> Option<Vec<u8>> {
    let shell = match what {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "man" => return manual().ok(),
        _ => return None,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), NAME, &mut text);
    Some(text)
}

/// One page for all commands, because they share the environment.
fn manual() -> io::Result<Vec<u8>> {
    // The environment is part of the help; here it is a section of its own.
    let command = cli::command().after_help("").disable_help_subcommand(true);
    let commands: Vec<_> = command.get_subcommands().cloned().collect();
    let page = Man::new(command);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let of_command = commands.iter().map(|command| {
        let options = command.get_arguments().filter_map(|argument| {
            let help = argument.get_help()?;
            Some(format!(" --{}: {help}.", argument.get_long()?))
        });
        let about = command.get_about().map(ToString::to_string);
        let about = format!(
            "{}.{}",
            about.unwrap_or_default(),
            options.collect::<String>()
        );
        (command.get_name().to_owned(), about)
    });
    section(&mut text, "COMMANDS", of_command)?;
    let settings = ALL.iter().chain(FOREIGN).map(|setting| {
        let default = match setting.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        (
            setting.name.to_owned(),
            format!("{}{default}", setting.help),
        )
    });
    section(&mut text, "ENVIRONMENT", settings)?;
    let codes = EXIT_CODES.iter().copied();
    section(
        &mut text,
        "EXIT STATUS",
        codes.map(|(code, help)| (code.to_owned(), help.to_owned())),
    )?;
    Ok(text)
}

fn section(
    text: &mut Vec<u8>,
    title: &str,
    entries: impl Iterator<Item = (String, String)>,
) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (name, help) in entries {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(help)]);
    }
    roff.to_writer(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_every_command_and_option() {
        for what in ["bash", "zsh", "fish", "man"] {
            let text = String::from_utf8(generate(what).unwrap()).unwrap();
            let text = text.replace("\\-", "-");
            for name in ["run", "once", "check", "healthcheck", "dry-run", "json"] {
                assert!(text.contains(name), "{what}: {name}");
            }
            assert_eq!(
                cli::command().get_subcommands().count(),
                4,
                "a command is missing above"
            );
        }
        assert!(generate("tcsh").is_none());
    }

    #[test]
    fn manual_names_every_variable() {
        let text = String::from_utf8(manual().unwrap()).unwrap();
        for setting in ALL.iter().chain(FOREIGN) {
            assert!(text.contains(setting.name), "{}", setting.name);
        }
    }
}
