//! What the program makes of an environment and of arguments.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use cw_publisher::config::setting::{ALL, FOREIGN, SPOOL_DIR};
use cw_publisher::config::{Config, HealthAddr, Inputs, Task, crontab_path};
use serde_json::Value;
use settings::{Diagnostics, Environment};

use super::{json, list, text};

/// The variables that a container is given.
pub(super) type Variables = BTreeMap<String, String>;

/// The variables of a list of `{name, value}`, as ECS and Kubernetes write them.
#[track_caller]
pub(super) fn variables(container: &Value, pointer: &str) -> Variables {
    let pairs = list(container, pointer).iter();
    let pairs = pairs.map(|pair| {
        (
            text(pair, "/name").to_owned(),
            text(pair, "/value").to_owned(),
        )
    });
    pairs.collect()
}

/// The configuration, in which nothing may be wrong or look wrong. The crontab must be
/// where the program looks for it, and `iam-policy.json` must allow every namespace.
#[track_caller]
pub(super) fn config(variables: &Variables, crontab: Option<(PathBuf, String)>) -> Config {
    for name in variables.keys() {
        assert!(is_known(name), "{name} is no setting");
    }
    let mut environment: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in variables {
        environment.push((name.into(), value.into()));
    }
    // What the agent of ECS sets, so that `ecs:` sources can be read here.
    environment.push((
        "ECS_CONTAINER_METADATA_URI_V4".into(),
        "http://169.254.170.2/v4/0".into(),
    ));
    let environment = Environment::from_iter(environment);
    if let Some((path, _)) = &crontab {
        assert_eq!(*path, crontab_path(&environment).0);
    }
    let spool_dir = environment.get(SPOOL_DIR).map(|dir| (dir.into(), Ok(())));
    let inputs = Inputs {
        crontab: crontab.map(|(path, text)| (path, Ok(text))),
        environment,
        profile_region: None,
        ca_bundle: None,
        task: Task::Unasked,
        spool_dir,
    };
    let (config, findings) = Config::read(&inputs);
    assert_eq!(findings, Diagnostics::default());
    let config = config.unwrap();
    let policy = json("iam-policy.json");
    let allowed = "/Statement/0/Condition/StringEquals/cloudwatch:namespace";
    for entry in &config.entries {
        assert_eq!(entry.metric.namespace.as_str(), text(&policy, allowed));
    }
    config
}

fn is_known(name: &str) -> bool {
    let mut names = ALL
        .iter()
        .chain(FOREIGN)
        .flat_map(|setting| setting.name.split(", "));
    names.any(|known| known == name)
}

/// The port on which the health endpoint listens.
#[track_caller]
pub(super) fn health_port(config: &Config) -> u64 {
    match &config.health {
        HealthAddr::Http(addr) => addr.rsplit_once(':').unwrap().1.parse().unwrap(),
        other => panic!("the health endpoint listens at {other:?}"),
    }
}

/// The command that these arguments name.
#[track_caller]
pub(super) fn command(arguments: &[Value]) -> String {
    let words = arguments.iter().map(|word| word.as_str().unwrap());
    let words = ["cw-publisher"].into_iter().chain(words);
    let matches = cw_publisher::cli::command().try_get_matches_from(words);
    let matches = matches.unwrap_or_else(|error| panic!("{error}"));
    matches.subcommand_name().unwrap_or("run").to_owned()
}
