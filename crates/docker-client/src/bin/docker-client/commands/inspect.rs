//! `inspect`

use docker_client::{ContainerInfo, DockerApiClient, Health, Timestamp};
use serde_json::{Map, Value, json};

use super::ps::port_document;
use crate::Failure;
use crate::print::Printer;

/// It has no form but JSON. What was found is printed also when something was not.
pub(super) async fn run(
    client: &DockerApiClient,
    names: &[String],
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let mut found = Vec::new();
    let mut failure = None;
    for name in names {
        match client.get_container_info(name).await {
            Ok(info) => found.push(document(&info)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let text = serde_json::to_string_pretty(&found).expect("values are JSON");
    printer.bytes(text.as_bytes())?;
    printer.bytes(b"\n")?;
    printer.flush()?;
    failure.map_or(Ok(0), |error| Err(error.into()))
}

fn document(info: &ContainerInfo) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let environment = info.environment.iter();
    let environment: Map<_, _> = environment
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let mounts = info.mounts.iter().map(|mount| {
        json!({
            "kind": mount.kind,
            "name": mount.name,
            "source": mount.source,
            "destination": mount.destination,
            "writable": mount.writable,
        })
    });
    let networks = info.networks.iter().map(|network| {
        json!({
            "name": network.name,
            "network_id": network.network_id,
            "ip_address": network.ip_address,
            "aliases": network.aliases,
        })
    });
    json!({
        "id": info.id,
        "name": info.name,
        "image": info.image,
        "image_id": info.image_id,
        "state": info.state.as_str(),
        "health": health_name(info.health),
        "created": time(info.created),
        "started": time(info.started),
        "finished": time(info.finished),
        "exit_code": info.exit_code,
        "error": info.error,
        "oom_killed": info.oom_killed,
        "restarts": info.restarts,
        "pid": info.pid,
        "command": info.command,
        "ports": info.ports.iter().map(port_document).collect::<Vec<_>>(),
        "mounts": mounts.collect::<Vec<_>>(),
        "networks": networks.collect::<Vec<_>>(),
        "environment": environment,
        "labels": info.labels,
        "tty": info.tty,
        "log_driver": info.log_driver,
        "log_options": info.log_options,
        "auto_remove": info.auto_remove,
        "working_dir": info.working_dir,
        "user": info.user,
    })
}

fn health_name(health: Health) -> &'static str {
    match health {
        Health::None => "none",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}
