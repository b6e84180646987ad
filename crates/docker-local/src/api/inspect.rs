//! What is told of a container.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::Call;
use crate::answer::{Answer, Reply};
use crate::container::{Container, State};

/// The time of what has not happened yet.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Call<'_> {
    pub(super) fn inspect(&self, id: &str) -> Answer {
        let inner = self.state.lock();
        let container = &inner.containers[id];
        let mut body = details(id, container);
        merge(&mut body, &container.details);
        Answer::of(200, &body)
    }

    pub(super) fn stats(&self, id: &str) -> Reply {
        let inner = self.state.lock();
        let container = &inner.containers[id];
        let recorded: Value = container.stats.clone().unwrap_or_else(|| {
            let sleeping = include_str!("../stats.json");
            serde_json::from_str(sleeping).expect("the file is JSON")
        });
        let mut stats = recorded;
        stats["name"] = format!("/{}", container.name).into();
        stats["id"] = id.into();
        drop(inner);
        let once = Answer::of(200, &stats);
        if self.request.query("stream").is_some() && !self.request.flag("stream") {
            return once.into();
        }
        // One now, and one more for each change of the engine's state: a test sets them.
        let changes = self.state.changes();
        let more = futures_util::stream::unfold(
            (self.state.clone(), id.to_owned(), changes, Some(stats)),
            |(state, id, mut changes, first)| async move {
                let stats = match first {
                    Some(stats) => stats,
                    None => {
                        changes.changed().await.ok()?;
                        state.lock().containers.get(&id)?.stats.clone()?
                    }
                };
                let line = format!("{stats}\n").into();
                Some((line, (state, id, changes, None)))
            },
        );
        Reply::pieces(more).header("Content-Type", "application/json")
    }
}

fn details(id: &str, container: &Container) -> Value {
    let state = container.state;
    let (program, arguments) = match &*container.command {
        [program, arguments @ ..] => (program.clone(), arguments),
        [] => (String::new(), &[][..]),
    };
    let mut body = json!({
        "Id": id,
        "Created": time(container.created),
        "Path": program,
        "Args": arguments,
        "State": {
            "Status": state.name(),
            "Running": state.is_running(),
            "Paused": state == State::Paused,
            "Restarting": state == State::Restarting,
            "OOMKilled": false,
            "Dead": state == State::Dead,
            "Pid": container.pid,
            "ExitCode": container.exit_code,
            "Error": "",
            "StartedAt": time(container.started),
            "FinishedAt": time(container.finished),
        },
        "Image": format!("sha256:{:0>64}", "1"),
        "Name": format!("/{}", container.name),
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": {
            "LogConfig": {"Type": container.log_driver.name(), "Config": {}},
            "NetworkMode": "default",
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": false,
        },
        "Mounts": [],
        "Config": {
            "Hostname": &id[..12],
            "User": "",
            "Tty": container.tty,
            "OpenStdin": false,
            "Env": container.environment,
            "Cmd": container.command,
            "Image": container.image,
            "WorkingDir": "",
            "Entrypoint": null,
            "Labels": container.labels,
        },
        "NetworkSettings": {"Ports": {}, "Networks": {}},
    });
    if let Some(health) = &container.health {
        body["State"]["Health"] = json!({"Status": health, "FailingStreak": 0, "Log": []});
    }
    if let Value::Object(sent) = &container.config {
        let host_config = sent.get("HostConfig").cloned();
        let mut config = sent.clone();
        config.remove("HostConfig");
        config.remove("NetworkingConfig");
        let asked = json!({"Config": config, "HostConfig": host_config.unwrap_or(json!({}))});
        merge(&mut body, &asked);
    }
    body
}

/// Lays one value over another, object by object.
fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                merge(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

fn time(nanos: i64) -> String {
    match nanos {
        0 => NEVER.to_owned(),
        nanos => DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true),
    }
}
