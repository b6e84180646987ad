//! What is read, and what is told of what cannot be.

use super::*;

fn read(variables: &[(&str, &str)]) -> (Option<Config>, Vec<String>) {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let (config, findings) = Config::read(&variables.collect());
    (
        config,
        findings.problems.iter().map(ToString::to_string).collect(),
    )
}

fn problem(name: &str, value: &str) -> String {
    let (config, mut problems) = read(&[(name, value)]);
    assert!(config.is_none(), "{name}={value}");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn nothing_set_is_safe() {
    let (config, problems) = read(&[]);
    assert!(problems.is_empty(), "{problems:?}");
    let config = config.unwrap();
    assert_eq!(
        config.listen,
        Listen::Tcp("127.0.0.1:7070".parse().unwrap())
    );
    assert!(config.policy.mount_roots.is_empty() && config.policy.code_roots.is_empty());
    assert!(config.policy.publish_addr.is_loopback());
    assert!(
        config
            .policy
            .forbidden
            .contains(&"/var/run/docker.sock".into())
    );
    assert!(
        config
            .policy
            .forbidden
            .contains(&"/var/lib/flow-manager".into())
    );
    assert_eq!((config.metrics_addr, config.insecure), (None, false));
}

#[test]
fn what_the_engine_keeps_is_forbidden_also_of_a_rootless_one() {
    let (config, _) = read(&[
        ("XDG_RUNTIME_DIR", "/run/user/1000"),
        ("HOME", "/home/me"),
        ("XDG_DATA_HOME", ""),
    ]);
    let forbidden = config.unwrap().policy.forbidden;
    for place in [
        "/run/containerd",
        "/var/lib/docker",
        "/run/user/1000/docker.sock",
        "/home/me/.docker/run",
        "/home/me/.local/share/docker",
    ] {
        assert!(forbidden.contains(&place.into()), "{place}");
    }
    assert!(forbidden.iter().all(|place| place.is_absolute()));
}

#[test]
fn all_problems_are_told_at_once() {
    let (_, problems) = read(&[
        ("LISTEN", "nowhere"),
        ("IMAGES", "a b,c d"),
        ("MOUNT_ROOTS", "/srv,relative,/"),
        ("FLOW_MEMORY", "1"),
        ("PULL", "often"),
        ("DOCKER_HOST", "tcp://10.0.0.1:2375"),
        ("LOG_LEVEL", "loud"),
    ]);
    let names: Vec<_> = problems
        .iter()
        .map(|problem| problem.split(':').next().unwrap())
        .collect();
    let expected = [
        "LISTEN",
        "DOCKER_HOST",
        "LOG_LEVEL",
        "IMAGES",
        "IMAGES",
        "MOUNT_ROOTS",
        "MOUNT_ROOTS",
        "FLOW_MEMORY",
        "PULL",
    ];
    assert_eq!(names, expected);
    for (name, value) in [
        ("FLOW_NETWORK", "host"),
        ("FLOW_SECURITY_OPT", "seccomp=unconfined"),
        ("STATE_DIR", "state"),
        ("CODE_ROOTS", "/srv/../etc"),
        ("ALLOWED_ORIGINS", "*"),
        ("TRUSTED_PROXY", "10.0.0.1"),
        ("LISTEN", "unix:relative"),
    ] {
        problem(name, value);
    }
}

#[test]
fn others_are_let_in_only_with_tls_or_if_that_is_meant() {
    assert!(problem("LISTEN", "0.0.0.0:7070").contains("TRUSTED_PROXY"));
    assert!(problem("LISTEN", "[::]:7070").contains("INSECURE=1"));
    for (name, value) in [("TRUSTED_PROXY", "10.0.0.0/8"), ("INSECURE", "1")] {
        let (config, problems) = read(&[("LISTEN", "0.0.0.0:7070"), (name, value)]);
        assert!(config.is_some(), "{problems:?}");
    }
    let (config, _) = read(&[("LISTEN", "unix:/run/flow.sock")]);
    assert_eq!(
        config.unwrap().listen,
        Listen::Unix("/run/flow.sock".into())
    );
}

#[test]
fn misspelt_variable_is_told() {
    let variables = [("FLOW_MEMROY", "1GiB")].map(|(name, value)| (name.into(), value.into()));
    let (config, findings) = Config::read(&variables.into_iter().collect());
    assert!(config.is_some());
    assert_eq!(
        findings.warnings[0].to_string(),
        "FLOW_MEMROY: is not known, did you mean FLOW_MEMORY?"
    );
}
