//! `deploy/systemd/cw-publisher.service`.

use super::program::{self, Variables};
use super::{file, seconds};

/// The assignments of a section, in their order.
fn section(name: &str) -> Vec<(String, String)> {
    let text = file("deploy/systemd/cw-publisher.service");
    let mut current = "";
    let mut assignments = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            current = header;
        } else if current == name && !line.is_empty() && !line.starts_with('#') {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?}"));
            assignments.push((key.to_owned(), value.to_owned()));
        }
    }
    assignments
}

fn values(key: &str) -> Vec<String> {
    let service = section("Service").into_iter();
    let values = service.filter(|(known, _)| known == key);
    values.map(|(_, value)| value).collect()
}

#[track_caller]
fn value(key: &str) -> String {
    let mut values = values(key);
    assert_eq!(values.len(), 1, "{key}");
    values.remove(0)
}

#[test]
fn unit_takes_its_settings_and_the_example_of_a_crontab() {
    let pairs = values("Environment").into_iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        // `StateDirectory=` is below this folder, %S in systemd.unit(5).
        (name.to_owned(), value.replace("%S", "/var/lib"))
    });
    let mut variables: Variables = pairs.collect();
    variables.insert("AWS_REGION".to_owned(), "us-east-1".to_owned());
    let config = program::config(&variables, None);
    let state = format!("/var/lib/{}", value("StateDirectory"));
    assert_eq!(config.spool_dir.unwrap().to_str(), Some(state.as_str()));
    assert!(seconds(&value("TimeoutStopSec")) > config.shutdown_grace);
    // Where the unit's own comment has it.
    let unit = file("deploy/systemd/cw-publisher.service");
    let asked = format!(
        "HEALTH_ADDR={} cw-publisher healthcheck",
        variables["HEALTH_ADDR"]
    );
    assert!(unit.contains(&asked));
}

#[test]
fn unit_runs_reloads_and_stops_the_program_as_it_wants() {
    let program = value("ExecStart");
    assert_eq!(program.rsplit_once('/').unwrap().1, env!("CARGO_PKG_NAME"));
    assert!(value("ExecReload").contains("-HUP $MAINPID"));
    assert_eq!(value("RestartPreventExitStatus"), "78");
    assert!(values("KillSignal").is_empty(), "SIGTERM is the default");
}

#[test]
fn unit_leaves_host_sources_their_view_of_the_machine() {
    for key in [
        "MemoryMax",
        "MemoryHigh",
        "MemorySwapMax",
        "CPUQuota",
        "ProcSubset",
    ] {
        assert!(values(key).is_empty(), "{key}");
    }
    assert_eq!(value("ProtectHome"), "read-only");
}
