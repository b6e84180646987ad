//! How the models are written.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn config_is_read_as_documented_and_nothing_else() {
    let text = r#"{"image":"flow:1","name":"a","environment":{"K":"v"},"volumes":{"/srv/a":"/data"},
        "ports":{"8080":8080,"53/udp":5353},"command":["run"],"working_dir":"/app"}"#;
    let config: ContainerConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.environment["K"], "v");
    let ports: Vec<_> = config.ports.keys().map(ToString::to_string).collect();
    assert_eq!(ports, ["53/udp", "8080"]);
    let least: ContainerConfig = serde_json::from_str(r#"{"image":"flow:1"}"#).unwrap();
    assert_eq!((least.name, least.command), (None, None));
    for bad in [
        r#"{"image":"a","privileged":true}"#,
        r#"{"name":"a"}"#,
        r#"{"image":"a","ports":{"0":1}}"#,
        r#"{"image":"a","ports":{"1":65536}}"#,
        r#"{"image":"a","ports":{"+1":1}}"#,
        r#"{"image":"a","ports":{"1/icmp":1}}"#,
        r#"{"image":"a","environment":{"K":1}}"#,
        r#"{"image":"a","command":"run"}"#,
    ] {
        assert!(
            serde_json::from_str::<ContainerConfig>(bad).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn status_has_null_for_what_is_absent() {
    let status = ContainerStatus {
        id: "1".to_owned(),
        state: ContainerState::Created,
        health: ContainerHealth::None,
        uptime: None,
        socket_connected: false,
        last_communication: None,
        resource_usage: None,
        stale: false,
    };
    assert_eq!(
        serde_json::to_value(&status).unwrap(),
        json!({"id": "1", "state": "created", "health": "none", "uptime": null,
            "socket_connected": false, "last_communication": null, "resource_usage": null})
    );
    let stale = ContainerStatus {
        stale: true,
        ..status
    };
    assert_eq!(serde_json::to_value(&stale).unwrap()["stale"], true);
}

#[test]
fn environment_is_masked_by_its_place() {
    let info = ContainerInfo {
        id: "1".to_owned(),
        name: "a".to_owned(),
        status: ContainerState::Running,
        image: "flow:1".to_owned(),
        created: "2026-11-21T10:00:00.123Z".parse().unwrap(),
        socket_path: "/s".to_owned(),
        ports: BTreeMap::from([("8080".parse().unwrap(), 8080)]),
        environment: BTreeMap::from([("K".to_owned(), "secret".to_owned())]),
    };
    assert_eq!(
        serde_json::to_value(info.masked()).unwrap(),
        json!({"id": "1", "name": "a", "status": "running", "image": "flow:1",
            "created": "2026-11-21T10:00:00.123Z", "socket_path": "/s",
            "ports": {"8080": 8080}, "environment": {"K": "***"}})
    );
}

#[test]
fn states_are_dockers_and_stopped() {
    use docker_client::ContainerState as Engine;
    assert_eq!(
        ContainerState::of(Engine::Exited, true),
        ContainerState::Stopped
    );
    assert_eq!(
        ContainerState::of(Engine::Exited, false),
        ContainerState::Exited
    );
    assert_eq!(ContainerState::of(Engine::Dead, true), ContainerState::Dead);
    for state in ContainerState::ALL {
        assert_eq!(json!(state), json!(state.as_str()));
    }
}

proptest! {
    #![proptest_config(test_support::cases(256))]

    #[test]
    fn port_that_is_read_is_written_as_the_same(text in "[0-9]{0,6}(/[a-z]{0,4})?") {
        if let Ok(port) = text.parse::<ContainerPort>() {
            prop_assert_eq!(port.to_string().parse(), Ok(port));
            prop_assert!(port.number > 0);
        }
    }
}
