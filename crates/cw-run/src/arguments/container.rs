//! What runs, or what is attached to.

use docker_client::CreateContainer;

use super::docker_run::{Volume, is_platform, memory};
use super::env_file;
use super::reader::{Reader, Value};
use crate::job::{AttachSettings, Pull, RunSettings, Target, Which};

/// Names of variables that hold our own credentials.
const OURS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];
const LABELS_MAX: usize = 100;

pub(super) fn target(reader: &mut Reader<'_>) -> Target {
    match reader.given.attach {
        true => Target::Attach(attach(reader)),
        false => Target::Run(Box::new(run(reader))),
    }
}

fn attach(reader: &mut Reader<'_>) -> AttachSettings {
    let labels = reader.values("label");
    let words = reader.given.words.clone();
    if !reader.given.command.is_empty() {
        reader.usage("--", "attach starts nothing: leave out the words behind --");
    }
    if labels.len() > LABELS_MAX {
        reader.usage("--label", format!("more than {LABELS_MAX} of them"));
    }
    let follow_restarts = reader.switch("follow-restarts");
    let which = match (&words[..], labels.is_empty()) {
        ([name], true) => {
            if let Some(reason) = bad_name(name) {
                reader.usage(
                    "attach",
                    format!("{name:?} is no container's name: {reason}"),
                );
            }
            Which::Named {
                name: name.clone(),
                follow_restarts,
            }
        }
        ([], false) => {
            if follow_restarts {
                reader.usage(
                    "--follow-restarts",
                    "with --label containers are followed over their restarts anyway: leave it out",
                );
            }
            Which::Labelled(labels.into_iter().map(|label| label.text).collect())
        }
        ([], true) => {
            reader.usage(
                "attach",
                "which container? write cw-run attach NAME, or cw-run attach --label NAME=VALUE",
            );
            Which::Labelled(Vec::new())
        }
        ([_], false) => {
            reader.usage("attach", "a name or --label, not both");
            Which::Labelled(Vec::new())
        }
        _ => {
            reader.usage(
                "attach",
                "one container's name; for more give them a label and write --label",
            );
            Which::Labelled(Vec::new())
        }
    };
    let tail = reader.parsed("tail", |text| settings::count(text, 0, u64::MAX));
    AttachSettings { which, tail }
}

/// Docker's grammar of names; the rest is the engine's to say.
fn bad_name(name: &str) -> Option<&'static str> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    let name = name.strip_prefix('/').unwrap_or(name);
    match name.chars().next() {
        None => Some("it is empty"),
        Some(first) if !first.is_ascii_alphanumeric() => Some("it begins with a letter or a digit"),
        _ if !name.chars().all(fits) => Some("it takes letters, digits and _ . -"),
        _ => None,
    }
}

fn run(reader: &mut Reader<'_>) -> RunSettings {
    if let Some(word) = reader.given.words.first().cloned() {
        let message = match diagnostics::nearest(&word, ["run", "attach", "check", "help"]) {
            Some(known) => format!("is no command, did you mean {known}?"),
            None => {
                "does not belong to an option; an image and its words stand behind --".to_owned()
            }
        };
        reader.usage(diagnostics::redacted_prefix(&word), message);
    }
    let mut words = reader.given.command.clone();
    let image = reader
        .text("docker-image")
        .or_else(|| (!words.is_empty()).then(|| words.remove(0)));
    let mut container = CreateContainer::new(image.as_deref().unwrap_or_default());
    if image.is_none() {
        reader.usage(
            "--docker-image",
            "which image? write --docker-image IMAGE --bash-command TEXT, or -- IMAGE WORD…",
        );
    }
    let shell = command(reader, &mut container, words);
    container.name = reader.parsed("name", |text| match bad_name(text) {
        Some(reason) => Err(reason),
        None => Ok(text.to_owned()),
    });
    container.env = variables(reader);
    mounts(reader, &mut container);
    container.workdir = reader.parsed("workdir", |path| match path.starts_with('/') {
        true => Ok(path.to_owned()),
        false => Err("an absolute path"),
    });
    container.user = reader.text("user");
    container.network = reader.text("network");
    container.memory = reader.parsed("memory", memory);
    container.cpus = reader.parsed("cpus", cpus);
    container.platform = reader.parsed("platform", |text| match is_platform(text) {
        true => Ok(text.to_owned()),
        false => Err("a platform looks like linux, arm64, linux/arm64 or linux/arm/v7"),
    });
    container.body.stop_timeout = reader
        .parsed("stop-timeout", |text| settings::count(text, 0, 86_400))
        .and_then(|seconds| i64::try_from(seconds).ok());
    for label in reader.values("label") {
        let (name, value) = label.text.split_once('=').unwrap_or((&label.text, ""));
        container.labels.insert(name.to_owned(), value.to_owned());
    }
    let pull = reader.parsed("pull", |text| match text {
        "always" => Ok(Pull::Always),
        "missing" => Ok(Pull::Missing),
        "never" => Ok(Pull::Never),
        _ => Err("write always, missing or never"),
    });
    RunSettings {
        container,
        shell,
        pull: pull.unwrap_or(Pull::Missing),
        remove: reader.switch("rm"),
        detach: reader.switch("detach-on-exit"),
    }
}

