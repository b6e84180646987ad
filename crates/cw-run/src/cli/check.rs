//! Says what would be done. Neither Docker nor AWS is asked.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use settings::{Brief, Environment};

use crate::job::{Job, RunSettings, Target, Which};

/// What would be done, as text or as a document. Values of the container's variables are not in it.
pub(super) async fn describe(job: &Job, environment: &Environment, as_json: bool) -> String {
    let mut document = Map::new();
    match &job.target {
        Target::Run(run) => run_settings(&mut document, run),
        Target::Attach(attach) => {
            document.insert("action".to_owned(), "attach".into());
            match &attach.which {
                Which::Named {
                    name,
                    follow_restarts,
                } => {
                    document.insert("container".to_owned(), name.clone().into());
                    document.insert("follow_restarts".to_owned(), (*follow_restarts).into());
                }
                Which::Labelled(labels) => {
                    document.insert("labels".to_owned(), labels.clone().into());
                }
            }
            document.insert("tail".to_owned(), attach.tail.into());
        }
    }
    let origin = aws_connection::origin(environment).await;
    let region = job.aws.region.clone().or_else(|| {
        environment
            .variable("AWS_DEFAULT_REGION")
            .map(str::to_owned)
    });
    let (destination, group, delivery) = (&job.destination, &job.group, &job.delivery);
    let more = json!({
        "group": destination.group.to_string(),
        "stream": destination.stream.to_string(),
        "stderr_stream": destination.stderr_stream.as_ref().map(ToString::to_string),
        "create": !group.no_create,
        "retention_days": group.retention_days,
        "kms_key_id": group.kms_key_id,
        "log_group_class": group.class,
        "tags": group.tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        "event_begins_with": job.events.as_ref().map(|start| start.as_str().to_owned()),
        "checkpoint": delivery.checkpoint.as_ref().map(|path| path.display().to_string()),
        "stop_container_after": delivery.stop_after.map(|after| Brief(after).to_string()),
        "drain_timeout": Brief(delivery.drain_timeout).to_string(),
        "flush_interval": Brief(delivery.flush_interval).to_string(),
        "request_timeout": Brief(delivery.request_timeout).to_string(),
        "buffer_bytes": delivery.buffer_bytes,
        "tee": job.output.tee,
        "region": region,
        "endpoint": job.aws.endpoint_url.as_deref().or_else(|| environment.variable("AWS_ENDPOINT_URL")).map(diagnostics::redact),
        "credentials": origin.kind(),
        "docker_host": job.docker_host.as_deref().map(diagnostics::redact),
        "warnings": job.warnings,
    });
    document.extend(more.as_object().cloned().unwrap_or_default());
    match as_json {
        true => format!("{}\n", Value::Object(document)),
        false => text(&document),
    }
}

fn run_settings(document: &mut Map<String, Value>, run: &RunSettings) {
    let container = &run.container;
    let names: Vec<_> = container
        .env
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let labels: Vec<_> = container
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let pull = format!("{:?}", run.pull).to_lowercase();
    let settings = json!({
        "action": "run",
        "image": container.image,
        "entrypoint": container.entrypoint,
        "command": container.cmd,
        "name": container.name,
        "env": names,
        "volumes": container.volumes,
        "workdir": container.workdir,
        "user": container.user,
        "network": container.network,
        "memory_bytes": container.memory,
        "cpus": container.cpus,
        "platform": container.platform,
        "stop_timeout_seconds": container.body.stop_timeout,
        "labels": labels,
        "pull": pull,
        "remove": run.remove,
        "detach_on_exit": run.detach,
    });
    document.extend(settings.as_object().cloned().unwrap_or_default());
}

/// A line for each thing that is said.
fn text(document: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in document {
        let value = match value {
            Value::Null => continue,
            Value::Array(values) if values.is_empty() => continue,
            Value::String(value) => diagnostics::one_line(value),
            value => value.to_string(),
        };
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}
