//! `ps`

use docker_client::{ContainerSummary, DockerApiClient, ListOptions, PortInfo};
use serde_json::{Value, json};

use crate::Failure;
use crate::print::{Color, Printer};

const HEAD: [&str; 6] = ["CONTAINER ID", "IMAGE", "STATE", "STATUS", "PORTS", "NAMES"];
const STATE: usize = 2;
/// How much of an id is shown, as the `docker` command has it.
const SHORT_ID: usize = 12;

pub(super) async fn run(
    client: &DockerApiClient,
    options: ListOptions,
    json: bool,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let list = client.list_containers_with(options).await?;
    if json {
        printer.json(&Value::Array(list.iter().map(document).collect()))?;
        return Ok(0);
    }
    let rows: Vec<_> = list.iter().map(row).collect();
    printer.table(&HEAD, &rows, |column, text| match text {
        _ if column != STATE => None,
        "running" => Some(Color::Green),
        "paused" | "restarting" | "created" => Some(Color::Yellow),
        _ => Some(Color::Red),
    })?;
    Ok(0)
}

fn row(container: &ContainerSummary) -> Vec<String> {
    vec![
        container.id.chars().take(SHORT_ID).collect(),
        container.image.clone(),
        container.state.as_str().to_owned(),
        container.status.clone(),
        container
            .ports
            .iter()
            .map(port_text)
            .collect::<Vec<_>>()
            .join(", "),
        container.names.join(","),
    ]
}

fn document(container: &ContainerSummary) -> Value {
    json!({
        "id": container.id,
        "name": container.name,
        "names": container.names,
        "image": container.image,
        "image_id": container.image_id,
        "command": container.command,
        "created": container.created.to_string(),
        "state": container.state.as_str(),
        "status": container.status,
        "ports": container.ports.iter().map(port_document).collect::<Vec<_>>(),
        "labels": container.labels,
        "networks": container.networks,
    })
}

pub(super) fn port_document(port: &PortInfo) -> Value {
    let (host_ip, host_port) = match &port.host {
        Some((ip, port)) => (Some(ip), Some(port)),
        None => (None, None),
    };
    json!({
        "container_port": port.container_port,
        "protocol": port.protocol,
        "host_ip": host_ip,
        "host_port": host_port,
    })
}

fn port_text(port: &PortInfo) -> String {
    let inner = format!("{}/{}", port.container_port, port.protocol);
    match &port.host {
        Some((ip, outer)) => format!("{ip}:{outer}->{inner}"),
        None => inner,
    }
}