/// A script is the entrypoint's: an image's own would take it for its argument.
fn command(
    reader: &mut Reader<'_>,
    container: &mut CreateContainer,
    words: Vec<String>,
) -> Option<String> {
    let entrypoint = reader.values("entrypoint").pop();
    let shell = reader.value("shell");
    let Some(script) = reader.value("bash-command") else {
        if let Some(shell) = shell.filter(|shell| shell.origin == super::Origin::Argument) {
            reader.refuse(&shell, "a shell runs --bash-command, which is not there");
        }
        container.entrypoint = entrypoint.map(|program| vec![program.text]);
        container.cmd = (!words.is_empty()).then_some(words);
        return None;
    };
    if !words.is_empty() {
        reader.refuse_hidden(&script, "a script or the words behind --, not both");
    }
    if let Some(entrypoint) = entrypoint {
        reader.refuse(
            &entrypoint,
            "--bash-command has the shell as its entrypoint: leave one of them out",
        );
    }
    if script.text.trim().is_empty() {
        reader.refuse_hidden(&script, "it is empty, write what the shell shall run");
    }
    let shell = shell.map_or_else(|| "bash".to_owned(), |shell| shell.text);
    container.entrypoint = Some(vec![shell.clone(), "-c".to_owned(), script.text]);
    // An image's own words would follow otherwise.
    container.cmd = Some(Vec::new());
    Some(shell)
}

fn mounts(reader: &mut Reader<'_>, container: &mut CreateContainer) {
    for volume in reader.values("volume") {
        match Volume::parse(&volume.text) {
            Ok(Volume::Anonymous(path)) => {
                container.body.volumes.get_or_insert_default().push(path);
            }
            Ok(Volume::Mounted(mount)) => container.volumes.push(mount),
            Err(right) => reader.refuse(&volume, right),
        }
    }
}

/// The files come first, as with `docker run`: a variable of the same name wins over them.
fn variables(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for file in reader.values("env-file") {
        match env_file::read(&file.text) {
            Ok(lines) => {
                for line in lines {
                    let line = Value {
                        text: line,
                        place: file.text.clone(),
                        origin: super::Origin::Configuration,
                    };
                    variables.extend(variable(reader, &line));
                }
            }
            Err(error) => reader.refuse_hidden(&file, diagnostics::chain(&error)),
        }
    }
    for value in reader.values("env") {
        variables.extend(variable(reader, &value));
    }
    variables
}

fn variable(reader: &mut Reader<'_>, value: &Value) -> Option<(String, String)> {
    let (name, text) = match value.text.split_once('=') {
        Some((name, text)) => (name, Some(text)),
        None => (&*value.text, None),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        reader.refuse_hidden(value, "a variable looks like NAME=VALUE or NAME");
        return None;
    }
    if let Some(text) = text {
        return Some((name.to_owned(), text.to_owned()));
    }
    if OURS.contains(&name) {
        reader.refuse_hidden(value, format!("{name} of ours stays outside: give the container its own as {name}=VALUE, or better a role"));
        return None;
    }
    // As with `docker run`, one that is not set is left out.
    let text = reader.environment.variable(name)?;
    Some((name.to_owned(), text.to_owned()))
}

fn cpus(text: &str) -> Result<f64, &'static str> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|number| (0.01..=4096.0).contains(number))
        .ok_or("a number of processors, as 0.5 or 2")
}
