//! `events`

use docker_client::{DockerApiClient, Event, EventItem, EventKind, EventOptions};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::Failure;
use crate::print::Printer;

pub(super) async fn run(
    client: &DockerApiClient,
    options: EventOptions,
    json: bool,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let mut events = client.events(options).await?;
    while let Some(item) = events.next().await {
        match item? {
            EventItem::Event(event) if json => printer.json(&document(&event))?,
            EventItem::Event(event) => printer.line(&text(&event))?,
            EventItem::Resync if json => printer.json(&json!({"resync": true}))?,
            EventItem::Resync => printer.line("events may be missing here: list again")?,
        }
        printer.flush()?;
    }
    Ok(0)
}

fn kind_name(kind: &EventKind) -> &str {
    match kind {
        EventKind::Container => "container",
        EventKind::Image => "image",
        EventKind::Network => "network",
        EventKind::Volume => "volume",
        EventKind::Daemon => "daemon",
        EventKind::Other(name) => name,
        _ => "other",
    }
}

/// As the `docker` command has it.
fn text(event: &Event) -> String {
    let attributes = event.attributes.iter();
    let attributes: Vec<_> = attributes
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let (kind, action) = (kind_name(&event.kind), &event.action);
    let (time, id) = (event.time, &event.id);
    format!("{time} {kind} {action} {id} ({})", attributes.join(", "))
}

fn document(event: &Event) -> Value {
    json!({
        "kind": kind_name(&event.kind),
        "action": event.action,
        "id": event.id,
        "attributes": event.attributes,
        "time": event.time.to_string(),
    })
}
