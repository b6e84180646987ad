//! The command line and the environment, read into a [`Job`] with every problem in one pass.

use std::ffi::OsString;

use settings::Environment;

use crate::job::Job;

mod container;
mod destination;
mod docker_run;
mod env_file;
mod fingerprint;
mod given;
mod grammar;
mod help;
mod identity;
mod options;
mod reader;

pub(crate) use fingerprint::in_region;
pub use options::{ALL, Goes, Opt, Topic};
pub use reader::{Origin, Problem};

use given::Given;
use reader::Reader;

/// What the program was asked to do.
#[derive(Clone, Debug)]
pub enum Request {
    /// Do it.
    Do(Box<Job>),
    /// Say what would be done, and ask nobody.
    Check {
        /// What would be done.
        job: Box<Job>,
        /// As a JSON document.
        json: bool,
    },
    /// Print a text: the help, or the version.
    Print(String),
}

/// Why the arguments are not taken. Every problem is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadArguments {
    /// All that is wrong.
    pub problems: Vec<Problem>,
}

impl BadArguments {
    /// Whether something on the command line itself is wrong, and not only in a variable or a file.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.problems.iter().any(Problem::is_usage)
    }
}

/// Reads the arguments, the program's name first, and the variables that stand in for them.
///
/// # Errors
///
/// Every problem that was found.
pub fn parse_arguments(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Request, BadArguments> {
    let mut reader = Reader::new(environment);
    let given = match grammar::parse(arguments) {
        Ok(given) => given,
        Err(problem) => {
            return Err(BadArguments {
                problems: vec![problem],
            });
        }
    };
    if let Some(text) = answer(&given, &mut reader) {
        return reader.finish(Request::Print(text));
    }
    let json = given.has("json");
    if json && !given.check {
        reader.usage(
            "--json",
            "only check prints a document: cw-run check --json …",
        );
    }
    let check = given.check;
    let job = Box::new(read(given, &mut reader));
    reader.finish(match check {
        true => Request::Check { job, json },
        false => Request::Do(job),
    })
}

/// The text that was asked for in the place of anything else.
fn answer(given: &Given, reader: &mut Reader<'_>) -> Option<String> {
    if given.has("version") {
        return Some(format!("cw-run {}\n", env!("CARGO_PKG_VERSION")));
    }
    let topic = given.help.as_deref()?;
    match Topic::named(topic) {
        _ if topic.is_empty() => Some(help::overview()),
        Some(topic) => Some(help::of(topic)),
        None => {
            let names: Vec<_> = Topic::ALL.iter().map(|topic| topic.name()).collect();
            let message = format!(
                "there is no help on that, write one of {}",
                names.join(", ")
            );
            reader.usage("--help", message);
            Some(String::new())
        }
    }
}

fn read(given: Given, reader: &mut Reader<'_>) -> Job {
    reader.take(given);
    reader.unknown_variables();
    let target = container::target(reader);
    let (destination, group) = destination::read(reader);
    Job {
        fingerprint: fingerprint::of(reader, &target),
        target,
        destination,
        group,
        events: destination::events(reader),
        delivery: destination::delivery(reader),
        aws: identity::aws(reader),
        docker_host: reader.text("docker-host"),
        output: destination::output(reader),
        warnings: std::mem::take(&mut reader.warnings),
    }
}

#[cfg(test)]
mod tests;
