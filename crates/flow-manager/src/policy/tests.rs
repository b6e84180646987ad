//! What is refused, and what a container gets whatever was asked for.

use std::collections::BTreeMap;

use super::*;

fn policy() -> Policy {
    Policy {
        images: vec!["flow:*".parse().unwrap()],
        mount_roots: Vec::new(),
        code_roots: Vec::new(),
        forbidden: Vec::new(),
        publish_addr: "127.0.0.1".parse().unwrap(),
        network: None,
        memory: 64 << 20,
        pids: 16,
        security_opt: vec!["label=type:flow_t".to_owned()],
        pull: Pull::Missing,
    }
}

fn config() -> ContainerConfig {
    ContainerConfig {
        image: "flow:1".to_owned(),
        name: Some("a1".to_owned()),
        ports: BTreeMap::from([("8080".parse().unwrap(), 80)]),
        ..ContainerConfig::default()
    }
}

fn refused(change: impl FnOnce(&mut ContainerConfig)) -> ErrorCode {
    let mut config = config();
    change(&mut config);
    let policy = policy();
    let checked = policy.check(&config).and_then(|()| policy.mounts(&config));
    checked.unwrap_err().code
}

#[test]
fn each_value_that_could_do_harm_is_refused() {
    let mount = |source: &str, target: &str| {
        let volumes = BTreeMap::from([(source.to_owned(), target.to_owned())]);
        refused(|config| config.volumes = volumes)
    };
    for source in [
        "/",
        "/var/run/docker.sock",
        "/srv/../etc",
        "named-volume",
        "relative/path",
    ] {
        assert_eq!(
            mount(source, "/data"),
            ErrorCode::MountNotAllowed,
            "{source}"
        );
    }
    for target in [
        "/",
        "data",
        "/run",
        "/run//flow/",
        "/run/flow/x",
        "/data/../run/flow",
        "",
    ] {
        assert_eq!(mount("/srv", target), ErrorCode::InvalidValue, "{target}");
    }
    for name in [
        "",
        "a",
        "-a",
        "a b",
        "a;reboot",
        "$(id)",
        "\u{1b}[31mred",
        "a/../b",
    ] {
        let code = refused(|config| config.name = Some(name.to_owned()));
        assert_eq!(code, ErrorCode::InvalidValue, "{name:?}");
    }
    for name in ["", "A=B", "A\0", FLOW_SOCKET] {
        let environment = BTreeMap::from([(name.to_owned(), String::new())]);
        assert_eq!(
            refused(|config| config.environment = environment),
            ErrorCode::InvalidValue
        );
    }
    assert_eq!(
        refused(|config| config.image = "evil".to_owned()),
        ErrorCode::ImageNotAllowed
    );
    assert_eq!(
        refused(|config| config.command = Some(Vec::new())),
        ErrorCode::InvalidValue
    );
    assert_eq!(
        refused(|config| config.working_dir = Some("app".to_owned())),
        ErrorCode::InvalidValue
    );
    let long = BTreeMap::from([("A".to_owned(), "x".repeat(VALUE_MAX))]);
    assert_eq!(
        refused(|config| config.environment = long),
        ErrorCode::InvalidValue
    );
}

#[test]
fn container_is_fenced_in() {
    let placement = Placement {
        instance: "i".to_owned(),
        folder: "f".to_owned(),
        mounted: "/state/c/f/run".into(),
    };
    let request = policy().request(&config(), Vec::new(), &placement);
    assert_eq!(request.labels[INSTANCE_LABEL], "i");
    assert_eq!(request.labels[FOLDER_LABEL], "f");
    assert_eq!(
        request.env,
        [(FLOW_SOCKET.to_owned(), SOCKET_IN_CONTAINER.to_owned())]
    );
    assert_eq!(request.ports[0].host_ip, "127.0.0.1");
    assert_eq!(
        (request.memory, request.pids_limit),
        (Some(64 << 20), Some(16))
    );
    let (driver, options) = request.log.unwrap();
    assert_eq!(
        (&*driver, &*options["max-size"], &*options["max-file"]),
        ("json-file", "10m", "3")
    );
    let host = request.body.host_config.unwrap();
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    let security = ["no-new-privileges", "label=type:flow_t"].map(str::to_owned);
    assert_eq!(host.security_opt, Some(security.to_vec()));
    assert_eq!(host.memory_swap, Some(64 << 20));
    let mounts = host.mounts.unwrap();
    assert_eq!(mounts.len(), 1);
    assert_eq!(mounts[0].target.as_deref(), Some(SOCKET_MOUNT));
    assert_eq!(
        (mounts[0].read_only, mounts[0].source.as_deref()),
        (Some(true), Some("/state/c/f/run"))
    );
}
